import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { company } from '../../model/company.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { type Flow, flow } from '../../model/flow.ts';
import { formatInstant } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { type ClickHouse, connectClickHouse } from '../../store/clickhouse/client.ts';
import { type FinanceEventStore, openFinanceEvents } from '../../store/clickhouse/finance-events.ts';
import { migrate } from '../../store/clickhouse/migrate.ts';
import { type TemporaryEngine, temporaryEngine } from '../../store/clickhouse/testing/temporary.ts';
import { takeBatch } from '../../store/postgres/batches.ts';
import { appendChanges, shipChanges } from '../../store/postgres/change-log.ts';
import { openPostgres, type Postgres } from '../../store/postgres/database.ts';
import { declareComplete, recordArrival } from '../../store/postgres/sources.ts';
import { caseEventOf } from './case-event.ts';
import { casesOf } from './cases.ts';
import { createCompleteness } from './completeness.ts';
import { evaluate } from './evaluators.ts';
import { instantOf } from './fixture.ts';
import { createDetector } from './pass.ts';
import { rulesOf } from './rules.ts';

const logger = { info() {}, warn() {}, error() {}, debug() {} };
const dir = mkdtempSync(join(tmpdir(), 'closewatch-detect-'));
let engine: TemporaryEngine;
let clickhouse: ClickHouse;
let postgres: Postgres;
let events: FinanceEventStore;

beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  postgres = await openPostgres({ dataDir: dir }, { logger });
  events = openFinanceEvents(clickhouse);
});
afterAll(async () => {
  await postgres?.close();
  await clickhouse?.close();
  await engine?.remove();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(clear);

async function clear(): Promise<void> {
  await sql`TRUNCATE obligations, obligation_keys, exceptions, change_log, cursors, control_runs, settings, sources,
    events_ahead, turns, batches CASCADE`.execute(postgres.db);
  for (const table of ['finance_events', 'event_keys', 'incident_events'])
    await clickhouse.command(`TRUNCATE TABLE ${table}`);
}

const FLOWS = [
  flow.parse({
    flow: 'ap',
    name: 'Bills',
    owner: 'ap',
    expectations: [
      {
        id: 'posted',
        kind: 'response',
        by: ['supref', 'docno'],
        when: { types: ['bill.received'] },
        expect: { types: ['bill.posted'] },
        unless: { types: ['bill.cancelled'] },
        within: '2d',
      },
      {
        id: 'draft',
        kind: 'state-age',
        enter: { types: ['bill.drafted'] },
        leave: { types: ['bill.posted', 'bill.cancelled'] },
        within: '1d',
        closeImpact: 'blocker',
      },
      {
        id: 'twice',
        kind: 'no-duplicate',
        by: ['supref'],
        when: { types: ['bill.posted'] },
        same: ['amount', 'currency'],
        unless: { types: ['bill.cancelled'] },
      },
    ],
  }),
];
/** The other picks, for the comparison with one judgement of all. */
const PICKS = flow.parse({
  flow: 'picks',
  name: 'Bills, by other picks',
  owner: 'ap',
  expectations: ['last', 'each'].map((pick) => ({
    id: pick,
    kind: 'response',
    by: ['supref', 'docno'],
    when: { types: ['bill.received', 'bill.drafted'], pick },
    expect: { types: ['bill.posted'] },
    unless: { types: ['bill.cancelled'], since: 'ever' },
    within: '1d',
  })),
});
const ACME = company.parse({
  key: 'acme',
  materiality: { overall: '10000', performance: '5000', trivial: '100' },
});

let made = 0;
const event = (
  type: string,
  at: string,
  given: Partial<FinanceEvent> & { supref?: string; docno?: string } = {},
): FinanceEvent => {
  made += 1;
  const { supref, docno, ...rest } = given;
  return {
    id: `e${String(made).padStart(4, '0')}`,
    source: 'erp',
    type,
    version: 1,
    time: formatInstant(instantOf(at)),
    receivedAt: '2026-05-01T00:00:00Z',
    batch: '0',
    sequence: '0',
    company: 'acme',
    subject: 'doc',
    ingestPath: 'push',
    amount: '700',
    currency: 'EUR',
    keys: [
      { type: 'subject', value: given.subject ?? 'doc' },
      ...(supref ? [{ type: 'supref', value: supref }] : []),
      ...(docno ? [{ type: 'docno', value: docno }] : []),
    ],
    attributes: {},
    data: '{}',
    ...rest,
  };
};

/** Stores the events as one batch, as the collector does. */
async function arrive(...some: FinanceEvent[]): Promise<void> {
  const batch = await postgres.db
    .transaction()
    .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'erp', rows: some.length }));
  await events.insert(
    some.map((one) => ({ ...one, batch: `${batch}` })),
    `${dir}:${made}:${batch}`,
  );
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
}

