import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { readRunFile } from '../store/run-file.ts';

const ROOT = resolve(import.meta.dirname, '..');
const MAIN = join(ROOT, 'cli', 'main.ts');

/** Recordings and data sets that lie beside the checkout; undefined where they do not: tests that need them skip. */
export const fixtures = [process.env.CLOSEWATCH_FIXTURES, join(ROOT, '..', 'shared', 'fixtures')].find(
  (folder): folder is string => folder !== undefined && existsSync(folder),
);

export const ADMIN_TOKEN = 'admin-token-of-the-tests';
export const INGEST_TOKEN = 'ingest-token-of-the-tests';

/** A fresh folder and what removes it. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'closewatch-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The environment of a command of the tests: any free port, known tokens, nothing of the machine's own settings. */
export function environment(dataDir: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    CLOSEWATCH_DATA_DIR: dataDir,
    CLOSEWATCH_COLLECTOR_PORT: '0',
    CLOSEWATCH_GRPC_PORT: '0',
    CLOSEWATCH_API_PORT: '0',
    CLOSEWATCH_ENGINE_PORT: '0',
    CLOSEWATCH_ADMIN_TOKEN: ADMIN_TOKEN,
    CLOSEWATCH_INGEST_TOKEN: INGEST_TOKEN,
    CLOSEWATCH_DETECT_SECONDS: '1',
    CLOSEWATCH_GROUP_WAIT_SECONDS: '0',
    CLOSEWATCH_LOG_LEVEL: 'warn',
    ...more,
  };
}

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `closewatch ARGS` to its end, with this Node. */
export async function closewatch(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd = ROOT,
): Promise<Finished> {
  try {
    const done = await promisify(execFile)(process.execPath, [MAIN, ...args], {
      env,
      cwd,
      maxBuffer: 1 << 28,
    });
    return { code: 0, ...done };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

export interface Up {
  readonly process: ChildProcess;
  readonly collectorUrl: string;
  readonly apiUrl: string;
  output(): string;
  graphql<Data>(query: string, variables?: object): Promise<Data>;
  /** SIGTERM, and the exit code. */
  stop(): Promise<number | null>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
}

/** Starts `closewatch up` as a process of its own and waits until it is ready. Throws with its output when it ends before. */
export async function up(dataDir: string, env: NodeJS.ProcessEnv = environment(dataDir)): Promise<Up> {
  const child = spawn(process.execPath, [MAIN, 'up'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => {
      output += chunk;
    });
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  const deadline = Date.now() + 180_000;
  let run = readRunFile(dataDir);
  while (run?.pid !== child.pid) {
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`closewatch up ended: ${output}`);
    if (Date.now() > deadline) {
      child.kill('SIGKILL');
      throw new Error(`closewatch up is not ready: ${output}`);
    }
    await sleep(50);
    run = readRunFile(dataDir);
  }
  const collectorUrl = `http://127.0.0.1:${run?.ports.collector}`;
  const apiUrl = `http://127.0.0.1:${run?.ports.api}`;
  return {
    process: child,
    collectorUrl,
    apiUrl,
    output: () => output,
    graphql: (query, variables) => graphql(apiUrl, query, variables),
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Asks the API as the administrator; throws on any error. */
export async function graphql<Data>(
  apiUrl: string,
  query: string,
  variables: object = {},
  token = ADMIN_TOKEN,
): Promise<Data> {
  const response = await fetch(`${apiUrl}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = (await response.json()) as { data: Data; errors?: unknown };
  if (errors) throw new Error(`GraphQL answered ${response.status}: ${JSON.stringify(errors)}`);
  return data;
}

/** Waits until `probe` gives something other than undefined; throws after `ms`. */
export async function until<T>(probe: () => Promise<T | undefined>, ms = 30_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`nothing within ${ms} ms`);
    await sleep(100);
  }
}
