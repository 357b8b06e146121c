import { afterAll, beforeEach, expect, test } from 'vitest';
import { appendChanges, shipChanges } from '../../store/postgres/change-log.ts';
import { detectionHouse, event, gate } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';

/** What detection leaves behind: in PostgreSQL for some time, in ClickHouse for good. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, clickhouse, complete, detector, obligations, postgres, shippedChanges } = house;

test('what was answered in time is not kept, what was late is forgotten once ClickHouse has it, and what their cases hold is seen again when they are touched', async () => {
  await complete('30');
  const kept = async () =>
    (await obligations()).map(({ rule, subject, state }) => `${rule} ${subject} ${state}`).sort();
  await arrive(
    event('bill.received', '1', { supref: 'V:1', subject: 's1' }),
    event('bill.posted', '2', { supref: 'V:1', subject: 'm1' }),
    event('bill.received', '1', { supref: 'V:2', subject: 's2' }),
    event('bill.received', '1', { supref: 'V:4', subject: 's4' }),
    event('bill.posted', '4', { supref: 'V:4', subject: 'm4' }),
    event('bill.drafted', '1', { subject: 'm3' }),
  );
  await detector().pass(instantOf('1 12:00'));
  expect(await kept()).toEqual(['draft m3 pending', ...['s1', 's2', 's4'].map((s) => `posted ${s} pending`)]);
  expect((await detector().pass(instantOf('5'))).states).toEqual({ satisfied: 1, late: 1, open: 2 });
  const open = ['draft m3 open', 'posted s2 open'];
  expect(await kept()).toEqual([...open, 'posted s4 late'].sort());
  const later = instantOf('2026-06-10T00:00:00Z');
  await detector().pass(later);
  expect(await kept()).toHaveLength(3);
  await shipChanges(postgres, clickhouse);
  await detector().pass(later);
  expect(await kept()).toEqual(open);
  // A second posting of the same bill touches the case: all is as it was, and the duplicate is seen.
  await arrive(event('bill.posted', '20', { supref: 'V:1', subject: 'm2' }));
  await detector().pass(later + 1n);
  expect(await kept()).toEqual([...open, 'twice m2 open'].sort());
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
  expect(await shippedChanges()).toBe(3);
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
  const rows = await shippedChanges();
  expect(rows).toBe(changes.length);
});