/** The source has sent everything of bills up to the instant. */
async function complete(upTo: string): Promise<void> {
  const declared = { source: 'erp', company: 'acme', stream: '', completeUpTo: instantOf(upTo) };
  await declareComplete(postgres.db, [declared], new Date());
  await sql`UPDATE sources SET types = '{bill.posted,bill.cancelled}'`.execute(postgres.db);
}

const detector = (flows: readonly Flow[] = FLOWS) =>
  createDetector({ postgres, events, flows, companies: [ACME], logger });
const exceptions = async () =>
  (await postgres.db.selectFrom('exceptions').selectAll().orderBy('rule').orderBy('subject').execute()).map(
    (row) => [row.rule, row.subject, row.state, row.notify],
  );
const obligations = async () =>
  await postgres.db
    .selectFrom('obligations')
    .selectAll()
    .where('rule', '<>', 'DC-02')
    .orderBy('id')
    .execute();

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
  event('bill.posted', '1 02:00', { subject: 'move-1', supref: 'V:1' }),
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
  const expected = ['first supref:acme:V:1: satisfied', 'first: open'];
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
    ['first', 'satisfied'],
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

test('an event dated in the future counts when its time has come', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '5', { subject: 'm1' }));
  expect(await pass(instantOf('4'))).toMatchObject({ events: 1, judged: 0 });
  expect(await pass(instantOf('5'))).toMatchObject({ events: 0, judged: 1 });
  expect(await pass(instantOf('6'))).toMatchObject({ opened: 1 });
});

test('a rule that is gone takes its exceptions with it, and a new version judges again', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }), event('bill.received', '1', { supref: 'V:1' }));
  await detector().pass(instantOf('9'));
  const changed = FLOWS.map((one) => ({
    ...one,
    expectations: one.expectations
      .filter(({ id }) => id !== 'draft')
      .map((rule) => (rule.kind === 'response' ? { ...rule, version: 2, within: '20d' } : rule)),
  }));
  await detector(changed).pass(instantOf('10'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'resolved', true],
    ['posted', 'doc', 'resolved', true],
  ]);
  expect((await obligations()).map((row) => [row.rule, row.state, row.rule_version])).toEqual([
    ['posted', 'pending', 2],
  ]);
});

test('of two passes at once each has its turn, and the second finds it done', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  const results = await Promise.all([detector().pass(instantOf('9')), detector().pass(instantOf('9'))]);
  expect(results.map(({ overtaken }) => overtaken)).toEqual([false, false]);
  expect(results.reduce((sum, { opened }) => sum + opened, 0)).toBe(1);
  expect(await exceptions()).toEqual([['draft', 'm1', 'open', true]]);
});

