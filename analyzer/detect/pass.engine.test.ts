import { randomInt } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test } from 'vitest';
import type { Flow } from '../../model/flow.ts';
import { takeBatch } from '../../store/postgres/batches.ts';
import { declareComplete } from '../../store/postgres/sources.ts';
import { recordArrival } from '../../store/postgres/testing/arrivals.ts';
import { detectionHouse, event, FLOWS } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';

/** Passes of detection over both stores. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, complete, detector, exceptions, obligations, postgres } = house;

test('a bill that nobody posts opens an exception at its deadline, and closes it late when it comes', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(
    event('bill.received', '1', {
      supref: 'V:1',
      subject: 'scan-1',
      amount: '6000',
      traceId: 'a'.repeat(32),
    }),
  );
  expect(await pass(instantOf('2'))).toMatchObject({ events: 1, judged: 1, opened: 0, closed: 0 });
  expect(await exceptions()).toEqual([]);
  expect(await pass(instantOf('3'))).toMatchObject({ events: 0, opened: 1 });
  const [open] = await postgres.db.selectFrom('exceptions').selectAll().execute();
  expect(open).toMatchObject({
    rule: 'posted',
    subject: 'scan-1',
    state: 'open',
    severity: 'high',
    amount: '6000',
    notify: true,
    trace_ids: ['a'.repeat(32)],
    why: 'bill.received at 2026-05-01T00:00:00Z: no bill.posted within 2d, by 2026-05-03T00:00:00Z',
  });
  await arrive(event('bill.posted', '5', { supref: 'v: 1', subject: 'move-1' }));
  expect(await pass(instantOf('6'))).toMatchObject({ events: 1, closed: 1 });
  expect(await exceptions()).toEqual([['posted', 'scan-1', 'late', true]]);
});

test('names as long as they may be are judged like others', async () => {
  await complete('30');
  // Of three bytes each, and random, so that nothing makes them shorter.
  const long = (count: number): string =>
    String.fromCodePoint(...Array.from({ length: count }, () => 0x4e00 + randomInt(20_000)));
  const names = { source: long(341), subject: long(341), supref: `V:${long(500)}` };
  await arrive(event('bill.received', '1', names));
  expect(await detector().pass(instantOf('3'))).toMatchObject({ opened: 1 });
  expect(await exceptions()).toEqual([['posted', names.subject, 'open', true]]);
});

test('the same pass again changes nothing but leaves its control run', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1' }), event('bill.drafted', '1'));
  await pass(instantOf('9'));
  const state = async () => [
    await obligations(),
    await postgres.db.selectFrom('exceptions').selectAll().orderBy('id').execute(),
    await postgres.db.selectFrom('change_log').select('seq').execute(),
  ];
  const before = await state();
  expect(await pass(instantOf('9'))).toMatchObject({ events: 0, judged: 0, opened: 0 });
  expect(await detector().pass(instantOf('9'), { rebuild: true })).toMatchObject({
    events: 2,
    opened: 0,
    closed: 0,
  });
  expect(await state()).toEqual(before);
  expect(await postgres.db.selectFrom('control_runs').select('pass').execute()).toHaveLength(3);
});

test('severity rises when something is overdue by more than three times its allowed time', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1' }));
  const severity = async () =>
    (await postgres.db.selectFrom('exceptions').select('severity').execute())[0]?.severity;
  await pass(instantOf('4'));
  expect(await severity()).toBe('medium');
  await pass(instantOf('9'));
  expect(await severity()).toBe('medium');
  await pass(instantOf('9 00:00:01'));
  expect(await severity()).toBe('high');
});

/** A bill that is read twice, the second time with the supplier's reference, and what a backtest would say of it. */
const readTwice = () => [
  event('bill.received', '1', { subject: 'scan-1' }),
  event('bill.received', '1 01:00', { subject: 'scan-1', supref: 'V:1' }),
  event('bill.posted', '4', { subject: 'move-1', supref: 'V:1' }),
];

