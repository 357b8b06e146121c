/**
 * What a full pass of all rules of the default pack over the whole history costs: `node bench/detect-full.ts [size]`, by default
 * 10000000 events. A simulated year of three companies is cloned, inside the engine, as that of other companies, which have the same
 * calendars and sources, up to the size; then all of it is judged, from nothing. Beside it stands the engine's own limit in the
 * same run: counting all events by every join key, once.
 */
import { z } from 'zod';
import { createDetector } from '../analyzer/detect/pass.ts';
import { parseInstant } from '../model/time.ts';
import { simulate } from '../simulator/simulate.ts';
import { storedEvents, streamsOf } from '../simulator/stored.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { printTable, storedEventCount } from './measure.ts';
import { benchStores } from './stores.ts';
import { declareStreams } from './streams.ts';
import { storeTwins, twinOf } from './twins.ts';

const SIZE = Number(process.argv[2] ?? 10_000_000);
const BATCH = 5_000;
const TAG = 'x';
const now = parseInstant('2026-11-20T12:00:00Z') as bigint;

const simulated = simulate({ seed: 5, now: Number(now / 1_000_000n), days: 365, plantedEach: 2 });
const past = storedEvents(simulated.events).sort((a, b) => (a.time < b.time ? -1 : 1));
const copies = Math.max(0, Math.round(SIZE / past.length) - 1);
const batches = Math.ceil(past.length / BATCH);
const companies = simulated.companies.flatMap((company) => [
  company,
  ...Array.from({ length: copies }, (_, k) => ({ ...company, key: twinOf(company.key, { tag: TAG, k }) })),
]);

const { plain, postgres, meter, events, flows, logger, remove } = await benchStores();

async function store(): Promise<void> {
  for (let batch = 1; batch <= batches; batch += 1) {
    const some = past.slice((batch - 1) * BATCH, batch * BATCH);
    await events.insert(
      some.map((one) => ({ ...one, batch: `${batch}` })),
      `bench:${batch}`,
    );
  }
  await storeTwins(plain, {
    copies,
    upTo: batches,
    batch: `toUInt64(Batch + (k + 1) * ${batches})`,
    tag: TAG,
  });
  const rows = Array.from({ length: batches * (copies + 1) }, (_, i) => {
    const rest = past.length - (i % batches) * BATCH;
    return { kind: 'inbox', source: 'bench', rows: Math.min(BATCH, rest), state: 'stored' } as const;
  });
  for (let at = 0; at < rows.length; at += 1_000)
    await postgres.db
      .insertInto('batches')
      .values(rows.slice(at, at + 1_000))
      .execute();
  const streams = streamsOf(
    past,
    simulated.companies.map(({ key }) => key),
    now,
  );
  await declareStreams(
    postgres.db,
    streams.flatMap((stream) => [
      stream,
      ...Array.from({ length: copies }, (_, k) => ({
        ...stream,
        company: twinOf(stream.company, { tag: TAG, k }),
      })),
    ]),
    now,
  );
}

const everyKey = defineQuery({
  name: 'bench.every_key',
  sql: 'SELECT toUInt32(count()) AS keys FROM (SELECT count() FROM event_keys GROUP BY JoinKey)',
  params: z.object({}),
  row: z.object({ keys: z.number() }),
});

try {
  await store();
  const stored = await storedEventCount(plain);
  const limit = await meter.cost(() => plain.query(everyKey, {}));
  await createDetector({ postgres, events, flows: [], companies, logger }).pass(now);
  const { pass } = createDetector({ postgres, events, flows, companies, logger });
  let result: Awaited<ReturnType<typeof pass>> | undefined;
  const cost = await meter.cost(async () => {
    result = await pass(now, { catchUp: true });
  });
  const row = (what: string, one: typeof cost) => [
    what,
    stored,
    Math.round(one.wallMs),
    Math.round(one.mainMs),
    Math.round(one.processMs - one.mainMs),
    Math.round(one.engineMs),
    one.queries,
    one.statements,
    (one.wallMs / limit.wallMs).toFixed(1),
  ];
  printTable(
    ['', 'events', 'wall ms', 'main', 'postgres+other', 'engine', 'CH queries', 'PG statements', 'ratio'],
    [row('every key once', limit), row('all rules', cost)],
  );
  const screened = result?.rules.reduce((sum, one) => sum + (one.screened ?? 0), 0);
  console.log(
    `judged ${result?.judged}, found in order by screens ${screened}, opened ${result?.opened}, states ${JSON.stringify(result?.states)}`,
  );
} finally {
  await remove();
}
