/**
 * What durable ingest of traces costs, the whole way: gzip protobuf over HTTP from another process into the whole of Closewatch
 * with its embedded engines, beside what the engine alone takes of the same rows, and beside the same way with usual means
 * (ingest-plain.ts). The sides take turns, so that the machine's load hits all. Then what a finance event waits for its 202 alone and
 * under that load, and what the inbox takes (events.ts), on a PostgreSQL server too when one is named.
 *
 *     node bench/ingest.ts [--json] [--seconds 6] [--rounds 3] [--spans 20000000] [--minutes 0] [--postgres postgres://…]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { readConfig } from '../cli/config.ts';
import { createLogger } from '../cli/logger.ts';
import { type Running, startUp } from '../cli/start-up.ts';
import type { Sink } from '../collector/otlp/decoder.ts';
import { TraceDecoder } from '../collector/otlp/traces.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { SpanBlock } from '../store/clickhouse/span-block.ts';
import { SpanKeyBlock } from '../store/clickhouse/span-key-block.ts';
import { openTelemetry } from '../store/clickhouse/telemetry.ts';
import { encodeRequest } from '../test/otlp-proto.ts';
import { benchEvents, type EventsBench } from './events.ts';
import type { Loaded, Order } from './ingest-load.ts';
import { servePlain } from './ingest-plain.ts';
import { processorMs } from './measure.ts';
import { makeRequest, SPANS } from './spans.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '6' },
    rounds: { type: 'string', default: '3' },
    spans: { type: 'string', default: '20000000' },
    minutes: { type: 'string', default: '0' },
    postgres: { type: 'string' },
  },
});
const forMs = Number(values.seconds) * 1000;
const ROUNDS = Number(values.rounds);
const CONNECTIONS = 64;
const ROWS_A_BLOCK = 10_000;
const TOKEN = 'cw_bench-token-of-the-benchmark';

const say = (text: string): void => void (values.json ? process.stderr : process.stdout).write(`${text}\n`);
const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
const quantile = (list: readonly number[], q: number): number =>
  list.toSorted((a, b) => a - b)[Math.min(list.length - 1, Math.floor(list.length * q))] ?? 0;
const round = (value: number, digits = 0): number => Number(value.toFixed(digits));

/** Processor time in microseconds and resident memory in MiB of this process and of the engine's. */
function used(enginePid: number | undefined) {
  const { user, system } = process.cpuUsage();
  const status = readFileSync(`/proc/${enginePid}/status`, 'utf8');
  const engineMib = Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  return {
    own: user + system,
    engine: processorMs(enginePid) * 1000,
    rssMib: process.memoryUsage.rss() / 2 ** 20 + engineMib,
  };
}

interface Turn {
  readonly spansPerSecond: number;
  readonly mbPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor microseconds a span: of this process, and of the engine's. */
  readonly ownMicros: number;
  readonly engineMicros: number;
  readonly loopDelayP99Ms: number;
  readonly rssMib: number;
}

class Bench {
  readonly running: Running;
  readonly #loaders: Record<Order['of'], ChildProcess>;

  constructor(running: Running, loaders: Record<Order['of'], ChildProcess>) {
    this.running = running;
    this.#loaders = loaders;
  }

