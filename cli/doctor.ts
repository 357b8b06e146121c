import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { createServer } from 'node:net';
import { totalmem } from 'node:os';
import { dirname } from 'node:path';
import { defineCommand } from 'citty';
import type { RunFile } from '../store/run-file.ts';
import type { Config } from './config.ts';
import {
  attempt,
  type Check,
  checkMemory,
  checkNode,
  checkSpace,
  note,
  ok,
  printed,
  problem,
} from './doctor-checks.ts';
import { doctorTask, type StoresReport } from './doctor-stores.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import { findRunning } from './running.ts';

export default defineCommand({
  meta: {
    name: 'doctor',
    description:
      'Check the installation, the stores, the sources with their clocks, what was lost, and the flows, and explain',
  },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const report = await examine(args);
      process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : printed(report.checks));
      return report.ok ? EXIT.ok : EXIT.failed;
    }),
});

export interface DoctorReport extends StoresReport {
  readonly ok: boolean;
}

/** Everything that doctor finds: what can be seen from outside, then, in the process that holds them, the stores. */
async function examine(args: { 'data-dir'?: string | undefined }): Promise<DoctorReport> {
  const checks: Check[] = [checkNode(process.versions.node)];
  const config = read(args, checks);
  if (!config) return { ok: false, checks, sources: [], flows: [] };
  const running = await findRunning(config.dataDir);
  checks.push(...(await outside(config, running)));
  let stores: StoresReport = { checks: [], sources: [], flows: [] };
  const isFresh = !existsSync(config.dataDir) && !config.clickhouseUrl && !config.databaseUrl;
  if (isFresh) checks.push(note('stores', 'there are none yet', 'the first start makes them'));
  else {
    try {
      stores = await runTask(doctorTask, {}, config);
    } catch (error) {
      checks.push(problem('stores', (error as Error).message, 'they do not open; the log says more'));
    }
  }
  const all = [...checks, ...stores.checks];
  return { ...stores, checks: all, ok: all.every(({ state }) => state !== 'problem') };
}

function read(args: { 'data-dir'?: string | undefined }, checks: Check[]): Config | undefined {
  try {
    const config = configOf(args);
    checks.push(ok('configuration', describe(config)));
    return config;
  } catch (error) {
    checks.push(problem('configuration', (error as Error).message));
    return undefined;
  }
}

const describe = (config: Config): string =>
  [
    `ClickHouse ${config.clickhouseUrl ? 'server' : 'embedded'}`,
    `PostgreSQL ${config.databaseUrl ? 'server' : 'embedded'}`,
    `queue on ${config.redisUrl ? 'Redis' : 'PostgreSQL'}`,
    `model ${config.model ? config.model.model : 'off'}`,
    `Slack ${config.slack ? 'on' : 'off'}`,
  ].join(', ');

async function outside(config: Config, running: RunFile | undefined): Promise<Check[]> {
  const checks = [
    running
      ? ok('process', `process ${running.pid} runs since ${running.startedAt}`)
      : note('process', 'not running', 'npm start brings it up'),
    await attempt('data directory', () => {
      const folder = nearest(config.dataDir);
      accessSync(folder, constants.W_OK | constants.X_OK);
      return ok('data directory', folder === config.dataDir ? folder : `${config.dataDir}, not made yet`);
    }),
    await attempt('disk', () => {
      const { bavail, bsize } = statfsSync(nearest(config.dataDir));
      return checkSpace(bavail * bsize);
    }),
    checkMemory(
      Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem()),
      config.clickhouseUrl ? undefined : config.engineMemory,
    ),
  ];
  if (running) {
    const ports = Object.entries(running.ports).map(([name, port]) => `${name} ${port}`);
    return [...checks, ok('ports', ports.join(', '))];
  }
  return [...checks, await checkPorts(config)];
}

/** The folder, or the nearest one above it that exists. */
const nearest = (folder: string): string => (existsSync(folder) ? folder : nearest(dirname(folder)));

async function checkPorts(config: Config): Promise<Check> {
  const wanted = [
    ['CLOSEWATCH_COLLECTOR_PORT', config.bind, config.collectorPort],
    ['CLOSEWATCH_GRPC_PORT', config.bind, config.grpcPort],
    ['CLOSEWATCH_API_PORT', config.bind, config.apiPort],
    ...(config.clickhouseUrl ? [] : [['CLOSEWATCH_ENGINE_PORT', '127.0.0.1', config.enginePort] as const]),
  ] as const;
  const taken: string[] = [];
  for (const [name, host, port] of wanted) {
    if (port !== 0 && !(await isFree(host, port))) taken.push(`${port} (${name})`);
  }
  return taken.length === 0
    ? ok('ports', `${wanted.map(([, , port]) => port || 'any').join(', ')} are free`)
    : problem(
        'ports',
        `in use by another program: ${taken.join(', ')}`,
        'set another port, or 0 for any free one',
      );
}

const isFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
