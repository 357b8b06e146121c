import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Actor } from '../../model/principal.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { acknowledgeIncident, askToMove, moveIncident } from '../../store/postgres/incidents.ts';
import {
  acme,
  at,
  changeExceptions,
  emptied,
  exceptionRow,
  memoryLogger,
  openExceptions,
  temporaryPostgres,
} from '../../test/incident-house.ts';
import { createIncidents, type IncidentDeps } from './incidents.ts';
import type { LinkedSpan } from './signature.ts';

let postgres: Postgres;
let close: () => Promise<void>;
beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
});
afterAll(() => close());
beforeEach(() => emptied(postgres));

const spanOf = (traceId: string): LinkedSpan => ({
  traceId,
  spanId: `s-${traceId}`,
  parentSpanId: '',
  name: 'POST /tax',
  service: 'tax-engine',
  startNs: '1',
  statusCode: 'Error',
  statusMessage: `503 for ${traceId}`,
  attributes: {},
  events: [],
});
const incidentsOf = (over: Partial<IncidentDeps> = {}) =>
  createIncidents({
    postgres,
    company: () => acme,
    ruleName: (rule) => (rule === 'MP-02' ? 'Bill received, not posted' : undefined),
    logger: memoryLogger(),
    ...over,
  });
const all = () => postgres.db.selectFrom('incidents').selectAll().orderBy('number').execute();
const changes = async () =>
  (await postgres.db.selectFrom('change_log').select('change').orderBy('seq').execute()).map(
    (row) => row.change,
  );
const numbered = (count: number): string[] => Array.from({ length: count }, (_, n) => `e${n}`);
const support: Actor = { kind: 'human', id: 'sam', name: 'Sam', roles: ['support'], companies: ['acme'] };

test('forty bills that miss for one failing interface are one incident with their sum', async () => {
  const spans = { spansOfTraces: async (ids: readonly string[]) => ids.map(spanOf) };
  const incidents = incidentsOf({ spans });
  await openExceptions(
    postgres,
    numbered(40).map((id) => exceptionRow(id, { trace_ids: [`trace1${id}`] })),
  );
  expect(await incidents.run(at(59))).toEqual({ opened: 0, updated: 0, resolved: 0 });
  expect(await incidents.run(at(60))).toEqual({ opened: 1, updated: 0, resolved: 0 });
  const [incident, ...others] = await all();
  expect(others).toEqual([]);
  expect(incident).toMatchObject({
    company: 'acme',
    cause_kind: 'interface-error',
    state: 'open',
    severity: 'medium',
    exceptions: 40,
    open_exceptions: 40,
    sums: [{ currency: 'EUR', amount: '12000', open: '12000' }],
    version: 1,
  });
  expect(incident?.title).toContain('tax-engine');
  const signatures = await postgres.db
    .selectFrom('exceptions')
    .select('error_signature')
    .distinct()
    .execute();
  expect(signatures).toEqual([{ error_signature: incident?.cause_key }]);
  expect(await incidents.run(at(61))).toEqual({ opened: 0, updated: 0, resolved: 0 });
  expect((await all())[0]?.version).toBe(1);
});

test('an exception dated ahead by a wrong clock does not have its incident wait for that time', async () => {
  const opened_at = new Date(Number(at(86_400) / 1_000_000n));
  await openExceptions(postgres, [exceptionRow('a', { opened_at })]);
  expect(await incidentsOf().run(at(60))).toMatchObject({ opened: 1 });
});

test('a living incident takes new ones at once, follows their changes and resolves with the last', async () => {
  const incidents = incidentsOf();
  await openExceptions(postgres, [exceptionRow('a'), exceptionRow('b', { severity: 'high' })]);
  await incidents.run(at(60));
  await openExceptions(postgres, [exceptionRow('c', { opened_at: new Date(Number(at(70) / 1_000_000n)) })]);
  expect(await incidents.run(at(71))).toEqual({ opened: 0, updated: 1, resolved: 0 });
  await changeExceptions(postgres, ['a', 'b'], { state: 'late' });
  await incidents.run(at(80));
  expect((await all())[0]).toMatchObject({
    exceptions: 3,
    open_exceptions: 1,
    severity: 'high',
    sums: [{ currency: 'EUR', amount: '900', open: '300' }],
  });
  await changeExceptions(postgres, ['c'], { state: 'voided' });
  expect(await incidents.run(at(90))).toEqual({ opened: 0, updated: 0, resolved: 1 });
  expect((await all())[0]).toMatchObject({ state: 'resolved', open_exceptions: 0 });
  expect(await changes()).toEqual(['opened', 'updated', 'updated', 'resolved']);
});

test('a resolved incident absorbs nothing more: a new one recurs', async () => {
  const incidents = incidentsOf();
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidents.run(at(60));
  await changeExceptions(postgres, ['a'], { state: 'late' });
  await incidents.run(at(61));
  await openExceptions(postgres, [exceptionRow('b')]);
  await incidents.run(at(62));
  const [first, second] = await all();
  expect(first).toMatchObject({ state: 'resolved', exceptions: 1 });
  expect(second).toMatchObject({ state: 'open', exceptions: 1, recurrence_of: first?.id });
});