  async load(order: Omit<Order, 'token' | 'connections' | 'of'> & Partial<Order>): Promise<Loaded> {
    const { of = 'spans' } = order;
    this.#loaders[of].send({ token: TOKEN, connections: CONNECTIONS, of, ...order } satisfies Order);
    const [loaded] = (await once(this.#loaders[of], 'message')) as [Loaded];
    for (const [status, count] of Object.entries(loaded.failed))
      say(`  ${count} requests were answered ${status}`);
    return loaded;
  }

  /** Closewatch under load. */
  async turn(order: { forMs: number; rate?: number }): Promise<Turn> {
    const pid = this.running.stores.engine?.pid;
    const delay = monitorEventLoopDelay({ resolution: 5 });
    const before = used(pid);
    delay.enable();
    const loaded = await this.load({ port: this.running.collector.http.port, ...order });
    delay.disable();
    const after = used(pid);
    const spans = loaded.requests * SPANS;
    return {
      spansPerSecond: (spans * 1000) / loaded.ms,
      mbPerSecond: loaded.bytes / loaded.ms / 1000,
      p50Ms: quantile(loaded.latencies, 0.5),
      p99Ms: quantile(loaded.latencies, 0.99),
      ownMicros: (after.own - before.own) / spans,
      engineMicros: (after.engine - before.engine) / spans,
      loopDelayP99Ms: delay.percentile(99) / 1e6,
      rssMib: after.rssMib,
    };
  }

  /** Spans a second that the engine takes as ready blocks, from `writers` at a time. */
  async engineAlone(blocks: Blocks, writers: number): Promise<number> {
    const telemetry = openTelemetry(this.running.stores.clickhouse);
    const start = performance.now();
    let spans = 0;
    const write = async () => {
      while (performance.now() - start < forMs) {
        await Promise.all(
          Object.entries(blocks).map(([table, block]) =>
            telemetry.insert(table as keyof Blocks, block, `bench:${crypto.randomUUID()}`),
          ),
        );
        spans += ROWS_A_BLOCK;
      }
    };
    await Promise.all(Array.from({ length: writers }, write));
    return (spans * 1000) / (performance.now() - start);
  }

  async number(sql: string): Promise<number> {
    const asked = defineQuery({
      name: 'bench.number',
      sql: `SELECT toFloat64(${sql}) AS value`,
      params: z.object({}),
      row: z.object({ value: z.coerce.number() }),
    });
    const [row] = await this.running.stores.clickhouse.query(asked, {});
    return row?.value ?? 0;
  }

  /** Waits until the engine has merged what it was given, at most two minutes. */
  async settle(): Promise<void> {
    for (let i = 0; i < 240; i++) {
      if ((await this.number('(SELECT count() FROM system.merges)')) === 0) return;
      await sleep(500);
    }
  }

  /** Copies stored spans, under other ids, until there are `target`. */
  async fill(target: number): Promise<void> {
    const { clickhouse } = this.running.stores;
    const columns = [...new SpanBlock().columns.keys()].map((name) => `\`${name}\``);
    const fresh = columns.map((name) =>
      name === '`TraceId`'
        ? 'lower(hex(MD5(toString(rand64()))))'
        : name === '`SpanId`'
          ? 'lower(hex(rand64(1)))'
          : name,
    );
    for (
      let left = target - (await this.number('(SELECT count() FROM otel_traces)'));
      left > 0;
      left -= 250_000
    )
      await clickhouse.command(
        `INSERT INTO otel_traces (${columns}) SELECT ${fresh} FROM otel_traces LIMIT ${Math.min(left, 250_000)}`,
      );
  }
}

/** What the engine is given alone: the rows of 10,000 spans, and of their correlation keys. */
interface Blocks {
  readonly otel_traces: Buffer;
  readonly span_keys: Buffer;
}

function blocksOfSpans(): Blocks {
  const blocks = { otel_traces: new SpanBlock(), span_keys: new SpanKeyBlock() };
  const sink: Sink = { blockOf: ((table: keyof Blocks) => blocks[table]) as Sink['blockOf'] };
  const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 2 ** 30 };
  const decoder = new TraceDecoder();
  for (let i = 0; i * SPANS < ROWS_A_BLOCK; i++)
    decoder.decode(encodeRequest(makeRequest(i + 1)), sink, limits);
  return { otel_traces: blocks.otel_traces.encode(), span_keys: blocks.span_keys.encode() };
}

async function measureSides(bench: Bench) {
  const blocks = blocksOfSpans();
  const plain = await servePlain({ ...engineOf(bench.running), database: 'closewatch' });
  const ours: Turn[] = [];
  const [oneWriter, twoWriters, usual]: [number[], number[], number[]] = [[], [], []];
  for (let i = 0; i < ROUNDS; i++) {
    ours.push(await bench.turn({ forMs }));
    oneWriter.push(await bench.engineAlone(blocks, 1));
    twoWriters.push(await bench.engineAlone(blocks, 2));
    const loaded = await bench.load({ port: plain.port, forMs });
    usual.push((loaded.requests * SPANS * 1000) / loaded.ms);
    say(
      `  round ${i + 1}: ours ${k(ours[i]?.spansPerSecond)}, engine alone ${k(oneWriter[i])} (two writers ${k(twoWriters[i])}), usual means ${k(usual[i])} spans/s`,
    );
  }
  await plain.close();
  return { ours, engineAlone: Math.max(median(oneWriter), median(twoWriters)), plain: median(usual) };
}

const k = (value: number | undefined): string => `${((value ?? 0) / 1000).toFixed(1)} k`;
const engineOf = ({ stores: { engine } }: Running) => {
  if (!engine) throw new Error('the benchmark needs the embedded engine');
  return { url: engine.url, username: engine.username, password: engine.password };
};

/** Processor time a span as the table has grown to each of the sizes. */
async function measureCosts(bench: Bench, sizes: readonly number[]) {
  const costs: { spans: number; microsPerSpan: number }[] = [];
  for (const size of sizes) {
    await bench.fill(size);
    await bench.settle();
    const stored = await bench.number('(SELECT count() FROM otel_traces)');
    const turns: Turn[] = [];
    for (let i = 0; i < 2; i++) turns.push(await bench.turn({ forMs }));
    const micros = turns.map(({ ownMicros, engineMicros }) => ownMicros + engineMicros);
    costs.push({ spans: stored, microsPerSpan: round(Math.min(...micros), 1) });
    say(
      `  ${(stored / 1e6).toFixed(1)} M spans stored: ${costs.at(-1)?.microsPerSpan} µs of processor a span`,
    );
  }
  return costs;
}

/** What single finance events, 50 a second, wait for their 202: alone, and beside spans as fast as they go. */
async function measureIsolation(bench: Bench) {
  const { port } = bench.running.collector.http;
  const events = () => bench.load({ port, of: 'events', rate: 50, forMs });
  const alone = await events();
  const [, beside] = await Promise.all([bench.load({ port, forMs: forMs + 1000 }), events()]);
  const of = ({ latencies }: Loaded) => ({
    p50Ms: round(quantile(latencies, 0.5), 1),
    p99Ms: round(quantile(latencies, 0.99), 1),
  });
  return { alone: of(alone), besideSpans: of(beside) };
}

/** Resident memory minute by minute under load. */
async function measureMemory(bench: Bench, minutes: number): Promise<number[]> {
  const sizes: number[] = [];
  for (let i = 0; i < minutes; i++) {
    const { rssMib, spansPerSecond } = await bench.turn({ forMs: 60_000 });
    sizes.push(round(rssMib));
    say(`  minute ${i + 1}: ${round(rssMib)} MiB, ${k(spansPerSecond)} spans/s`);
  }
  return sizes;
}

const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const config = readConfig(
  { CLOSEWATCH_INGEST_TOKEN: TOKEN },
  { dataDir, collectorPort: 0, grpcPort: 0, apiPort: 0, enginePort: 0 },
);
const running = await startUp(config, createLogger('warn'), { schedule: false });
const loader = async (): Promise<ChildProcess> => {
  const child = fork(join(import.meta.dirname, 'ingest-load.ts'), { serialization: 'advanced' });
  await once(child, 'message');
  return child;
};
const loaders = { spans: await loader(), events: await loader() };
const bench = new Bench(running, loaders);
let stopping: Promise<void> | undefined;
const stop = (): Promise<void> => {
  stopping ??= (async () => {
    for (const child of Object.values(loaders)) child.disconnect();
    await running.stop();
    rmSync(dataDir, { recursive: true, force: true });
  })();
  return stopping;
};
const rateOf = ({ backend, eventsPerSecond, p99Ms, single }: EventsBench) => ({
  postgres: backend,
  eventsPerSecond,
  p99Ms,
  singlePerSecond: single.eventsPerSecond,
});
try {
  say('each of 150,000 distinct spans once');
  await bench.load({ port: running.collector.http.port });
  await running.stores.clickhouse.command('OPTIMIZE TABLE otel_traces FINAL');
  const bytesPerSpan = await bench.number(
    `(SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'closewatch'
       AND (table LIKE 'otel_traces%' OR table = 'span_keys')) / (SELECT count() FROM otel_traces)`,
  );
  await bench.turn({ forMs: 2_000 });
  say('as the table grows');
  const most = Number(values.spans);
  const costs = await measureCosts(bench, [Math.min(1_000_000, most)]);
  say(`as fast as it goes, ${CONNECTIONS} connections, ${values.seconds} s a turn`);
  const { ours, engineAlone, plain } = await measureSides(bench);
  const spansPerSecond = median(ours.map((turn) => turn.spansPerSecond));
  say('at half the rate');
  const half = await bench.turn({ forMs: forMs * 2, rate: spansPerSecond / SPANS / 2 });
  say('finance events beside it');
  const eventAck = await measureIsolation(bench);
  if (most > 1_000_000) {
    say('as the table grows further');
    costs.push(...(await measureCosts(bench, [most / 2, most])));
  }
  const memory = Number(values.minutes) > 0 ? await measureMemory(bench, Number(values.minutes)) : [];
  await stop();
  say('finance events into the inbox, 64 senders');
  const taken = [await benchEvents(Number(values.seconds))];
  if (values.postgres)
    taken.push(await benchEvents(Number(values.seconds), { databaseUrl: values.postgres }));
  const result = {
    spansPerSecond: round(spansPerSecond),
    engineSpansPerSecond: round(engineAlone),
    plainSpansPerSecond: round(plain),
    ratioToEngine: round(spansPerSecond / engineAlone, 2),
    ratioToPlain: round(spansPerSecond / plain, 2),
    mbPerSecond: round(median(ours.map((turn) => turn.mbPerSecond)), 1),
    cpuMicrosPerSpan: {
      closewatch: round(median(ours.map((turn) => turn.ownMicros)), 1),
      engine: round(median(ours.map((turn) => turn.engineMicros)), 1),
    },
    ackP50Ms: round(half.p50Ms),
    ackP99Ms: round(half.p99Ms),
    ackP99MsAtPeak: round(median(ours.map((turn) => turn.p99Ms))),
    loopDelayP99Ms: round(Math.max(...ours.map((turn) => turn.loopDelayP99Ms)), 1),
    bytesPerSpan: round(bytesPerSpan, 1),
    costSlope: round((costs.at(-1)?.microsPerSpan ?? 0) / (costs[0]?.microsPerSpan ?? 1), 2),
    costs,
    rssMib: round(ours.at(-1)?.rssMib ?? 0),
    eventAck,
    financeEvents: taken.map(rateOf),
    ...(memory.length > 0 ? { rssMibByMinute: memory } : {}),
  };
  process.stdout.write(`${JSON.stringify(result, null, values.json ? undefined : 2)}\n`);
} finally {
  await stop();
}
process.exit();