/** A promise and what resolves it. */
function gate(): { passed: Promise<void>; open(): void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

test('a pass that was taken for dead writes nothing that it read before another one judged', async () => {
  await complete('30');
  await arrive(event('bill.received', '1', { supref: 'V:1', subject: 's1' }));
  await detector().pass(instantOf('2'));
  // The first pass has read the case, without its answer, and stands still.
  const [read, goOn] = [gate(), gate()];
  const slow: typeof events = {
    ...events,
    async byJoinKeys(...asked) {
      const found = await events.byJoinKeys(...asked);
      read.open();
      await goOn.passed;
      return found;
    },
  };
  const deps = { postgres, flows: FLOWS, companies: [ACME], logger };
  const first = createDetector({ ...deps, events: slow }).pass(instantOf('4'));
  await read.passed;
  await arrive(event('bill.posted', '3 12:00', { supref: 'V:1', subject: 'm1' }));
  await sql`UPDATE turns SET token = token + 1, held_until = now()`.execute(postgres.db);
  expect(await detector().pass(instantOf('4'))).toMatchObject({ overtaken: false, judged: 2 });
  goOn.open();
  expect(await first).toMatchObject({ overtaken: true });
  expect((await obligations()).map(({ rule, state }) => [rule, state]).sort()).toEqual([
    ['posted', 'late'],
    ['twice', 'satisfied'],
  ]);
});

test('a rebuild lets other passes have their turn, and is done when it says so', async () => {
  await complete('30');
  for (let day = 1; day < 4; day += 1) await arrive(event('bill.drafted', `${day}`, { subject: `m${day}` }));
  await detector().pass(instantOf('9'));
  await sql`DELETE FROM obligations`.execute(postgres.db);
  // A turn of the rebuild is lost to a pass that comes in between.
  let lost = false;
  const disturbed: typeof events = {
    ...events,
    async byJoinKeys(...asked) {
      if (!lost) {
        lost = true;
        await sql`UPDATE turns SET token = token + 1, held_until = now()`.execute(postgres.db);
        await detector().pass(instantOf('10'));
      }
      return await events.byJoinKeys(...asked);
    },
  };
  const deps = { postgres, events: disturbed, flows: FLOWS, companies: [ACME], logger };
  const result = await createDetector(deps).pass(instantOf('9'), { rebuild: true });
  expect(result).toMatchObject({ overtaken: false, fromBatch: 0n });
  expect(lost).toBe(true);
  expect((await obligations()).map(({ subject, state }) => [subject, state]).sort()).toEqual([
    ['m1', 'open'],
    ['m2', 'open'],
    ['m3', 'open'],
  ]);
});

test('a pass that cannot have the turn says so', async () => {
  await detector().pass(instantOf('9'));
  await sql`UPDATE turns SET held_until = now() + interval '1 hour'`.execute(postgres.db);
  const hasty = { postgres, events, flows: FLOWS, companies: [ACME], logger, turnPatienceMs: 100 };
  expect(await createDetector(hasty).pass(instantOf('9'))).toMatchObject({ overtaken: true });
});

test('a clock that steps back takes nothing back', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.received', '1 00:00:04', { supref: 'V:1', subject: 's1' }));
  await pass(instantOf('1 00:00:05'));
  await arrive(event('bill.drafted', '1', { supref: 'V:1', subject: 's1' }));
  await arrive(event('bill.received', '1 00:00:04', { supref: 'V:1', subject: 's2' }));
  await pass(instantOf('1 00:00:03'));
  expect((await obligations()).map(({ rule, state }) => [rule, state]).sort()).toEqual([
    ['draft', 'pending'],
    ['posted', 'pending'],
  ]);
});