test.each([
  ['in one window', false],
  ['in windows of their own', true],
])('two cases of one subject are two obligations, %s', async (_, apart) => {
  await complete('30');
  const { pass } = detector();
  const all = readTwice();
  for (const some of apart ? all.map((one) => [one]) : [all]) {
    await arrive(...some);
    await pass(instantOf('2'));
  }
  await pass(instantOf('9'));
  const states = async () =>
    (await obligations())
      .filter(({ rule }) => rule === 'posted')
      .map(({ occurrence, state }) => `${occurrence}: ${state}`)
      .sort();
  const expected = ['first supref:acme:V:1: late', 'first: open'];
  expect(await states()).toEqual(expected);
  await detector().pass(instantOf('9'), { rebuild: true });
  expect(await states()).toEqual(expected);
});

test('a subject among the keys makes one case of both readings', async () => {
  await complete('30');
  await arrive(...readTwice());
  const [first] = FLOWS as [Flow];
  const expectations = first.expectations
    .filter(({ id }) => id === 'posted')
    .map((rule) => ({ ...rule, by: ['subject', 'supref'] }));
  await detector([{ ...first, expectations }]).pass(instantOf('9'));
  expect((await obligations()).map(({ occurrence, state }) => [occurrence, state])).toEqual([
    ['first', 'late'],
  ]);
});

test('a back-filled event from before does not take the place of the live one', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(
    event('bill.received', '2', { supref: 'V:1', subject: 's1' }),
    event('bill.drafted', '2', { subject: 'm1' }),
    event('bill.posted', '2', { supref: 'V:9', subject: 'm8' }),
    event('bill.posted', '3', { supref: 'V:9', subject: 'm9' }),
  );
  await pass(instantOf('9'));
  const open = await exceptions();
  expect(open.map(([rule, , state]) => [rule, state])).toEqual([
    ['draft', 'open'],
    ['posted', 'open'],
    ['twice', 'open'],
  ]);
  const backfill = { ingestPath: 'backfill' } as const;
  await arrive(
    event('bill.received', '1', { ...backfill, supref: 'V:1', subject: 's1' }),
    event('bill.drafted', '1', { ...backfill, subject: 'm1' }),
    event('bill.posted', '1', { ...backfill, supref: 'V:9', subject: 'm9' }),
  );
  await pass(instantOf('10'));
  // The back-filled posting makes m9 the first of the two and m8 the one that repeats it.
  expect(await exceptions()).toEqual([
    ...open.filter(([rule]) => rule !== 'twice'),
    ['twice', 'm8', 'open', true],
    ['twice', 'm9', 'resolved', true],
  ]);
});

test('a source that is behind opens one exception of its own, and what it hides notifies nobody', async () => {
  await complete('2');
  const { pass } = detector();
  await arrive(
    event('bill.received', '1', { supref: 'V:1', subject: 's1' }),
    event('bill.received', '1', { supref: 'V:2', subject: 's2' }),
  );
  await pass(instantOf('9'));
  expect(await exceptions()).toEqual([
    ['DC-02', 'erp', 'open', true],
    ['posted', 's1', 'indeterminate', false],
    ['posted', 's2', 'indeterminate', false],
  ]);
  const inhibited = await postgres.db
    .selectFrom('exceptions')
    .select('inhibited_by')
    .where('rule', '=', 'posted')
    .execute();
  expect(inhibited).toEqual([{ inhibited_by: 'source:erp' }, { inhibited_by: 'source:erp' }]);
  expect(await pass(instantOf('10'))).toMatchObject({ opened: 0, closed: 0 });
  // It catches up: one was posted in time, the other is now known to be missing.
  await arrive(event('bill.posted', '2', { supref: 'V:1', subject: 'm1' }));
  await complete('20');
  await pass(instantOf('11'));
  expect(await exceptions()).toEqual([
    ['DC-02', 'erp', 'resolved', true],
    ['posted', 's1', 'resolved', false],
    ['posted', 's2', 'open', true],
  ]);
});

