/**
 * How fast a backtest judges a log against a plain GROUP BY of the same events in the engine, the least that an answer can
 * cost: `node bench/backtest.ts [cases]`, by default 30,000 cases of three events. Both must count the same.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { flow } from '../model/flow.ts';
import { nanosOf, parseInstant } from '../model/time.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { closeImported, listSources } from '../store/postgres/sources.ts';
import { createMeter, printTable } from './measure.ts';

const CASES = Number(process.argv[2] ?? 30_000);
const TYPES = ['request.submitted', 'request.approved', 'request.paid'];
const logger = { info() {}, warn() {}, error() {}, debug() {} };

const groupBy = defineQuery({
  name: 'bench.group_by',
  sql: `SELECT count() AS cases, countIf(answered > 0 AND answered <= anchor + 604800) AS satisfied FROM (
    SELECT Subject, minIf(toUnixTimestamp(Time), Type = 'request.submitted') AS anchor,
      minIf(toUnixTimestamp(Time), Type = 'request.approved') AS answered
    FROM finance_events WHERE Source = 'log' GROUP BY Subject)`,
  params: z.object({}),
  row: z.object({ cases: z.string(), satisfied: z.string() }),
});

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const engine = await temporaryEngine();
const clickhouse = connectClickHouse(engine);
const postgres = await openPostgres({ dataDir: dir }, { logger });
const meter = createMeter(clickhouse, engine.pid);
try {
  await migrate(clickhouse);
  await clickhouse.command(`INSERT INTO finance_events (Batch, EventId, Source, Type, Version, Time, ReceivedAt, Company,
      Subject, IngestPath, AmountText, Currency, KeyTypes, KeyValues, Attributes, Data)
    SELECT 1, lower(hex(SHA256(toString(number)))), 'log', ['request.submitted', 'request.approved', 'request.paid'][number % 3 + 1], 1,
      toDateTime64('2018-01-01 00:00:00', 9, 'UTC') + intDiv(number, 3) * 60 + (number % 3) * (cityHash64(number) % 900000),
      now64(3), 'acme', concat('case-', toString(intDiv(number, 3))), 'file', '12.5', 'EUR', ['subject'],
      [concat('case-', toString(intDiv(number, 3)))], map('activity', 'Request', 'role', 'clerk'), '{}' FROM numbers(${CASES * 3})`);
  const arrival = { source: 'log', company: 'acme', types: TYPES, events: CASES * 3 };
  await closeImported(postgres.db, [arrival], 'without-limit', new Date());
  const rule = { kind: 'response', when: { types: ['request.submitted'] }, within: '7d' };
  const approved = { id: 'approved', ...rule, expect: { types: ['request.approved'], since: 'ever' } };
  const paid = { id: 'paid', ...rule, within: '5bd', expect: { types: ['request.paid'] } };
  const events = openFinanceEvents(meter.clickhouse);
  const sources = await listSources(postgres);
  const asOf = parseInstant('2030-01-01T00:00:00Z') as bigint;
  const rows: (string | number)[][] = [];
  let truth: { cases: string; satisfied: string } | undefined;
  const least = await meter.cost(async () => {
    [truth] = await clickhouse.query(groupBy, {});
  });
  for (const expectations of [[approved], [approved], [approved, paid]]) {
    const flows = [flow.parse({ flow: 'log', name: 'log', owner: 'bench', expectations })];
    let result: Awaited<ReturnType<typeof backtest>> | undefined;
    const cost = await meter.cost(async () => {
      const question = { flows, companies: [], asOf, source: 'log' };
      result = await backtest(question, { events, sources, now: nanosOf(new Date()) });
    });
    const [first] = result?.rules ?? [];
    if (`${first?.anchors} ${first?.counts.satisfied}` !== `${truth?.cases} ${truth?.satisfied}`)
      throw new Error(`backtest and SQL differ: ${JSON.stringify(first)}, ${JSON.stringify(truth)}`);
    const read = CASES * (expectations.length + 1);
    rows.push([
      `${expectations.length} rule${expectations.length > 1 ? 's' : ''}`,
      read,
      Math.round(cost.wallMs),
      Math.round(cost.mainMs),
      Math.round(cost.engineMs),
      Math.round(read / (cost.mainMs / 1000)),
      Math.round(least.wallMs),
      (cost.wallMs / least.wallMs).toFixed(1),
      Math.round(process.memoryUsage().rss / 2 ** 20),
    ]);
  }
  printTable(
    [
      'backtest',
      'events',
      'wall ms',
      'main cpu ms',
      'engine cpu ms',
      'events/cpu s',
      'GROUP BY ms',
      'ratio',
      'RSS MiB',
    ],
    rows,
  );
} finally {
  await postgres.close();
  await clickhouse.close();
  await engine.remove();
  rmSync(dir, { recursive: true, force: true });
}