test('what a clock that was far ahead did is taken back, and done when its time comes', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(
    event('bill.received', '1 01:00', { supref: 'V:1', subject: 's1' }),
    event('bill.received', '1 01:00', { supref: 'V:2', subject: 's2' }),
    event('bill.received', '1 01:00', { supref: 'V:4', subject: 's4' }),
    // Dated ahead: an answer, a voiding event and a start of their own.
    event('bill.posted', '2 12:00', { supref: 'V:2', subject: 'm2' }),
    event('bill.cancelled', '2 12:00', { supref: 'V:4', subject: 'm4' }),
    event('bill.drafted', '8', { subject: 'm3' }),
  );
  await pass(instantOf('1 01:30'));
  const states = async () =>
    (await obligations()).map(({ rule, subject, state }) => `${rule} ${subject} ${state}`).sort();
  const rightly = await states();
  expect(rightly).toEqual(['posted s1 pending', 'posted s2 pending', 'posted s4 pending']);
  expect(await pass(instantOf('21'))).toMatchObject({ asOf: instantOf('21'), opened: 2 });
  // What arrives while the clock is ahead is judged as of it.
  await arrive(event('bill.received', '1 01:45', { supref: 'V:5', subject: 's5' }));
  await pass(instantOf('21 00:01'));
  expect(await states()).toEqual([
    'draft m3 open',
    'posted s1 open',
    'posted s2 satisfied',
    'posted s4 voided',
    'posted s5 open',
    'twice m2 satisfied',
  ]);
  expect(await pass(instantOf('1 02:00'))).toMatchObject({ asOf: instantOf('1 02:00'), opened: 0 });
  expect(await states()).toEqual([...rightly, 'posted s5 pending']);
  expect((await exceptions()).map(([, subject, state]) => [subject, state])).toEqual([
    ['m3', 'resolved'],
    ['s1', 'resolved'],
    ['s5', 'resolved'],
  ]);
  // The same pass again finds nothing to do.
  expect(await pass(instantOf('1 02:00'))).toMatchObject({ judged: 0 });
  await pass(instantOf('2 12:00'));
  expect(await states()).toEqual([
    'posted s1 pending',
    'posted s2 satisfied',
    'posted s4 voided',
    'posted s5 pending',
    'twice m2 satisfied',
  ]);
  await pass(instantOf('10'));
  const opened = await postgres.db
    .selectFrom('exceptions')
    .select(['subject', 'state', 'opened_at', 'severity'])
    .orderBy('subject')
    .execute();
  // Opened by the clock that was ahead, when that was taken back.
  const openedAt = new Date('2026-05-01T02:00:00Z');
  expect(opened).toEqual([
    { subject: 'm3', state: 'open', opened_at: openedAt, severity: 'medium' },
    { subject: 's1', state: 'open', opened_at: openedAt, severity: 'high' },
    { subject: 's5', state: 'open', opened_at: openedAt, severity: 'high' },
  ]);
});

test('what a clock that was ahead found rightly stays, with the severity of now', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.received', '1', { supref: 'V:1' }));
  const only = async () =>
    await postgres.db.selectFrom('exceptions').select(['state', 'severity', 'opened_at']).execute();
  await pass(instantOf('21'));
  expect(await only()).toMatchObject([{ state: 'open', severity: 'high' }]);
  await pass(instantOf('4'));
  expect(await only()).toEqual([
    { state: 'open', severity: 'medium', opened_at: new Date('2026-05-04T00:00:00Z') },
  ]);
  // Its severity rises when its time comes, as if nothing had been.
  await pass(instantOf('9 00:00:01'));
  expect(await only()).toMatchObject([{ state: 'open', severity: 'high' }]);
});

test('while ClickHouse is behind the inbox a clock that was ahead is not set back', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  await pass(instantOf('21'));
  const open = await exceptions();
  const batch = await postgres.db
    .transaction()
    .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'erp', rows: 1 }));
  expect(await pass(instantOf('1 12:00'))).toMatchObject({ asOf: instantOf('1 12:00'), judged: 0 });
  expect(await exceptions()).toEqual(open);
  await postgres.db.updateTable('batches').set({ state: 'stored' }).where('batch', '=', `${batch}`).execute();
  await pass(instantOf('1 12:00'));
  expect(await exceptions()).toEqual([['draft', 'm1', 'resolved', true]]);
});

