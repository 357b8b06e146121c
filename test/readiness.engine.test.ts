import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Company, company } from '../model/company.ts';
import { nanosOf } from '../model/time.ts';
import { keepDeadLetters } from '../store/postgres/dead-letters.ts';
import { readinessOf } from '../store/readiness.ts';
import { type TemporaryStores, temporaryStores } from './temporary-stores.ts';

const acme: Company = company.parse({
  key: 'acme',
  materiality: { overall: '100000', performance: '60000', trivial: '5000' },
});
const at = (instant: string): bigint => nanosOf(new Date(instant));
const TENTH_OF_MAY = at('2026-05-10T12:00:00Z');

let stores: TemporaryStores;
beforeAll(async () => {
  stores = await temporaryStores();
});
afterAll(() => stores?.remove());
beforeEach(async () => {
  await stores.postgres.pool.query('TRUNCATE closewatch.sources, closewatch.dead_letters');
  await stores.clickhouse.command('TRUNCATE TABLE finance_events');
});

/** A source that is as complete as the instant, and was first seen in March. */
const source = (name: string, key: string, now: bigint, firstSeen = '2026-03-01T00:00:00Z') =>
  stores.postgres.db
    .insertInto('sources')
    .values({
      source: name,
      company: key,
      kind: 'declared',
      complete_up_to_ns: now,
      first_seen_at: firstSeen,
      last_arrival_at: new Date(Number(now / 1_000_000n)),
    })
    .execute();
const judged = async (period: string, now = TENTH_OF_MAY, of = acme) => {
  const { verdict, confidence, gates } = await readinessOf(stores, { company: of, period }, now);
  return { verdict, confidence, gates: Object.fromEntries(gates.map(({ id, state }) => [id, state])) };
};

test('a month that runs, one that lies ahead and one of before any data are never ready', async () => {
  await source('/odoo/prod', 'acme', TENTH_OF_MAY);
  expect(await judged('2026-04')).toMatchObject({ verdict: 'ready', confidence: 1 });
  for (const period of ['2026-05', '2031-01'])
    expect(await judged(period), period).toMatchObject({
      verdict: 'unknown',
      confidence: 0.86,
      gates: { 'period-ended': 'unknown', 'data-known': 'passed' },
    });
  expect(await judged('2001-01')).toMatchObject({
    verdict: 'unknown',
    confidence: 0.86,
    gates: { 'period-ended': 'passed', 'data-known': 'unknown' },
  });
});

test('events that a file brought tell of the months before the file was seen', async () => {
  await source('/archive', 'acme', TENTH_OF_MAY, '2026-05-09T00:00:00Z');
  expect(await judged('2024-01')).toMatchObject({ gates: { 'data-known': 'unknown' } });
  await stores.clickhouse.insertRows(
    'finance_events',
    [{ Company: 'acme', Source: '/archive', EventId: '1', Time: '2024-01-31 12:00:00' }],
    { token: 'archive' },
  );
  expect(await judged('2024-01')).toMatchObject({ verdict: 'ready', confidence: 1 });
  expect(await judged('2023-12')).toMatchObject({ gates: { 'data-known': 'unknown' } });
});

const letter = async (
  from: string,
  receivedAt: string,
  names: { company?: string; state?: 'replayed' | 'discarded' } = {},
): Promise<void> => {
  await keepDeadLetters(stores.postgres, '*', [
    { source: from, reason: 'invalid', problems: [], body: '{}' },
  ]);
  await stores.postgres.db
    .updateTable('dead_letters')
    .set({ received_at: receivedAt, company: names.company ?? null, state: names.state ?? 'open' })
    .where('id', '=', (eb) => eb.selectFrom('dead_letters').select((max) => max.fn.max('id').as('id')))
    .execute();
};
const gateOf = async (period: string, now = TENTH_OF_MAY) => {
  const { gates } = await readinessOf(stores, { company: acme, period }, now);
  const { state, detail } = gates.find(({ id }) => id === 'dead-letters') ?? {};
  return { state, detail };
};

test('a refused event holds up the periods that were not over when it came, until it is settled', async () => {
  await source('/odoo/prod', 'acme', TENTH_OF_MAY);
  await letter('/odoo/prod', '2026-04-20T00:00:00Z');
  expect(await gateOf('2026-04')).toEqual({ state: 'blocked', detail: '1 open dead letter' });
  expect(await gateOf('2026-05')).toMatchObject({ state: 'passed' });
  expect(await gateOf('2026-04', at('2026-04-19T00:00:00Z'))).toMatchObject({ state: 'passed' });
  await stores.postgres.db.updateTable('dead_letters').set({ state: 'replayed' }).execute();
  expect(await gateOf('2026-04')).toMatchObject({ state: 'passed' });
});

test('it holds up the company that it names, else those for which its source sends, and nobody else', async () => {
  await source('/odoo/prod/1', 'acme', TENTH_OF_MAY);
  await source('/odoo/prod/1', 'beta', TENTH_OF_MAY);
  await source('/bank', 'beta', TENTH_OF_MAY);
  const day = '2026-04-20T00:00:00Z';
  await letter('/odoo/prod/1', day, { company: 'beta' });
  await letter('/bank', day);
  expect(await gateOf('2026-04')).toEqual({ state: 'passed', detail: '0 open dead letters' });
  // A token speaks for what lies below its source, and what no source sends for is no company's name.
  await letter('/odoo', day);
  await letter('/odoo/prod/1', day, { company: 'acmee' });
  expect(await gateOf('2026-04')).toEqual({ state: 'blocked', detail: '2 open dead letters' });
});

test('of a letter of nobody knows whom there is a note', async () => {
  await source('/odoo/prod', 'acme', TENTH_OF_MAY);
  await letter('*', '2026-04-20T00:00:00Z');
  expect(await gateOf('2026-04')).toEqual({
    state: 'passed',
    detail: '0 open dead letters; 1 more name neither a known source nor a known company',
  });
  await letter('*', '2026-04-20T00:00:00Z', { company: 'acme' });
  expect(await gateOf('2026-04')).toMatchObject({ state: 'blocked' });
});
