import { afterAll, beforeAll, expect, test } from 'vitest';
import { appendChanges, type Change } from './change-log.ts';
import { openPostgres, type Postgres } from './database.ts';
import { discardDeadLetters } from './dead-letter-decisions.ts';
import { keepDeadLetters } from './dead-letters.ts';
import { tidyHistory, tidySettledLetters } from './housekeeping.ts';
import { recordSnapshots, type Snapshot } from './snapshots.ts';
import { knownCompanies } from './source-queries.ts';
import { keepingLogger, type TemporaryPlace, temporaryFolder } from './testing/back-ends.ts';

let temporary: TemporaryPlace & { place: { dataDir: string } };
let postgres: Postgres;
beforeAll(async () => {
  temporary = temporaryFolder();
  postgres = await openPostgres(temporary.place, { logger: keepingLogger() });
});
afterAll(async () => {
  await postgres?.close();
  await temporary?.remove();
});

const day = (n: number): Date => new Date(Date.UTC(2026, 4, n));
const minute = (n: number): Date => new Date(day(1).getTime() + n * 60_000);
const history = () => postgres.db.selectFrom('change_log').selectAll().orderBy('seq').execute();
const append = (...changes: Change[]) =>
  postgres.db.transaction().execute((trx) => appendChanges(trx, changes));
const shipped = () => postgres.db.updateTable('change_log').set({ shipped: true }).execute();

test('shipped history of exceptions goes after a week; of incidents it stays, and what is not shipped', async () => {
  const change = (entity: Change['entity'], id: string, at: Date): Change => ({
    entity,
    entityId: id,
    company: 'acme',
    change: 'opened',
    at,
  });
  await append(
    change('exception', 'old', day(1)),
    change('obligation', 'old', day(1)),
    change('incident', 'old', day(1)),
    change('setting', 'old', day(1)),
    change('exception', 'new', day(3)),
  );
  await shipped();
  await append(change('exception', 'waiting', day(1)));
  expect(await tidyHistory(postgres, day(9))).toBe(2);
  expect((await history()).map(({ entity, entity_id }) => [entity, entity_id])).toEqual([
    ['incident', 'old'],
    ['setting', 'old'],
    ['exception', 'new'],
    ['exception', 'waiting'],
  ]);
});

test('a dead letter is discarded once, with who and why, and goes when it is old; an open one stays', async () => {
  const letter = { source: '/ocr', reason: 'invalid', problems: [], eventId: 'e-1', body: '{}' };
  await keepDeadLetters(postgres, '/ocr', [letter, letter]);
  const letters = () => postgres.db.selectFrom('dead_letters').selectAll().orderBy('id').execute();
  const [first, second] = (await letters()).map(({ id }) => id) as [string, string];
  const wish = { ids: [first], by: 'sam', reason: 'sent twice', at: day(1) };
  await expect(discardDeadLetters(postgres, { ...wish, ids: [first, '999'] })).rejects.toMatchObject({
    code: 'not-found',
  });
  await discardDeadLetters(postgres, wish);
  await expect(discardDeadLetters(postgres, wish)).rejects.toMatchObject({ code: 'state.conflict' });
  expect(await letters()).toMatchObject([
    { state: 'discarded', decided_by: 'sam', decided_reason: 'sent twice' },
    { state: 'open' },
  ]);
  expect((await history()).at(-1)).toMatchObject({
    entity: 'dead-letter',
    entity_id: first,
    change: 'discarded',
    actor: 'sam',
    data: { source: '/ocr', eventId: 'e-1', refused: 'invalid', reason: 'sent twice' },
  });
  await tidySettledLetters(postgres, day(1));
  expect(await letters()).toHaveLength(2);
  await tidySettledLetters(postgres, day(2));
  expect(await letters()).toMatchObject([{ id: second }]);
});

test('a snapshot is written when it differs; what only moves, every five minutes', async () => {
  const snapshot = (watermark: string, over: Partial<Snapshot> = {}): Snapshot => ({
    entity: 'watermark',
    entityId: 'odoo',
    company: 'acme',
    state: 'fresh',
    facts: { kind: 'assumed' },
    moving: { watermark },
    ...over,
  });
  const written = async (at: Date, one: Snapshot) => await recordSnapshots(postgres, [one], at);
  expect(await written(minute(0), snapshot('10:00'))).toBe(1);
  expect(await written(minute(1), snapshot('10:01'))).toBe(0);
  expect(await written(minute(2), snapshot('10:01', { state: 'stale' }))).toBe(1);
  expect(await written(minute(3), snapshot('10:01', { state: 'stale', facts: { kind: 'declared' } }))).toBe(
    1,
  );
  const last = snapshot('10:08', { state: 'stale', facts: { kind: 'declared' } });
  expect(await written(minute(8), last)).toBe(1);
  expect(await written(minute(60), last)).toBe(0);
  expect((await history()).at(-1)).toMatchObject({
    entity: 'watermark',
    state: 'stale',
    data: { kind: 'declared', watermark: '10:08' },
  });
});

test('the known companies are those of any row, each once', async () => {
  const incident = (id: string, company: string) => ({
    id,
    company,
    cause_kind: 'rule',
    cause_key: id,
    title: id,
    severity: 'low' as const,
    opened_at: day(1),
  });
  await postgres.db
    .insertInto('incidents')
    .values([incident('1', 'beta'), incident('2', 'acme'), incident('3', 'beta'), incident('4', '*')])
    .execute();
  await postgres.db
    .insertInto('sources')
    .values([
      { source: 'a', company: 'gamma', kind: 'assumed' },
      { source: 'a', company: '', kind: 'assumed' },
    ])
    .execute();
  expect(await knownCompanies(postgres)).toEqual(['acme', 'beta', 'gamma']);
});
