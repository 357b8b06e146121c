/**
 * What a pass of detection costs as the stored history grows: `node bench/detect.ts [sizes] [bills a pass]`, by default 30000,1000000,10000000
 * events and 5,000 bills. Each size is made by cloning judged bills inside the engine (other subjects, ids and keys, the same
 * shapes), past the detector, which keeps what it remembers; then three passes of twice as many new events as bills are measured
 * beside the least that the stores ask for the same events: one read of the events and one insert of their obligations' rows. All
 * figures are of the same run; the ratios count.
 */
import { createDetector } from '../analyzer/detect/pass.ts';
import type { FinanceEvent } from '../model/event.ts';
import { formatInstant, parseInstant } from '../model/time.ts';
import { takeBatch } from '../store/postgres/batches.ts';
import { declareComplete } from '../store/postgres/sources.ts';
import { type Cost, printTable, storedEventCount } from './measure.ts';
import { benchStores } from './stores.ts';

const SIZES = (process.argv[2] ?? '30000,1000000,10000000').split(',').map(Number);
const BILLS_A_PASS = Number(process.argv[3] ?? 5_000);
const PASSES = 3;
const HOUR = 3_600_000_000_000n;

const { plain, postgres, meter, events, flows, logger, remove } = await benchStores();
const { pass, idle } = createDetector({ postgres, events, flows, companies: [], logger });

function bill(number: number, type: string, at: bigint): FinanceEvent {
  const subject = `${type}/${number}`;
  return {
    id: `${type}-${number}`,
    source: type === 'bill.received' ? 'ocr' : 'odoo',
    type,
    version: 1,
    time: formatInstant(at),
    receivedAt: formatInstant(at),
    batch: '0',
    sequence: '0',
    company: 'acme',
    subject,
    ingestPath: 'push',
    amount: `${number % 9000}.50`,
    currency: 'EUR',
    keys: [
      { type: 'subject', value: subject },
      { type: 'supref', value: `V${number % 97}:${number}` },
    ],
    attributes: {},
    data: '{}',
  };
}

let now = parseInstant('2026-05-01T00:00:00Z') as bigint;
let bills = 0;

/** So many bills are received and those of the pass before posted, but for one in a hundred: what one pass asks for the next one answers. */
async function newBills(): Promise<void> {
  const some: FinanceEvent[] = [];
  for (const end = bills + BILLS_A_PASS; bills < end; bills += 1) {
    some.push(bill(bills, 'bill.received', now));
    const before = bills - BILLS_A_PASS;
    if (before >= 0 && before % 100 !== 0) some.push(bill(before, 'bill.posted', now));
  }
  now += HOUR;
  const batch = await postgres.db
    .transaction()
    .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'bench', rows: some.length }));
  const stored = some.map((one) => ({ ...one, batch: `${batch}` }));
  await events.insert(stored, `bench:${batch}`);
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
  await declareComplete(
    postgres.db,
    [{ source: 'odoo', company: 'acme', stream: '', completeUpTo: now }],
    new Date(),
  );
}

/** Clones what is stored up to `size` events, as if as many more bills had been received, posted and judged before. */
async function grow(from: number, size: number): Promise<void> {
  const copies = Math.max(0, Math.round((size - from) / seeded));
  if (copies <= 0) return;
  const tag = `~${size}~`;
  const twin = (text: string) => `concat(${text}, '${tag}', toString(k))`;
  // Its batches are told apart before the clones' is put in their place.
  const seedOf = (table: string) =>
    `(SELECT * FROM ${table} WHERE Batch > 0 AND Batch <= ${SEED_BATCHES}) AS seed`;
  await plain.command(`INSERT INTO finance_events SELECT * EXCEPT (k) REPLACE (${twin('EventId')} AS EventId,
      ${twin('Subject')} AS Subject, arrayMap(v -> ${twin('v')}, KeyValues) AS KeyValues,
      arrayMap(v -> ${twin('v')}, JoinKeys) AS JoinKeys, 0 AS Batch)
    FROM ${seedOf('finance_events')} CROSS JOIN (SELECT number AS k FROM numbers(${copies})) AS n SETTINGS max_block_size = 100000`);
  await plain.command(`INSERT INTO event_keys SELECT * EXCEPT (k) REPLACE (${twin('JoinKey')} AS JoinKey,
      ${twin('EventId')} AS EventId, ${twin('Subject')} AS Subject, 0 AS Batch)
    FROM ${seedOf('event_keys')} CROSS JOIN (SELECT number AS k FROM numbers(${copies})) AS n SETTINGS max_block_size = 100000`);
  await plain.command('OPTIMIZE TABLE finance_events');
  await plain.command('OPTIMIZE TABLE event_keys');
}

const SEED_BATCHES = 2;
/** So many events are cloned. */
let seeded = 0;
const mean = (costs: readonly Cost[], of: (cost: Cost) => number): number =>
  Math.round(costs.reduce((sum, cost) => sum + of(cost), 0) / costs.length);

try {
  for (let i = 0; i < SEED_BATCHES; i += 1) {
    await newBills();
    await pass(now);
  }
  seeded = await storedEventCount(plain);
  const rows: (string | number)[][] = [];
  let first: number | undefined;
  for (const size of SIZES) {
    await grow(await storedEventCount(plain), size);
    await newBills();
    await pass(now);
    await idle();
    const costs: Cost[] = [];
    for (let i = 0; i < PASSES; i += 1) {
      await newBills();
      costs.push(await meter.cost(() => pass(now)));
    }
    const still = await meter.cost(() => pass(now + 1n));
    const cpu = mean(costs, ({ processMs, engineMs }) => processMs + engineMs);
    first ??= cpu;
    rows.push([
      await storedEventCount(plain),
      mean(costs, ({ wallMs }) => wallMs),
      cpu,
      mean(costs, ({ mainMs }) => mainMs),
      mean(costs, ({ processMs, mainMs }) => processMs - mainMs),
      mean(costs, ({ engineMs }) => engineMs),
      mean(costs, ({ queries }) => queries),
      mean(costs, ({ statements }) => statements),
      mean(costs, ({ paramBytes }) => paramBytes / 1024),
      Math.round(still.wallMs),
      (cpu / first).toFixed(2),
    ]);
  }
  printTable(
    [
      'events stored',
      'wall ms',
      'cpu ms',
      'main',
      'postgres+other',
      'engine',
      'CH queries',
      'PG statements',
      'param KiB',
      'idle pass ms',
      'cpu ratio',
    ],
    rows,
  );
} finally {
  await remove();
}
