import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type RetentionConfig, retentionConfig } from '../../model/retention.ts';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { migrate } from './migrate.ts';
import { defineQuery } from './query.ts';
import { applyRetention, dropOldEvents, listRetention } from './retention.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';

let engine: TemporaryEngine;
let clickhouse: ClickHouse;
let said: object[];
const logger = { info: (fields: object) => said.push(fields) } as never;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
});
beforeEach(() => {
  said = [];
});
afterAll(async () => {
  await clickhouse.close();
  await engine.remove();
});

const NOW = new Date();
const DAYS = 86_400_000;
const settings = (given: object): RetentionConfig => retentionConfig.parse(given);
const apply = (given: object, at = NOW) => applyRetention(clickhouse, settings(given), { at, logger });
const number = async (sql: string): Promise<number> => {
  const query = defineQuery({
    name: 'test.number',
    sql: `SELECT (${sql}) AS n`,
    params: z.object({}),
    row: z.object({ n: z.coerce.number() }),
  });
  return (await clickhouse.query(query, {}))[0]?.n ?? Number.NaN;
};
const count = (table: string, where = '1') => number(`SELECT count() FROM ${table} WHERE ${where}`);
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (let i = 0; i < 150; i++) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('it did not become so');
}

/** A span a day for 10 days, with its key and a log record. */
async function telemetry(): Promise<void> {
  for (const sql of [
    `INSERT INTO otel_traces (Timestamp, TraceId, SpanId) SELECT now64(9) - toIntervalDay(number), toString(number), 's' FROM numbers(10)`,
    `INSERT INTO span_keys (Timestamp, JoinKey, TraceId) SELECT now64(9) - toIntervalDay(number), 'k', toString(number) FROM numbers(10)`,
    `INSERT INTO otel_logs (Timestamp, Body) SELECT now64(9) - toIntervalDay(number), 'b' FROM numbers(10)`,
  ])
    await clickhouse.command(sql);
}

describe('telemetry', () => {
  test('what is older than its settings goes, what lay there before included; nothing else does', async () => {
    await telemetry();
    const changes = await apply({ traces: '7d' });
    expect(changes.map(({ table }) => table)).toEqual([
      'otel_traces',
      'otel_traces_trace_id_ts',
      'span_keys',
    ]);
    expect(said).toHaveLength(3);
    await until(async () => (await count('otel_traces')) <= 8);
    await until(async () => (await count('otel_traces_trace_id_ts')) <= 8);
    expect(await count('otel_traces', 'Timestamp > now() - toIntervalDay(6)')).toBe(6);
    // Keys lie by month, and go with the last row of their part.
    expect(await count('span_keys', 'Timestamp > now() - toIntervalDay(6)')).toBe(6);
    expect(await count('otel_logs')).toBe(10);
    expect(await apply({ traces: '7d' })).toEqual([]);
  });

  test('a held table keeps everything, and what is named no more is kept for ever again', async () => {
    const holds = [{ of: ['logs'], reason: 'dispute', until: '2999-01-01' }];
    expect(await apply({ traces: '7d', logs: '4d', holds })).toEqual([]);
    await apply({ traces: '7d', logs: '4d' });
    await until(async () => (await count('otel_logs')) <= 5);
    const held = await apply({ traces: '7d', logs: '4d', holds });
    expect(held).toEqual([{ table: 'otel_logs', keep: undefined }]);
    await clickhouse.command(
      `INSERT INTO otel_logs (Timestamp, Body) SELECT now64(9) - toIntervalDay(50), 'old'`,
    );
    await clickhouse.command('OPTIMIZE TABLE otel_logs FINAL');
    expect(await count('otel_logs', "Body = 'old'")).toBe(1);
    expect((await apply({})).map(({ table }) => table)).toContain('otel_traces');
  });
});

describe('finance events', () => {
  const month = (ago: number): string => `subtractMonths(toStartOfMonth(now()), ${ago}) + toIntervalDay(3)`;
  /** A batch of events received so many months ago, of facts that happened long before, as an import brings them. */
  const received = async (ago: number, batch: number, events: number): Promise<void> => {
    const id = `concat('${batch}-', toString(number))`;
    await clickhouse.command(
      `INSERT INTO finance_events (Batch, EventId, ReceivedAt, Time) SELECT ${batch}, ${id}, ${month(ago)}, '2018-01-01' FROM numbers(${events})`,
    );
    await clickhouse.command(
      `INSERT INTO event_keys (JoinKey, Batch, EventId, Time) SELECT 'k', ${batch}, ${id}, '2018-01-01' FROM numbers(${events})`,
    );
  };

  test('go by whole months of receipt, with their keys, however old the fact; held ones stay', async () => {
    await received(30, 1, 5);
    await received(26, 2, 4);
    // A batch that was filled over midnight: some of it belongs to a month that stays.
    await received(26, 3, 1);
    await received(12, 3, 2);
    await received(0, 4, 3);
    const held = settings({ events: '730d', holds: [{ of: ['events'], reason: 'audit' }] });
    expect(await dropOldEvents(clickhouse, held, NOW)).toEqual([]);
    expect(await dropOldEvents(clickhouse, settings({}), NOW)).toEqual([]);
    const [, over] = (await listRetention(clickhouse, held, NOW))
      .filter(({ of }) => of === 'events')
      .map((t) => t.over);
    expect(over).toBeNull();
    const dropped = await dropOldEvents(clickhouse, settings({ events: '730d' }), NOW);
    expect(dropped.map(({ events }) => events)).toEqual([5, 5]);
    expect(await count('finance_events')).toBe(5);
    expect(await count('event_keys')).toBe(6);
    expect(await count('event_keys', 'Batch IN (1, 2)')).toBe(0);
    expect(await dropOldEvents(clickhouse, settings({ events: '730d' }), NOW)).toEqual([]);
  });
});

test('says what each table holds, how long, and what is over', async () => {
  await clickhouse.command(
    `INSERT INTO otel_metrics_gauge (TimeUnix, MetricName) SELECT now() - toIntervalDay(number * 10), 'm' FROM numbers(4)`,
  );
  const config = settings({
    metrics: '15d',
    holds: [{ of: ['metrics'], reason: 'dispute', until: '2999-01-01' }],
  });
  const list = await listRetention(clickhouse, config, NOW);
  const gauge = list.find(({ table }) => table === 'otel_metrics_gauge');
  expect(gauge).toMatchObject({
    of: 'metrics',
    keptFor: null,
    hold: { reason: 'dispute', until: '2999-01-01' },
    rows: 4,
    over: 2,
  });
  expect(gauge?.bytes).toBeGreaterThan(0);
  expect(Date.parse(gauge?.oldest ?? '')).toBeLessThan(NOW.getTime() - 29 * DAYS);
  expect(list.find(({ table }) => table === 'otel_metrics_sum')).toMatchObject({
    rows: 0,
    oldest: null,
    over: 0,
  });
  const tables = await number(`SELECT count() FROM system.tables WHERE database = currentDatabase()
    AND name NOT IN ('schema_migrations', 'audit_anchors', 'service_versions') AND name NOT LIKE '%_mv'`);
  expect(list).toHaveLength(tables);
});
