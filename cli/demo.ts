import { setTimeout as sleep } from 'node:timers/promises';
import { defineCommand } from 'citty';
import { ClosewatchError } from '../model/errors.ts';
import { nanosOf } from '../model/time.ts';
import { heartbeats } from '../simulator/events.ts';
import { countLogs } from '../simulator/logs.ts';
import { countSpans } from '../simulator/otlp.ts';
import { type Score, score } from '../simulator/score.ts';
import { type Collector, sendEvents, sendLogs, sendTraces } from '../simulator/send.ts';
import { LEAST_DAYS, type Simulation, simulate } from '../simulator/simulate.ts';
import { createTrickle } from '../simulator/trickle.ts';
import { readConfig } from './config.ts';
import { collectorOf, demoFolder, findingsOf, writeFlows } from './demo-landscape.ts';
import { EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { createLogger } from './logger.ts';
import { createBar } from './progress.ts';
import { type Running, startUp } from './start-up.ts';
import { endSoon, untilSignal } from './up.ts';

interface Outcome extends Score {
  readonly byRule: Record<string, Score>;
  readonly events: number;
  readonly spans: number;
  readonly logs: number;
  readonly incidents: number;
  readonly seconds: number;
}

/** The demo is its own world: servers that the environment names are left alone, and nobody is messaged. */
const FOREIGN = /^(CLICKHOUSE_|DATABASE_URL|REDIS_URL|SLACK_|CLOSEWATCH_(CONFIG|DATA_DIR|FLOWS_DIR)$)/;
const ownEnvironment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !FOREIGN.test(name)));

const TICK_MS = 2000;
const TICKS_A_PASS = 5;

const wholeNumber = (flag: string, text: string, least = 0, most = 999_999_999): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new ClosewatchError('config.invalid', `--${flag} must be a whole number from ${least} to ${most}`);
  return Number(text);
};

export default defineCommand({
  meta: {
    name: 'demo',
    description:
      'Simulate three companies with planted faults from an empty data directory, and find the faults',
  },
  args: {
    ...jsonFlag,
    once: {
      type: 'boolean',
      description: 'end after the analysis; exit code 1 when a fault is missed or a finding is wrong',
    },
    seed: { type: 'string', default: '1', description: 'number that decides the landscape' },
    days: { type: 'string', default: '30', description: 'length of the past in days, at least 25' },
    'data-dir': { type: 'string', description: 'an empty folder to use and keep; left out: a temporary one' },
    port: { type: 'string', description: 'port of the console and the API; with --once any free one' },
    'collector-port': { type: 'string', description: 'port of the collector; with --once any free one' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const started = Date.now();
      const seed = wholeNumber('seed', args.seed);
      const days = wholeNumber('days', args.days, LEAST_DAYS, 3650);
      // From here on a signal ends it in order, its folder included.
      const ending = new AbortController();
      void untilSignal().then(() => ending.abort(new Error('ended before the analysis was done')));
      const folder = demoFolder(args['data-dir']);
      let running: Running | undefined;
      try {
        const free = args.once ? '0' : undefined;
        const past = simulate({ seed, now: started, days });
        const config = readConfig(ownEnvironment(), {
          dataDir: folder.path,
          flowsDir: writeFlows(folder.path, past.companies),
          groupWaitSeconds: 0,
          apiPort: args.port ?? free,
          collectorPort: args['collector-port'] ?? free,
          grpcPort: free,
          enginePort: free,
        });
        note('starting the engines');
        running = await startUp(config, createLogger(config.logLevel === 'info' ? 'warn' : config.logLevel), {
          schedule: false,
        });
        const collector = await collectorOf(running.stores.postgres, running.collectorUrl);
        const outcome = await playPast(running, collector, past, { started, ending: ending.signal });
        if (args.json) process.stdout.write(`${JSON.stringify(outcome)}\n`);
        else process.stdout.write(report(outcome));
        if (args.once) return outcome.missed + outcome.wrong === 0 ? EXIT.ok : EXIT.failed;
        note(
          `the console: ${running.signInLink()}   (works once, for 15 minutes)\nthe landscape goes on; Ctrl+C ends the demo`,
        );
        // What was told complete before is not added to.
        await playOn(running, collector, past, { seed, from: Date.now(), ending: ending.signal });
        return EXIT.ok;
      } finally {
        await running?.stop().finally(endSoon);
        folder.remove();
      }
    }),
});

/**
 * Sends the past through the collector's ports, has it analysed once, and holds what was found against the truth. Throws the
 * reason of `ending` when that comes first.
 */
async function playPast(
  running: Running,
  collector: Collector,
  past: Simulation,
  { started, ending }: { started: number; ending: AbortSignal },
): Promise<Outcome> {
  ending.throwIfAborted();
  const total = past.events.length + countSpans(past.traces) + countLogs(past.logs);
  const bar = createBar('sending {bar} {value}/{total}');
  bar?.start(total, 0);
  const advance = (count: number): void => {
    bar?.increment(count);
    ending.throwIfAborted();
  };
  let events: number;
  let spans: number;
  let logs: number;
  try {
    spans = await sendTraces(collector, past.traces, advance);
    logs = await sendLogs(collector, past.logs, advance);
    events = await sendEvents(collector, past.events, advance);
  } finally {
    bar?.stop();
  }
  note('analysing');
  const now = Date.now();
  events += await sendEvents(
    collector,
    past.companies.flatMap((company) => heartbeats(company, now)),
  );
  await running.runPasses(nanosOf(new Date(now)));
  ending.throwIfAborted();
  const { findings, incidents } = await findingsOf(running.stores.postgres);
  const seconds = Math.round((Date.now() - started) / 100) / 10;
  const { byRule, ...sums } = score(past.truth, findings);
  return { ...sums, byRule, events, spans, logs, incidents, seconds };
}

/** Lets the landscape go on until `ending`. */
async function playOn(
  running: Running,
  collector: Collector,
  past: Simulation,
  { seed, from, ending }: { seed: number; from: number; ending: AbortSignal },
): Promise<void> {
  const patient = { ...collector, signal: ending };
  const trickle = createTrickle({ seed, from, companies: past.companies, past });
  for (let tick = 1; !ending.aborted; tick += 1) {
    const { events, traces, logs } = trickle.take(Date.now());
    try {
      await sendTraces(patient, traces);
      await sendLogs(patient, logs);
      await sendEvents(patient, events);
    } catch (error) {
      if (ending.aborted) return;
      throw error;
    }
    if (tick % TICKS_A_PASS === 0) await running.runPasses(nanosOf(new Date()));
    await sleep(TICK_MS, undefined, { signal: ending }).catch(() => {});
  }
}

/** One line a rule, for people. */
function report({ byRule, ...all }: Outcome): string {
  const row = (name: string, { planted, found, missed, wrong }: Score) =>
    `${name.padEnd(8)}${[planted, found, missed, wrong].map((count) => String(count).padStart(9)).join('')}`;
  return [
    `${'rule'.padEnd(8)}${['planted', 'found', 'missed', 'wrong'].map((word) => word.padStart(9)).join('')}`,
    ...Object.entries(byRule).map(([rule, counts]) => row(rule, counts)),
    row('all', all),
    `${all.events} events, ${all.spans} spans and ${all.logs} log records in, ${all.incidents} incidents, ${all.seconds} s`,
    '',
  ].join('\n');
}

const note = (text: string): void => void process.stderr.write(`${text}\n`);