test('a source that is short of a deadline and still fresh is no fault: the deadline waits in silence', async () => {
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1', subject: 's1' }));
  const arrived = { source: 'erp', company: 'acme', types: ['bill.received', 'bill.posted'], events: 1 };
  const heard = (at: string) => recordArrival(postgres.db, [arrived], new Date(`2026-05-0${at}:00Z`));
  await heard('2T23:59');
  // Due on Sunday the 3rd at midnight; an assumed source is complete up to ten minutes before now.
  await pass(instantOf('3 00:05'));
  expect(await exceptions()).toEqual([['posted', 's1', 'indeterminate', false]]);
  await pass(instantOf('3 00:10'));
  expect(await exceptions()).toEqual([['posted', 's1', 'open', true]]);
  const why = await postgres.db.selectFrom('exceptions').select('why').execute();
  expect(why[0]?.why).toMatch(/the source is assumed to be complete$/);
});

test('a heartbeat of a stream holds back what depends on its source', async () => {
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1', subject: 's1' }));
  const arrived = { source: 'erp', company: 'acme', types: ['bill.received', 'bill.posted'], events: 1 };
  await recordArrival(postgres.db, [arrived], new Date('2026-05-05T00:00:00Z'));
  const declared = { source: 'erp', company: 'acme', stream: 'bills', completeUpTo: instantOf('1') };
  await declareComplete(postgres.db, [declared], new Date());
  await pass(instantOf('5'));
  expect(await exceptions()).toEqual([
    ['DC-02', 'erp', 'open', true],
    ['posted', 's1', 'indeterminate', false],
  ]);
  await declareComplete(postgres.db, [{ ...declared, completeUpTo: instantOf('4') }], new Date());
  await pass(instantOf('5 00:01'));
  expect(await exceptions()).toEqual([
    ['DC-02', 'erp', 'resolved', true],
    ['posted', 's1', 'open', true],
  ]);
});

test('what was found open stays open though the source falls behind again', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1' }));
  await pass(instantOf('9'));
  await sql`UPDATE sources SET complete_up_to_ns = ${instantOf('2')}::bigint`.execute(postgres.db);
  await arrive(event('bill.received', '2', { supref: 'V:1', subject: 'again' }));
  await pass(instantOf('10'));
  expect(await exceptions()).toEqual([['posted', 'doc', 'open', true]]);
});

test('while ClickHouse is behind the inbox nothing is found missing', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  await pass(instantOf('1 12:00'));
  const batch = await postgres.db
    .transaction()
    .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'erp', rows: 1 }));
  expect(await pass(instantOf('9'))).toMatchObject({ judged: 0, opened: 0 });
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
  expect(await pass(instantOf('9'))).toMatchObject({ judged: 1, opened: 1 });
});

test('history starts nothing live, but answers what is', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(
    event('bill.received', '1', { supref: 'V:1', subject: 'old', ingestPath: 'file' }),
    event('bill.drafted', '1', { subject: 'old', ingestPath: 'backfill' }),
    event('bill.drafted', '1', { subject: 'live' }),
  );
  await pass(instantOf('9'));
  expect(await exceptions()).toEqual([['draft', 'live', 'open', true]]);
  await arrive(event('bill.posted', '1 05:00', { subject: 'live', ingestPath: 'backfill' }));
  await pass(instantOf('10'));
  expect(await exceptions()).toEqual([['draft', 'live', 'resolved', true]]);
  expect((await obligations()).map((row) => [row.subject, row.state])).toEqual([['live', 'satisfied']]);
});

test('a duplicate closes as resolved when one of the two is taken out', async () => {
  const { pass } = detector();
  await arrive(
    event('bill.posted', '1', { supref: 'V:1', subject: 'm1' }),
    event('bill.posted', '2', { supref: 'V:1', subject: 'm2' }),
  );
  await pass(instantOf('3'));
  expect(await exceptions()).toEqual([['twice', 'm2', 'open', true]]);
  await arrive(event('bill.cancelled', '4', { subject: 'm1' }));
  await pass(instantOf('5'));
  expect(await exceptions()).toEqual([['twice', 'm2', 'resolved', true]]);
});

test('severity follows the close: a blocker is worse while its period closes', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '25', { subject: 'm1' }));
  const severity = async () =>
    (await postgres.db.selectFrom('exceptions').select('severity').execute())[0]?.severity;
  // Thursday the 28th is WD-2 of May 2026; WD15 is Friday the 19th of June.
  await pass(instantOf('27 12:00'));
  expect(await severity()).toBe('medium');
  await pass(instantOf('28 00:00'));
  expect(await severity()).toBe('high');
});