test('what was decided long ago is forgotten once ClickHouse has it, and told again when its case is touched', async () => {
  await complete('30');
  await arrive(
    event('bill.received', '1', { supref: 'V:1', subject: 's1' }),
    event('bill.posted', '2', { supref: 'V:1', subject: 'm1' }),
    event('bill.received', '1', { supref: 'V:2', subject: 's2' }),
    event('bill.drafted', '1', { subject: 'm3' }),
  );
  await detector().pass(instantOf('1 12:00'));
  await detector().pass(instantOf('4'));
  const kept = async () =>
    (await obligations()).map(({ rule, subject, state }) => `${rule} ${subject} ${state}`).sort();
  const before = await obligations();
  const open = ['draft m3 open', 'posted s2 open'];
  expect(await kept()).toEqual([...open, 'posted s1 satisfied', 'twice m1 satisfied'].sort());
  const later = instantOf('2026-06-10T00:00:00Z');
  await detector().pass(later);
  expect(await kept()).toHaveLength(4);
  await shipChanges(postgres, clickhouse);
  await detector().pass(later);
  expect(await kept()).toEqual(open);
  // A second posting of the same bill touches the case: all is as it was, and the duplicate is seen.
  await arrive(event('bill.posted', '20', { supref: 'V:1', subject: 'm2' }));
  await detector().pass(later + 1n);
  expect(await kept()).toEqual(
    [...open, 'posted s1 satisfied', 'twice m1 satisfied', 'twice m2 open'].sort(),
  );
  const same = ({ updated_at, severity, ...rest }: (typeof before)[number]) => rest;
  const after = await obligations();
  for (const one of before.filter(({ state }) => state === 'satisfied'))
    expect(after.map(same)).toContainEqual(same(one));
});

test('passes that find the same again are one control run', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  for (const at of ['1', '1 00:01', '1 00:02', '1 00:03']) await pass(instantOf(at));
  await pass(instantOf('9'));
  const runs = await postgres.db
    .selectFrom('control_runs')
    .select(['events', 'opened', 'passes', 'as_of_ns'])
    .orderBy('id')
    .execute();
  expect(runs.map((run) => [run.events, run.opened, run.passes, run.as_of_ns])).toEqual([
    ['1', 0, 1, `${instantOf('1')}`],
    ['0', 0, 3, `${instantOf('1 00:03')}`],
    ['0', 1, 1, `${instantOf('9')}`],
  ]);
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

test('a rule that is switched off and on again, and one that is new, judge what is stored', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }), event('bill.received', '1', { supref: 'V:1' }));
  await detector().pass(instantOf('9'));
  const without = FLOWS.map((one) => ({
    ...one,
    expectations: one.expectations.filter(({ id }) => id !== 'draft'),
  }));
  await detector(without).pass(instantOf('10'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'resolved', true],
    ['posted', 'doc', 'open', true],
  ]);
  await detector([...FLOWS, PICKS]).pass(instantOf('11'));
  expect(await exceptions()).toEqual([
    ['draft', 'm1', 'open', true],
    ['each', 'doc', 'open', true],
    ['each', 'm1', 'open', true],
    ['last', 'doc', 'open', true],
    ['last', 'm1', 'open', true],
    ['posted', 'doc', 'open', true],
  ]);
  // It is done once.
  expect(await detector([...FLOWS, PICKS]).pass(instantOf('11'))).toMatchObject({ judged: 0 });
});

test('a new rule judges what a process that does not have it passes on', async () => {
  await complete('30');
  const [old, young] = [detector(), detector([...FLOWS, PICKS])];
  const received = (n: number) => event('bill.received', '1', { supref: `V:${n}`, subject: `s${n}` });
  const open = async () =>
    (await exceptions()).filter(([rule]) => rule === 'last' || rule === 'posted').map((row) => row.join(' '));
  await arrive(received(1));
  await old.pass(instantOf('9'));
  await young.pass(instantOf('9'));
  expect(await open()).toEqual(['last s1 open true', 'posted s1 open true']);
  // The process of before goes on for a while under the rules that it knows.
  for (const n of [2, 3]) {
    await arrive(received(n));
    await old.pass(instantOf('9'));
  }
  expect(await open()).toHaveLength(4);
  const both = [1, 2, 3].flatMap((n) => [`last s${n} open true`, `posted s${n} open true`]).sort();
  await young.pass(instantOf('9'));
  expect(await open()).toEqual(both);
  await arrive(received(4));
  await old.pass(instantOf('9'));
  // One that starts later knows it too, and does it once.
  await detector([...FLOWS, PICKS]).pass(instantOf('9'));
  expect(await open()).toEqual([...both, 'last s4 open true', 'posted s4 open true'].sort());
  expect(await young.pass(instantOf('9'))).toMatchObject({ judged: 0 });
});

