/**
 * Importing an event log and asking it three questions, beside pandas on the same file in the same run: `node bench/log-check.ts
 * [orders]`, by default 50,000 orders of some four events. Asked are orders invoiced within 30 days, later or never, invoices before
 * their goods, and invoices twice; both must count the same. pandas reads into memory, Closewatch stores for good and can be asked
 * again. Needs `python3` with pandas (`PYTHON` names another interpreter).
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { importEventLog } from '../collector/files/import.ts';
import { flow } from '../model/flow.ts';
import { nanosOf, parseInstant } from '../model/time.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { listSources } from '../store/postgres/sources.ts';
import { type Cost, createMeter, printTable } from './measure.ts';

const ORDERS = Number(process.argv[2] ?? 50_000);
const DAY = 86_400_000;
const logger = { info() {}, warn() {}, error() {}, debug() {} };
const times = z.object({ cpuMs: z.number(), wallMs: z.number() });
const pandasResult = z.object({
  answer: z.record(z.string(), z.number()),
  version: z.string(),
  read: times,
  check: times,
});

/** Orders with goods and an invoice; some late, some never, some before their goods, some invoiced twice under one number. */
function logOf(orders: number): { text: string; events: number } {
  const lines = ['case,activity,time,vendor,ref,amount'];
  for (let i = 0; i < orders; i += 1) {
    const start = Date.UTC(2025, 0, 1) + i * 311_000;
    const add = (activity: string, days: number, of = i, ref = ''): void => {
      const time = new Date(start + days * DAY + (i % 977) * 1000).toISOString();
      lines.push(`PO${i},${activity},${time},V${i % 400},${ref},${(of % 90_000) + 10}.${10 + (of % 90)}`);
    };
    add('Create order', 0);
    add('Approve order', 1);
    const invoiced = i % 53 === 0 ? undefined : i % 31 === 0 ? 40 : 12;
    if (i % 47 !== 0) add('Receive goods', invoiced !== undefined && i % 61 === 0 ? invoiced + 2 : 6);
    const of = i % 97 === 0 ? Math.max(0, i - 3) : i;
    if (invoiced !== undefined) add('Record invoice', invoiced, of, `R-${of}`);
  }
  return { text: `${lines.join('\n')}\n`, events: lines.length - 1 };
}

const QUESTIONS = flow.parse({
  flow: 'orders',
  name: 'Orders',
  owner: 'bench',
  expectations: [
    {
      id: 'invoiced',
      kind: 'response',
      when: { types: ['order.created'] },
      expect: { types: ['bill.received'] },
      within: '30d',
    },
    {
      id: 'unreceived',
      kind: 'precedence',
      when: { types: ['bill.received'] },
      require: { types: ['goods.received'] },
    },
    {
      id: 'duplicates',
      kind: 'no-duplicate',
      by: ['extid'],
      when: { types: ['bill.received'] },
      same: ['amount', 'currency'],
    },
  ],
});

const MAP = `source: log
company: acme
currency: EUR
columns:
  case: case
  activity: activity
  time: time
  party: vendor
  amount: amount
  keys:
    - { type: extid, columns: [ref] }
types:
  Create order: order.created
  Approve order: order.approved
  Receive goods: goods.received
  Record invoice: bill.received
`;

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const [file, map] = [join(dir, 'log.csv'), join(dir, 'map.yaml')];
const log = logOf(ORDERS);
writeFileSync(file, log.text);
writeFileSync(map, MAP);
const engine = await temporaryEngine();
const clickhouse = connectClickHouse(engine);
const postgres = await openPostgres({ dataDir: dir }, { logger });
const meter = createMeter(clickhouse, engine.pid);
try {
  await migrate(clickhouse);
  const python = process.env.PYTHON ?? 'python3';
  const pandas = pandasResult.parse(
    JSON.parse(execFileSync(python, [join(import.meta.dirname, 'log-check.py'), file], { encoding: 'utf8' })),
  );
  const events = openFinanceEvents(meter.clickhouse);
  const read = await meter.cost(async () => {
    const result = await importEventLog({ file, map }, { postgres, events, logger });
    if (result.stored !== log.events) throw new Error(JSON.stringify(result));
  });
  const sources = await listSources(postgres);
  const asOf = parseInstant('2030-01-01T00:00:00Z') as bigint;
  let answer: Record<string, number> = {};
  const check = await meter.cost(async () => {
    const question = { flows: [QUESTIONS], companies: [], asOf };
    const { rules } = await backtest(question, { events, sources, now: nanosOf(new Date()) });
    const [invoiced, unreceived, duplicates] = rules.map(({ counts }) => counts);
    const { satisfied = 0, late = 0, open = 0 } = invoiced ?? {};
    answer = { satisfied, late, open, unreceived: unreceived?.open ?? 0, duplicates: duplicates?.open ?? 0 };
  });
  const [ours, theirs] = [JSON.stringify(answer), JSON.stringify(pandas.answer)];
  if (ours !== theirs) throw new Error(`Closewatch and pandas differ: ${ours}, ${theirs}`);
  const cpu = ({ processMs, engineMs }: Cost): number => Math.round(processMs + engineMs);
  const row = (name: string, cost: Cost, beside: z.infer<typeof times>) => [
    name,
    log.events,
    Math.round(cost.wallMs),
    cpu(cost),
    Math.round(beside.wallMs),
    Math.round(beside.cpuMs),
    (cost.wallMs / beside.wallMs).toFixed(1),
    Math.round(log.events / (cost.wallMs / 1000)),
  ];
  printTable(
    ['', 'events', 'wall ms', 'cpu ms', `pandas ${pandas.version} wall`, 'cpu', 'wall ratio', 'events/s'],
    [row('import', read, pandas.read), row('check', check, pandas.check)],
  );
  console.log(`both: ${ours}`);
} finally {
  await postgres.close();
  await clickhouse.close();
  await engine.remove();
  rmSync(dir, { recursive: true, force: true });
}