test('the same exception breaching again within 24 hours reopens; later it opens a new one', async () => {
  const incidents = incidentsOf();
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidents.run(at(60));
  const [opened] = await all();
  await acknowledgeIncident(postgres, { incident: opened!.id, actor: support, now: at(61) });
  await changeExceptions(postgres, ['a'], { state: 'late' });
  await incidents.run(at(62));
  await changeExceptions(postgres, ['a'], { state: 'open', reopened: 1 });
  await incidents.run(at(86_000));
  expect(await all()).toMatchObject([
    { state: 'open', resolved_at: null, acknowledged_by: null, exceptions: 1, open_exceptions: 1 },
  ]);
  await changeExceptions(postgres, ['a'], { state: 'late' });
  await incidents.run(at(86_001));
  await changeExceptions(postgres, ['a'], { state: 'open', reopened: 2 });
  await incidents.run(at(86_001 + 86_401));
  const [first, second] = await all();
  expect(first).toMatchObject({ state: 'resolved', open_exceptions: 0 });
  expect(second).toMatchObject({ state: 'open', exceptions: 1, recurrence_of: first?.id });
  expect(await changes()).toEqual(['opened', 'acknowledged', 'resolved', 'reopened', 'resolved', 'opened']);
});

test('a breach that returns while its cause has a living incident again goes there', async () => {
  const incidents = incidentsOf();
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidents.run(at(60));
  await changeExceptions(postgres, ['a'], { state: 'late' });
  await incidents.run(at(61));
  await openExceptions(postgres, [exceptionRow('b')]);
  await incidents.run(at(62));
  await changeExceptions(postgres, ['a'], { state: 'open', reopened: 1 });
  await incidents.run(at(63));
  expect(await all()).toMatchObject([
    { state: 'resolved' },
    { state: 'open', exceptions: 2, sums: [{ amount: '600' }] },
  ]);
});

test('companies, rules and sources stay apart; what notifies nobody or closed in time opens nothing', async () => {
  await openExceptions(postgres, [
    exceptionRow('a'),
    exceptionRow('b', { company: 'bolt' }),
    exceptionRow('c', { rule: 'MP-03' }),
    exceptionRow('d', { source: '/edi' }),
    exceptionRow('e', { notify: false, rule: 'MP-09' }),
    exceptionRow('f', { state: 'late', rule: 'MP-10' }),
  ]);
  const incidents = incidentsOf();
  expect(await incidents.run(at(60))).toMatchObject({ opened: 4 });
  expect(new Set((await all()).map(({ company }) => company))).toEqual(new Set(['acme', 'bolt']));
  await changeExceptions(postgres, ['f'], { state: 'open', reopened: 1 });
  expect(await incidents.run(at(120))).toMatchObject({ opened: 1 });
});

test('many pages of exceptions are counted once, and a change costs the changed', async () => {
  await openExceptions(
    postgres,
    numbered(2_500).map((id) => exceptionRow(id, { amount: '1.10' })),
  );
  const incidents = incidentsOf();
  await incidents.run(at(60));
  expect(await all()).toMatchObject([{ exceptions: 2_500, sums: [{ amount: '2750' }] }]);
  await changeExceptions(postgres, ['e7'], { state: 'late' });
  await incidents.run(at(61));
  expect(await all()).toMatchObject([{ open_exceptions: 2_499, sums: [{ amount: '2750', open: '2748.9' }] }]);
});

test('two groupers at once make one incident', async () => {
  await openExceptions(
    postgres,
    numbered(30).map((id) => exceptionRow(id)),
  );
  const results = await Promise.all([incidentsOf().run(at(60)), incidentsOf().run(at(60))]);
  expect(results.map(({ opened }) => opened).sort()).toEqual([0, 1]);
  expect(await all()).toMatchObject([{ exceptions: 30, sums: [{ amount: '9000' }] }]);
});

test('acknowledging asks the policy, happens once and is logged with the actor', async () => {
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidentsOf().run(at(60));
  const [incident] = await all();
  const wish = (actor: Actor) =>
    acknowledgeIncident(postgres, { incident: incident!.id, actor, now: at(99) });
  await expect(wish({ ...support, companies: ['bolt'] })).rejects.toMatchObject({ code: 'auth.forbidden' });
  await expect(wish({ ...support, roles: ['auditor'] })).rejects.toMatchObject({ code: 'auth.forbidden' });
  await expect(
    acknowledgeIncident(postgres, { incident: 'nowhere', actor: support, now: at(99) }),
  ).rejects.toMatchObject({ code: 'not-found' });
  const outcomes = await Promise.allSettled([wish(support), wish(support), wish(support)]);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  await expect(wish(support)).rejects.toMatchObject({ code: 'state.conflict' });
  const log = await postgres.db
    .selectFrom('change_log')
    .selectAll()
    .where('change', '=', 'acknowledged')
    .execute();
  expect(log).toMatchObject([
    { actor: 'sam', entity_id: incident!.id, state: 'acknowledged', company: 'acme' },
  ]);
});