test('how far a new rule has come is remembered, and a pass may take it to the end', async () => {
  await complete('30');
  const drafted = (n: number) => event('bill.drafted', '1', { subject: `m${n}` });
  const big = (from: number) => Array.from({ length: 2_000 }, (_, n) => drafted(from + n));
  for (const from of [0, 2_000, 4_000]) await arrive(...big(from));
  await detector([]).pass(instantOf('9'));
  // The process ends in the second of three windows.
  let windows = 0;
  const dying: typeof events = {
    ...events,
    async *inBatches(after, upTo) {
      windows += 1;
      if (windows === 2) throw new Error('killed');
      yield* events.inBatches(after, upTo);
    },
  };
  const deps = { postgres, flows: FLOWS, companies: [ACME], logger };
  await expect(createDetector({ ...deps, events: dying }).pass(instantOf('9'))).rejects.toThrow('killed');
  expect(await obligations()).toHaveLength(2_000);
  // Reading a window takes longer than a pass may spend on what is stored.
  let clock = 0;
  const time = vi.spyOn(performance, 'now').mockImplementation(() => clock);
  const slow: typeof events = {
    ...events,
    inBatches(after, upTo) {
      clock += 6_000;
      return events.inBatches(after, upTo);
    },
  };
  try {
    const { pass } = createDetector({ ...deps, events: slow });
    await arrive(...big(6_000));
    // The second window, and what is new.
    expect(await pass(instantOf('9'))).toMatchObject({ events: 4_000, opened: 4_000 });
    await detector([]).pass(instantOf('9'));
    expect(
      await createDetector({ ...deps, events: slow }).pass(instantOf('9'), { catchUp: true }),
    ).toMatchObject({ events: 8_000, opened: 8_000 });
  } finally {
    time.mockRestore();
  }
  expect((await obligations()).filter(({ rule }) => rule === 'draft')).toHaveLength(8_000);
});

test('two who ship the changes at once store each of them once', async () => {
  const change = (entityId: string) =>
    postgres.db
      .transaction()
      .execute((trx) =>
        appendChanges(trx, [
          { entity: 'setting', entityId, company: 'acme', change: 'changed', at: new Date() },
        ]),
      );
  const [held, goOn, secondHeld, secondGoOn] = [gate(), gate(), gate(), gate()];
  await change('a');
  // One has sent the first block and stands still before it notes so.
  const slow = shipChanges(postgres, {
    async insertRows(...block) {
      await clickhouse.insertRows(...block);
      held.open();
      await goOn.passed;
    },
  });
  await held.passed;
  // The other sends it too, notes it, and stands still when it has sent the next.
  let blocks = 0;
  const other = shipChanges(postgres, {
    async insertRows(...block) {
      await clickhouse.insertRows(...block);
      blocks += 1;
      if (blocks === 1) await change('b');
      if (blocks !== 2) return;
      secondHeld.open();
      await secondGoOn.passed;
    },
  });
  await secondHeld.passed;
  await change('c');
  goOn.open();
  // The slow one goes on with what is on its way; it must not begin a block of its own that holds it too.
  await slow;
  secondGoOn.open();
  await other;
  expect(await fetchCount()).toBe(3);
});

test('every change is copied to ClickHouse once', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  await pass(instantOf('9'));
  const sent: { token: string }[] = [];
  // The first attempt breaks off after ClickHouse has the block.
  const breaking = {
    insertRows: async (table: string, rows: readonly object[], options: { token: string }) => {
      await clickhouse.insertRows(table, rows, options);
      sent.push(options);
      throw new Error('broken off');
    },
  };
  await expect(shipChanges(postgres, breaking)).rejects.toThrow('broken off');
  await arrive(event('bill.posted', '9', { subject: 'm1' }));
  await pass(instantOf('10'));
  const changes = await postgres.db.selectFrom('change_log').select('seq').execute();
  expect(await shipChanges(postgres, clickhouse)).toBe(changes.length);
  expect(await shipChanges(postgres, clickhouse)).toBe(0);
  const rows = await fetchCount();
  expect(rows).toBe(changes.length);
});

