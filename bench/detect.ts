import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { backtest } from '../analyzer/backtest/backtest.ts';
import { loadFlows } from '../analyzer/detect/flow-files.ts';
import { createDetector } from '../analyzer/detect/pass.ts';
import type { FinanceEvent } from '../model/event.ts';
import { flow } from '../model/flow.ts';
import { formatInstant, nanosOf, parseInstant } from '../model/time.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { takeBatch } from '../store/postgres/batches.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { closeImported, declareComplete, listSources } from '../store/postgres/sources.ts';

/**
 * What a pass of detection costs as the history grows, and how fast a backtest reads against a plain GROUP BY of the same
 * events. `node bench/detect.ts [bills] [log cases]`, by default 20,000 live bills of 2 events and 100,000 cases of 3.
 */
const [BILLS, CASES] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 100_000)];
const BILLS_A_PASS = 500;
const logger = { info() {}, warn() {}, error() {}, debug() {} };

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const engine = await temporaryEngine();
const clickhouse = connectClickHouse(engine);
await migrate(clickhouse);
const postgres = await openPostgres({ dataDir: dir }, { logger });
const events = openFinanceEvents(clickhouse);

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

/** Bills are received and, but for one in a hundred, posted an hour later: six rules, passes of 1,000 events. */
async function measurePasses(): Promise<void> {
  const flows = await loadFlows(join(import.meta.dirname, '../flows'));
  const { pass } = createDetector({ postgres, events, flows, companies: [], logger });
  const start = parseInstant('2026-05-01T00:00:00Z') as bigint;
  const step = 3_600_000_000_000n;
  const costs: number[] = [];
  let now = start;
  for (let from = 0; from < BILLS; from += BILLS_A_PASS) {
    const some: FinanceEvent[] = [];
    for (let number = from; number < from + BILLS_A_PASS; number += 1) {
      some.push(bill(number, 'bill.received', now));
      if (number % 100 !== 0) some.push(bill(number, 'bill.posted', now + 1_000_000_000n));
    }
    now += step;
    const batch = await postgres.db
      .transaction()
      .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'bench', rows: some.length }));
    await events.insert(
      some.map((one) => ({ ...one, batch: `${batch}` })),
      `bench:${batch}`,
    );
    await postgres.db
      .updateTable('batches')
      .set({ state: 'stored' })
      .where('batch', '=', `${batch}`)
      .execute();
    const declared = { source: 'odoo', company: 'acme', stream: '', completeUpTo: now };
    await declareComplete(postgres.db, [declared], new Date());
    const began = performance.now();
    await pass(now);
    costs.push(performance.now() - began);
  }
  const mean = (some: number[]) => some.reduce((sum, one) => sum + one, 0) / some.length;
  const [first, last] = [mean(costs.slice(1, 6)), mean(costs.slice(-5))];
  const idle = performance.now();
  await pass(now + 1n);
  const idleMs = performance.now() - idle;
  console.log(
    `pass of ${BILLS_A_PASS * 2} events: ${first.toFixed(0)} ms with ${BILLS_A_PASS * 12} events stored, ${last.toFixed(0)} ms with ${BILLS * 2} (ratio ${(last / first).toFixed(2)}); with nothing new ${idleMs.toFixed(0)} ms`,
  );
}

const groupBy = defineQuery({
  name: 'bench.group_by',
  sql: `SELECT count() AS cases, countIf(answered > 0 AND answered <= anchor + 604800) AS satisfied FROM (
    SELECT Subject, minIf(toUnixTimestamp(Time), Type = 'request.submitted') AS anchor,
      minIf(toUnixTimestamp(Time), Type = 'request.approved') AS answered
    FROM finance_events WHERE Source = 'log' GROUP BY Subject)`,
  params: z.object({}),
  row: z.object({ cases: z.string(), satisfied: z.string() }),
});

/** A log of three events a case, made in the engine; one rule by subject. */
async function measureBacktest(): Promise<void> {
  await clickhouse.command(`INSERT INTO finance_events (Batch, EventId, Source, Type, Version, Time, ReceivedAt, Company,
      Subject, IngestPath, AmountText, Currency, KeyTypes, KeyValues, Data)
    SELECT 1, toString(number), 'log', ['request.submitted', 'request.approved', 'request.paid'][number % 3 + 1], 1,
      toDateTime64('2018-01-01 00:00:00', 9, 'UTC') + intDiv(number, 3) * 60 + (number % 3) * (cityHash64(number) % 900000),
      now64(3), 'acme', concat('case-', toString(intDiv(number, 3))), 'file', '12.5', 'EUR', ['subject'],
      [concat('case-', toString(intDiv(number, 3)))], '{}' FROM numbers(${CASES * 3})`);
  const types = ['request.submitted', 'request.approved', 'request.paid'];
  const arrival = { source: 'log', company: 'acme', types, events: CASES * 3 };
  await closeImported(postgres.db, [arrival], undefined, new Date());
  const rule = { kind: 'response', when: { types: ['request.submitted'] }, within: '7d' };
  const expectations = [{ id: 'approved', ...rule, expect: { types: ['request.approved'], since: 'ever' } }];
  const flows = [flow.parse({ flow: 'log', name: 'log', owner: 'bench', expectations })];
  const asOf = parseInstant('2030-01-01T00:00:00Z') as bigint;
  const sources = await listSources(postgres);
  const sqlStart = performance.now();
  const [truth] = await clickhouse.query(groupBy, {});
  const sqlMs = performance.now() - sqlStart;
  const start = performance.now();
  const result = await backtest(
    { flows, companies: [], asOf, source: 'log' },
    { events, sources, now: nanosOf(new Date()) },
  );
  const ms = performance.now() - start;
  const [{ anchors, counts }] = result.rules as [(typeof result.rules)[0]];
  if (`${anchors} ${counts.satisfied}` !== `${truth?.cases} ${truth?.satisfied}`)
    throw new Error(`backtest and SQL differ: ${anchors} ${counts.satisfied}, ${JSON.stringify(truth)}`);
  const rate = (CASES * 2) / (ms / 1000);
  console.log(
    `backtest of ${anchors} cases: ${ms.toFixed(0)} ms, ${rate.toFixed(0)} events/s, ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MiB; GROUP BY of the same: ${sqlMs.toFixed(0)} ms`,
  );
}

try {
  await measurePasses();
  await measureBacktest();
} finally {
  await postgres.close();
  await clickhouse.close();
  await engine.remove();
  rmSync(dir, { recursive: true, force: true });
}
