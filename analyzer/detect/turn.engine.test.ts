import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { takeBatch } from '../../store/postgres/batches.ts';
import { ACME, detectionHouse, event, FLOWS, gate } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';
import { createDetector } from './pass.ts';

/** One pass at a time over all processes, and none that a clock misleads. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, complete, detector, events, exceptions, logger, obligations, postgres } = house;

test('of two passes at once each has its turn, and the second finds it done', async () => {
  await complete('30');
  await arrive(event('bill.drafted', '1', { subject: 'm1' }));
  const results = await Promise.all([detector().pass(instantOf('9')), detector().pass(instantOf('9'))]);
  expect(results.map(({ overtaken }) => overtaken)).toEqual([false, false]);
  expect(results.reduce((sum, { opened }) => sum + opened, 0)).toBe(1);
  expect(await exceptions()).toEqual([['draft', 'm1', 'open', true]]);
});

test('a pass that was taken for dead writes nothing that it read before another one judged', async () => {
  await complete('30');
  await arrive(event('bill.received', '1', { supref: 'V:1', subject: 's1' }));
  await detector().pass(instantOf('2'));
  // The first pass has read the case, without its answer, and stands still.
  const [read, goOn] = [gate(), gate()];
  const slow: typeof events = {
    ...events,
    async refsByJoinKeys(...asked) {
      const found = await events.refsByJoinKeys(...asked);
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
  // What its answer touches is due as well.
  expect(await detector().pass(instantOf('4'))).toMatchObject({ overtaken: false, judged: 3 });
  goOn.open();
  expect(await first).toMatchObject({ overtaken: true });
  expect((await obligations()).map(({ rule, state }) => [rule, state]).sort()).toEqual([['posted', 'late']]);
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
    async refsByJoinKeys(...asked) {
      if (!lost) {
        lost = true;
        await sql`UPDATE turns SET token = token + 1, held_until = now()`.execute(postgres.db);
        await detector().pass(instantOf('10'));
      }
      return await events.refsByJoinKeys(...asked);
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

test('an event dated in the future counts when its time has come', async () => {
  await complete('30');
  const { pass } = detector();
  await arrive(event('bill.drafted', '5', { subject: 'm1' }));
  expect(await pass(instantOf('4'))).toMatchObject({ events: 1, judged: 0 });
  expect(await pass(instantOf('5'))).toMatchObject({ events: 0, judged: 1 });
  expect(await pass(instantOf('6'))).toMatchObject({ opened: 1 });
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
  expect(await states()).toEqual(['draft m3 open', 'posted s1 open', 'posted s5 open']);
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
  expect(await states()).toEqual(['posted s1 pending', 'posted s5 pending']);
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
