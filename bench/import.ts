/**
 * How fast an event log is imported, the first time and again, beside the engine's own limit in the same run: the same
 * events inserted as ready Native blocks. `node bench/import.ts [rows]`, by default 36,000 rows of CSV.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importEventLog } from '../collector/files/import.ts';
import type { FinanceEvent } from '../model/event.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { eventBlock, keyBlocks } from '../store/clickhouse/finance-event-blocks.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { type Cost, createMeter, printTable } from './measure.ts';

const ROWS = Number(process.argv[2] ?? 36_000);
const BLOCK = 20_000;
const logger = { info() {}, warn() {}, error() {}, debug() {} };
const STEPS = [
  'SUBMITTED',
  'APPROVED by ADMINISTRATION',
  'FINAL_APPROVED by SUPERVISOR',
  'Request Payment',
  'Payment Handled',
];

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const file = join(dir, 'log.csv');
const map = join(dir, 'map.yaml');
const lines = Array.from({ length: ROWS }, (_, i) => {
  const time = new Date(1_500_000_000_000 + i * 61_000).toISOString().replace('Z', '+02:00');
  return `request ${Math.floor(i / 5)},${STEPS[i % 5]},${time},STAFF ${i % 40},EMPLOYEE,${(i * 37) % 90000}.${(i % 90) + 10},PRJ ${i % 300},step ${i}`;
});
writeFileSync(file, `case,activity,time,actor,role,amount,project,id\n${lines.join('\n')}\n`);
writeFileSync(
  map,
  `source: log
company: acme
currency: EUR
columns:
  case: case
  activity: activity
  time: time
  actor: actor
  role: role
  amount: amount
  attributes: [project]
types:
${STEPS.map((step, i) => `  ${step}: request.step${i}`).join('\n')}
`,
);

const engine = await temporaryEngine();
const clickhouse = connectClickHouse(engine);
const postgres = await openPostgres({ dataDir: dir }, { logger });
const meter = createMeter(clickhouse, engine.pid);
try {
  await migrate(clickhouse);
  const events = openFinanceEvents(meter.clickhouse);
  const load = (stored: number) => async () => {
    const result = await importEventLog({ file, map }, { postgres, events, logger });
    if (result.stored !== stored || result.stored + result.known !== ROWS)
      throw new Error(JSON.stringify(result));
  };
  const first = await meter.cost(load(ROWS));
  const again = await meter.cost(load(0));
  const all: FinanceEvent[] = [];
  for await (const event of events.inBatches(0n, 1n << 62n)) all.push(event);
  const copies = all.map((event) => ({ ...event, source: 'copy' }));
  const blocks: { table: string; columns: readonly string[]; bytes: Uint8Array }[] = [];
  for (let at = 0; at < copies.length; at += BLOCK) {
    const some = copies.slice(at, at + BLOCK);
    blocks.push({ table: 'finance_events', ...eventBlock(some) });
    for (const block of keyBlocks(some, 50_000)) blocks.push({ table: 'event_keys', ...block });
  }
  const limit = await meter.cost(async () => {
    for (const [i, { table, columns, bytes }] of blocks.entries())
      await meter.clickhouse.insertNative(table, columns, bytes, { token: `copy:${i}` });
  });
  const row = (name: string, cost: Cost) => [
    name,
    Math.round(cost.wallMs),
    Math.round(cost.mainMs),
    Math.round(cost.engineMs),
    cost.queries,
    cost.statements,
    Math.round(ROWS / (cost.mainMs / 1000)),
    ((cost.processMs + cost.engineMs) / (limit.processMs + limit.engineMs)).toFixed(1),
  ];
  printTable(
    [
      `${ROWS} rows`,
      'wall ms',
      'main cpu ms',
      'engine cpu ms',
      'CH queries',
      'PG statements',
      'rows/cpu s',
      'cpu ratio',
    ],
    [row('first import', first), row('the same again', again), row('ready Native blocks', limit)],
  );
} finally {
  await postgres.close();
  await clickhouse.close();
  await engine.remove();
  rmSync(dir, { recursive: true, force: true });
}
