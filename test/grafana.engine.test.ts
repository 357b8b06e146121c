import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type PanelQuery, QUERIES } from '../dashboards/grafana/queries.ts';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { type TemporaryEngine, temporaryEngine } from '../store/clickhouse/testing/temporary.ts';

let engine: TemporaryEngine;
let clickhouse: ClickHouse;

const change = (seq: number, at: string, entity: string, id: string, state: string, over: object = {}) => ({
  Seq: `${seq}`,
  At: `2026-05-01 ${at}`,
  Entity: entity,
  EntityId: id,
  Company: 'acme',
  Change: state,
  Rule: 'MP-02',
  State: state,
  Severity: 'high',
  AmountText: '0.1',
  Currency: 'EUR',
  Actor: '',
  Data: '{"closeImpact":"blocker"}',
  ...over,
});

beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const rows = [
    change(1, '08:00:00', 'exception', 'a', 'open', { Severity: 'medium' }),
    change(2, '09:00:00', 'exception', 'a', 'open'),
    change(3, '09:10:00', 'exception', 'b', 'open', { AmountText: '0.2' }),
    change(4, '09:20:00', 'exception', 'c', 'open'),
    change(5, '10:00:00', 'exception', 'c', 'late'),
    change(6, '10:05:00', 'exception', 'd', 'open', { Company: 'beta' }),
    change(7, '09:00:00', 'incident', 'i', 'open'),
    change(8, '09:30:00', 'incident', 'j', 'open'),
    change(9, '10:00:00', 'incident', 'j', 'resolved'),
  ];
  await clickhouse.insertRows('incident_events', rows, { token: 'test' });
});
afterAll(async () => {
  await clickhouse?.close();
  await engine?.remove();
});

/** The rows of a panel between 07:00 and 11:00 of the first of May, with the macros as the data source writes them out. */
async function rowsOf({ sql }: PanelQuery): Promise<Record<string, unknown>[]> {
  const [from, to] = ["toDateTime('2026-05-01 07:00:00', 'UTC')", "toDateTime('2026-05-01 11:00:00', 'UTC')"];
  const text = sql
    .replaceAll('$' + '{company:sqlstring}', "'acme'")
    .replaceAll(
      /\$__timeInterval\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)/g,
      'toStartOfInterval(toDateTime($1), INTERVAL 3600 second)',
    )
    .replaceAll(/\$__timeFilter\((\w+)\)/g, `$1 >= ${from} AND $1 <= ${to}`)
    .replaceAll('$__fromTime', from)
    .replaceAll('$__toTime', to);
  expect(text).not.toContain('$');
  return await clickhouse.query(
    defineQuery({
      name: 'grafana.panel',
      sql: text,
      params: z.object({}),
      row: z.record(z.string(), z.unknown()),
    }),
    {},
  );
}

test.each(Object.keys(QUERIES) as (keyof typeof QUERIES)[])('%s runs', async (name) => {
  expect(Array.isArray(await rowsOf(QUERIES[name]))).toBe(true);
});

test('the figures are those of the last state of each exception, exact, by company', async () => {
  expect(await rowsOf(QUERIES.exceptionsBySeverity)).toMatchObject([
    { severity: 'high', currency: 'EUR', open: '2', blockers: '2', money: '0.3' },
  ]);
  expect(await rowsOf(QUERIES.openExceptions)).toEqual([{ open: '2' }]);
  expect(await rowsOf(QUERIES.openIncidents)).toEqual([{ open: '1' }]);
});

test('over time each exception counts from when it opened until it closed, under its severity of then', async () => {
  const rows = await rowsOf(QUERIES.exceptionsOverTime);
  expect(rows.map((row) => [String(row.time).slice(11, 16), row.severity, row.open])).toEqual([
    ['08:00', 'medium', '1'],
    ['09:00', 'high', '3'],
    ['09:00', 'medium', '0'],
    ['10:00', 'high', '2'],
  ]);
});