test('an acknowledgement ends after a while when exceptions are still open', async () => {
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidentsOf().run(at(60));
  const [incident] = await all();
  await acknowledgeIncident(postgres, { incident: incident!.id, actor: support, now: at(99) });
  await incidentsOf({ acknowledgedMs: 3_600_000 }).run(at(3_600));
  expect(await all()).toMatchObject([{ state: 'acknowledged' }]);
  await incidentsOf({ acknowledgedMs: 0 }).run(at(90_000));
  expect(await all()).toMatchObject([{ state: 'acknowledged' }]);
  await incidentsOf({ acknowledgedMs: 3_600_000 }).run(at(3_700));
  expect(await all()).toMatchObject([{ state: 'open', acknowledged_by: null }]);
});

test('exceptions are split off and merged as people ask, and money goes with them', async () => {
  await openExceptions(postgres, [
    ...numbered(4).map((id) => exceptionRow(id)),
    exceptionRow('other', { rule: 'MP-09', amount: '7.00' }),
  ]);
  await incidentsOf().run(at(60));
  const [first, second] = await all();
  const ids = numbered(4).slice(0, 2);
  const ask = (wish: { incident: string; exceptions?: string[]; target?: string }, actor: Actor = support) =>
    askToMove(postgres, { ...wish, actor, now: at(70), reason: 'another cause' });
  await expect(
    ask({ incident: first!.id, exceptions: ids }, { ...support, roles: ['auditor'] }),
  ).rejects.toMatchObject({
    code: 'auth.forbidden',
  });
  await ask({ incident: first!.id, exceptions: [...ids, 'other'] });
  await incidentsOf().run(at(80));
  expect(await all()).toMatchObject([
    { exceptions: 2, open_exceptions: 2, sums: [{ amount: '600' }], state: 'open' },
    { exceptions: 1, sums: [{ amount: '7' }] },
    { exceptions: 2, open_exceptions: 2, sums: [{ amount: '600' }], cause_kind: 'split' },
  ]);
  const third = (await all())[2];
  await ask({ incident: third!.id, target: second!.id });
  await incidentsOf().run(at(90));
  expect(await all()).toMatchObject([
    { exceptions: 2 },
    { exceptions: 3, open_exceptions: 3, sums: [{ amount: '607' }] },
    { exceptions: 0, open_exceptions: 0, state: 'resolved' },
  ]);
  await expect(ask({ incident: third!.id, target: second!.id })).rejects.toMatchObject({
    code: 'state.conflict',
  });
  // What changes afterwards is counted where it is now.
  await changeExceptions(postgres, ids, { state: 'late' });
  await incidentsOf().run(at(100));
  expect(await all()).toMatchObject([
    { open_exceptions: 2 },
    { exceptions: 3, open_exceptions: 1 },
    { exceptions: 0 },
  ]);
});

test('people resolve what is settled, and open it again', async () => {
  await openExceptions(postgres, [exceptionRow('a')]);
  await incidentsOf().run(at(60));
  const [incident] = await all();
  const act = { incident: incident!.id, actor: support, now: at(70), reason: 'seen' };
  await expect(moveIncident(postgres, 'resolve', act)).rejects.toThrow('1 of its exceptions are open');
  await changeExceptions(postgres, ['a'], { state: 'late' });
  await incidentsOf().run(at(80));
  await expect(moveIncident(postgres, 'resolve', act)).rejects.toMatchObject({ code: 'state.conflict' });
  expect(await moveIncident(postgres, 'reopen', act)).toMatchObject({ state: 'open', resolved_at: null });
  expect(await moveIncident(postgres, 'resolve', act)).toMatchObject({
    state: 'resolved',
    resolved_by: 'sam',
  });
});

test('a fault that breaks 1,000 documents is one incident, and two faults at once are two', async () => {
  const failing = (traceId: string): LinkedSpan => ({
    traceId,
    spanId: `s-${traceId}`,
    parentSpanId: '',
    name: 'POST /tax',
    service: traceId.startsWith('tax') ? 'tax-engine' : 'odoo',
    startNs: String(at(-10)),
    statusCode: 'Error',
    statusMessage: `503 for BILL/${traceId.replace(/\D/g, '')}`,
    attributes: {},
    events: [],
  });
  const spans = { spansOfTraces: async (ids: readonly string[]) => ids.map(failing) };
  const rows = Array.from({ length: 1_500 }, (_, n) =>
    exceptionRow(`e${n}`, { rule: `MP-0${n % 5}`, trace_ids: [n < 1_000 ? `tax${n}` : `odoo${n}`] }),
  );
  await openExceptions(postgres, rows);
  await incidentsOf({ spans }).run(at(60));
  expect((await all()).map(({ exceptions, cause_kind }) => [cause_kind, exceptions])).toEqual([
    ['interface-error', 1_000],
    ['interface-error', 500],
  ]);
});
