/**
 * What passes of detection cost under all rules of the default pack as the history of a landscape grows:
 * `node bench/detect-landscape.ts [days] [sizes]`, by default a simulated year of three companies and 1000000,10000000. Its events come
 * 10,000 at a time, which is about a month at once, then 100 at a time; then all of it is judged again. Before the last of the 10,000s
 * the history is cloned, as that of other companies, up to each of the sizes. A pass is measured beside one plain reading of
 * the same new events from the engine. All figures are of the same run; the ratios count.
 */
import { createDetector, type PassOptions } from '../analyzer/detect/pass.ts';
import type { FinanceEvent } from '../model/event.ts';
import { parseInstant } from '../model/time.ts';
import { simulate } from '../simulator/simulate.ts';
import { storedEvents, streamsOf } from '../simulator/stored.ts';
import { takeBatch } from '../store/postgres/batches.ts';
import { type Cost, printTable, storedEventCount } from './measure.ts';
import { benchStores } from './stores.ts';
import { declareStreams } from './streams.ts';
import { storeTwins } from './twins.ts';

const DAYS = Number(process.argv[2] ?? 365);
const SIZES = (process.argv[3] ?? '1000000,10000000').split(',').filter(Boolean).map(Number);
const MANY = 10_000;
/** Passes of many events at each size. */
const PASSES_A_SIZE = 2;
const FEW = 100;
const PASSES_OF_FEW = 20;

const { companies, events: sent } = simulate({
  seed: 5,
  now: Date.parse('2026-11-20T12:00:00Z'),
  days: DAYS,
  plantedEach: 2,
});
const past = storedEvents(sent).sort((a, b) => (a.time < b.time ? -1 : 1));
const streams = streamsOf(
  past,
  companies.map(({ key }) => key),
  0n,
);

const { plain, postgres, meter, events, flows, logger, remove } = await benchStores();
let { pass, idle } = createDetector({ postgres, events, flows, companies, logger });

const nowOf = (some: readonly FinanceEvent[]): bigint => parseInstant(some.at(-1)?.time ?? '') ?? 0n;

/** Stores the events as one batch; every source has then sent everything up to the last of them. */
async function arrive(some: readonly FinanceEvent[]): Promise<bigint> {
  const taken = { kind: 'inbox', source: 'bench', rows: some.length } as const;
  const batch = await postgres.db.transaction().execute((trx) => takeBatch(trx, taken));
  await events.insert(
    some.map((one) => ({ ...one, batch: `${batch}` })),
    `bench:${batch}`,
  );
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
  await declareStreams(postgres.db, streams, nowOf(some));
  return batch;
}

async function judged(some: readonly FinanceEvent[], options?: PassOptions) {
  let found = 0;
  const cost = await meter.cost(async () => {
    found = (await pass(nowOf(some), options)).judged;
  });
  return { cost, found };
}

async function plainReading(batch: bigint): Promise<number> {
  const started = performance.now();
  for await (const _ of events.factsInBatches(batch - 1n, batch, []));
  return performance.now() - started;
}

const mean = (costs: readonly Cost[], of: (cost: Cost) => number): number =>
  Math.round(costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length);

function rowOf(what: string, stored: number, found: number, costs: readonly Cost[], readingMs?: number) {
  const wall = mean(costs, ({ wallMs }) => wallMs);
  return [
    what,
    stored,
    found,
    wall,
    mean(costs, ({ mainMs }) => mainMs),
    mean(costs, ({ processMs, mainMs }) => processMs - mainMs),
    mean(costs, ({ engineMs }) => engineMs),
    mean(costs, ({ queries }) => queries),
    mean(costs, ({ statements }) => statements),
    readingMs === undefined ? '' : Math.round(readingMs),
    readingMs === undefined ? '' : (wall / readingMs).toFixed(1),
  ];
}

/** Clones what is stored, as the history of other companies, up to `size` events. */
async function grow(from: number, size: number): Promise<void> {
  const copies = Math.round((size - from) / cloned);
  if (copies <= 0) return;
  await storeTwins(plain, { copies, upTo: clonedBatches, batch: 'toUInt64(0)', tag: `x${size}x` });
}

/** Events of the first batches, of which clones are made. */
let [cloned, clonedBatches] = [0, 0];

try {
  const rows: (string | number)[][] = [];
  const last = past.length - PASSES_OF_FEW * FEW;
  const growing = Math.max(MANY, last - SIZES.length * PASSES_A_SIZE * MANY);
  let passes = 0;
  for (let at = 0; at < last; at += MANY) {
    const size = at < growing || passes % PASSES_A_SIZE !== 0 ? undefined : SIZES[passes / PASSES_A_SIZE];
    if (size !== undefined) {
      await grow(await storedEventCount(plain), size);
      // What is cloned came past the detector: one that begins now finds it as a process does that is started on such a history.
      ({ pass, idle } = createDetector({ postgres, events, flows, companies, logger }));
    }
    if (at >= growing) passes += 1;
    else [cloned, clonedBatches] = [at + MANY, clonedBatches + 1];
    const some = past.slice(at, Math.min(at + MANY, last));
    const batch = await arrive(some);
    const { cost, found } = await judged(some);
    // As in a running system a pass follows that has nothing to do, and whatever is done between passes.
    await judged(some);
    await idle();
    const stored = await storedEventCount(plain);
    rows.push(rowOf(`${some.length}`, stored, found, [cost], await plainReading(batch)));
  }
  const costs: Cost[] = [];
  let [found, reading] = [0, 0];
  for (let at = last; at < past.length; at += FEW) {
    const some = past.slice(at, at + FEW);
    const batch = await arrive(some);
    const one = await judged(some);
    costs.push(one.cost);
    found += one.found;
    reading += await plainReading(batch);
  }
  const stored = await storedEventCount(plain);
  const few = `${FEW}, mean of ${costs.length}`;
  rows.push(rowOf(few, stored, Math.round(found / costs.length), costs, reading / costs.length));
  const again = await judged(past, { rebuild: true });
  rows.push(rowOf('all again', stored, again.found, [again.cost]));
  printTable(
    [
      'new events',
      'stored',
      'judged',
      'wall ms',
      'main',
      'postgres+other',
      'engine',
      'CH queries',
      'PG statements',
      'plain reading ms',
      'ratio',
    ],
    rows,
  );
} finally {
  await remove();
}