async function fetchCount(): Promise<number> {
  const response = await fetch(
    `${engine.url}/?database=closewatch&query=${encodeURIComponent('SELECT count() FROM incident_events')}`,
    {
      headers: {
        Authorization: `Basic ${Buffer.from(`${engine.username}:${engine.password}`).toString('base64')}`,
      },
    },
  );
  return Number(await response.text());
}

/** What one judgement of all the events at once says. */
async function atOnce(flows: readonly Flow[], all: readonly FinanceEvent[], now: bigint): Promise<string[]> {
  const streams: SourceStream[] = [
    {
      source: 'erp',
      company: 'acme',
      stream: '',
      kind: 'declared',
      completeUpTo: instantOf('30'),
      completeWithoutLimit: false,
      latenessNanos: 0n,
      silenceNanos: 0n,
      types: ['bill.posted'],
    },
  ];
  return rulesOf(flows)
    .flatMap((rule) => {
      const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf: () => ACME });
      const seen = all.map(caseEventOf).filter(({ at, type }) => at <= now && rule.looksAt(type));
      return casesOf(rule.expectation, seen).flatMap((events) =>
        evaluate(rule.expectation, events, {
          flow: 'ap',
          at: now,
          company: ACME,
          live: true,
          complete: (source) => complete('acme', source),
        }),
      );
    })
    .map(
      (o) =>
        `${o.rule} ${o.subject} ${o.occurrence} ${o.state} ${o.dueAt} ${o.answeredAt ?? ''} ${o.events.join()}`,
    )
    .sort();
}

const someEvent = fc.record({
  type: fc.constantFrom('bill.received', 'bill.drafted', 'bill.posted', 'bill.cancelled'),
  hour: fc.integer({ min: 0, max: 23 * 8 }),
  subject: fc.constantFrom('d1', 'd2', 'd3', 'd4'),
  supref: fc.option(fc.constantFrom('V:1', 'V:2'), { nil: undefined }),
  docno: fc.option(fc.constantFrom('B1', 'B2'), { nil: undefined }),
  amount: fc.constantFrom('100', '100.00', '7'),
  ingestPath: fc.constantFrom('push' as const, 'push' as const, 'backfill' as const),
});

const SEED = 20260501;

test(`whatever the order of arrival, the passes between and their clocks, the end is that of one judgement (seed ${SEED})`, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(someEvent, { minLength: 1, maxLength: 14 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 4 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 80 })),
      // Now and then a pass has a clock that is days ahead.
      fc.infiniteStream(fc.constantFrom(0, 0, 0, 1, 2, 20)),
      async (drawn, sizes, steps, ahead) => {
        await clear();
        await complete('30');
        const all = drawn.map(({ type, hour, ...given }) =>
          event(type, formatInstant(instantOf('1') + BigInt(hour) * 3_600_000_000_000n), {
            ...given,
            supref: given.supref as string,
            docno: given.docno as string,
          }),
        );
        const flows = [...FLOWS, PICKS];
        const { pass } = detector(flows);
        let now = instantOf('1');
        for (let at = 0; at < all.length; ) {
          const size = sizes.next().value as number;
          await arrive(...all.slice(at, at + size));
          at += size;
          now += BigInt(steps.next().value as number) * 1_800_000_000_000n;
          const days = ahead.next().value as number;
          if (days > 0) await pass(now + BigInt(days) * 86_400_000_000_000n);
          await pass(now);
        }
        const end = now > instantOf('12') ? now : instantOf('12');
        await pass(end);
        const stored = (await obligations()).map(
          (o) =>
            `${o.rule} ${o.subject} ${o.occurrence} ${o.state} ${o.due_ns} ${o.answered_ns ?? ''} ${o.events.join()}`,
        );
        expect(stored.sort()).toEqual(await atOnce(flows, all, end));
        const open = await postgres.db
          .selectFrom('exceptions')
          .select('id')
          .where('state', 'in', ['open', 'indeterminate'])
          .orderBy('id')
          .execute();
        const unmet = (await obligations()).filter(
          ({ state }) => state === 'open' || state === 'indeterminate',
        );
        expect(open.map(({ id }) => id)).toEqual(unmet.map(({ id }) => id));
      },
    ),
    { numRuns: 12, seed: SEED },
  );
});
