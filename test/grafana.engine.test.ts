import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createReadinessHistory } from '../analyzer/readiness/readiness.ts';
import { type PanelQuery, QUERIES } from '../dashboards/grafana/queries.ts';
import { defaultCompany } from '../model/company.ts';
import { periodOf } from '../model/period.ts';
import { nanosOf } from '../model/time.ts';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { type TemporaryEngine, temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { shipChanges } from '../store/postgres/change-log.ts';
import { type ApiHouse, apiHouse } from './api-house.ts';
import { type Range, writtenOut } from './grafana-macros.ts';
import { hash, seedLandscape } from './seed.ts';

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

const FIRST_OF_MAY: Range = {
  from: '2026-05-01 07:00:00',
  to: '2026-05-01 11:00:00',
  periods: ['2026-04', '2026-05'],
};

/** The rows of a panel of acme in a range. */
async function rowsOf(
  { sql }: PanelQuery,
  range = FIRST_OF_MAY,
  store = clickhouse,
): Promise<Record<string, unknown>[]> {
  return await store.query(
    defineQuery({
      name: 'grafana.panel',
      sql: writtenOut(sql, range),
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

describe('what PostgreSQL holds, once shipped', () => {
  let house: ApiHouse;
  const now = nanosOf(new Date());
  const period = periodOf(now, defaultCompany('acme'));
  const clock = (ms: number) =>
    new Date(Number(now / 1_000_000n) + ms).toISOString().slice(0, 19).replace('T', ' ');
  const range: Range = { from: clock(-86_400_000), to: clock(60_000), periods: [period] };
  const panel = (query: PanelQuery) => rowsOf(query, range, house.clickhouse);

  beforeAll(async () => {
    house = await apiHouse({});
    const { postgres } = house;
    await seedLandscape(postgres, house.clickhouse, now);
    await postgres.db
      .updateTable('exceptions')
      .set({ state: 'waived' })
      .where('id', '=', hash('12'))
      .execute();
    const history = createReadinessHistory({ ...house, companies: [], company: defaultCompany });
    expect(await history.run(now)).toBeGreaterThan(0);
    expect(await history.run(now + 61_000_000_000n)).toBe(0);
    await shipChanges(postgres, house.clickhouse);
  });
  afterAll(() => house?.close());

  test('gives the same readiness in the panels as in GraphQL', async () => {
    const { data, errors } = await house.graphql(`{ readiness(company: "acme", period: "${period}") {
      verdict confidence gates { title state detail } waived { currency amount }
      openBySeverity { severity count blockers sums { currency amount } }
      sources { source stream kind fresh completeWithoutLimit watermark }
    } }`);
    expect(errors).toBeUndefined();
    const { readiness } = data;
    expect(readiness.waived).not.toEqual([]);
    expect(await panel(QUERIES.readiness)).toMatchObject([
      {
        company: 'acme',
        period,
        verdict: readiness.verdict.replaceAll('_', ' '),
        confidence: readiness.confidence,
      },
    ]);
    const byTitle = (a: { title?: unknown }, b: { title?: unknown }) =>
      `${a.title}` < `${b.title}` ? -1 : 1;
    const gates = (await panel(QUERIES.gates)).map(({ title, state, detail }) => ({ title, state, detail }));
    expect(gates.toSorted(byTitle)).toEqual(readiness.gates.toSorted(byTitle));
    const lines = readiness.openBySeverity as {
      severity: string;
      count: number;
      blockers: number;
      sums: { currency: string; amount: string }[];
    }[];
    expect(await panel(QUERIES.openInPeriod)).toEqual(
      lines
        .filter(({ count }) => count > 0)
        .map(({ severity, count, blockers, sums }) => ({
          company: 'acme',
          period,
          severity,
          open: `${count}`,
          blockers: `${blockers}`,
          money: sums.map(({ currency, amount }) => `${currency} ${amount}`).join(', '),
        })),
    );
    expect(await panel(QUERIES.waived)).toEqual(
      readiness.waived.map(({ currency, amount }: { currency: string; amount: string }) => ({
        company: 'acme',
        period,
        currency,
        waived: amount,
      })),
    );
  });

  test('gives each source with its watermark, fresh or stale', async () => {
    const { data } = await house.graphql(
      '{ sources(company: "acme") { edges { node { source stream kind fresh watermark } } } }',
    );
    type Shown = { source: string; kind: string; fresh: boolean; watermark: string };
    const expected = (data.sources.edges as { node: Shown }[]).map(
      ({ node: { source, kind, fresh, watermark } }) => ({
        source,
        kind,
        state: fresh ? 'fresh' : 'stale',
        // One that is merely assumed goes with the clock, which has gone on since.
        watermark: kind === 'assumed' ? expect.any(String) : watermark,
      }),
    );
    expect(await panel(QUERIES.freshness)).toMatchObject(expected);
  });
});
