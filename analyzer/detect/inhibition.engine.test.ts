import { afterAll, beforeEach, expect, test } from 'vitest';
import { flow } from '../../model/flow.ts';
import { detectionHouse, event } from '../../test/detection-house.ts';
import { instantOf } from './fixture.ts';

/** What an open exception explains is held back, and told once that is over. */
const house = await detectionHouse();
afterAll(() => house.remove());
beforeEach(() => house.clear());
const { arrive, complete, detector, postgres } = house;

const FLOW = flow.parse({
  flow: 'jobs',
  name: 'A job and what it posts',
  owner: 'it',
  expectations: [
    {
      id: 'job',
      kind: 'state-age',
      enter: { types: ['cron.failed'] },
      leave: { types: ['cron.succeeded'] },
      within: '1h',
      inhibits: ['posted'],
      dependsOn: ['erp'],
    },
    {
      id: 'posted',
      kind: 'response',
      when: { types: ['bill.drafted'] },
      expect: { types: ['bill.posted'] },
      within: '4h',
      dependsOn: ['erp'],
    },
  ],
});

const shown = async () =>
  (
    await postgres.db
      .selectFrom('exceptions')
      .select(['rule', 'company', 'subject', 'state', 'notify', 'inhibited_by'])
      .orderBy('rule')
      .orderBy('subject')
      .execute()
  ).map(({ rule, subject, state, notify, inhibited_by }) => [
    rule,
    subject,
    state,
    notify,
    inhibited_by !== null,
  ]);

test('a job that does not run holds back what it did not post, until it runs again', async () => {
  await complete('30');
  const { pass } = detector([FLOW]);
  await arrive(
    event('bill.drafted', '1 06:00', { subject: 'before' }),
    event('cron.failed', '1 11:00', { subject: 'job' }),
    event('bill.drafted', '1 12:00', { subject: 'during' }),
  );
  await complete('30');
  await pass(instantOf('2'));
  expect(await shown()).toEqual([
    ['job', 'job', 'open', true, false],
    ['posted', 'before', 'open', true, false],
    ['posted', 'during', 'open', false, true],
  ]);

  await pass(instantOf('2 01:00'));
  expect((await shown()).find(([, subject]) => subject === 'during')).toEqual([
    'posted',
    'during',
    'open',
    false,
    true,
  ]);

  await arrive(event('cron.succeeded', '2 02:00', { subject: 'job' }));
  await pass(instantOf('2 03:00'));
  expect(await shown()).toEqual([
    ['job', 'job', 'late', true, false],
    ['posted', 'before', 'open', true, false],
    ['posted', 'during', 'open', true, false],
  ]);
});

test('what it explained and is mended meanwhile is never told', async () => {
  await complete('30');
  const { pass } = detector([FLOW]);
  await arrive(
    event('cron.failed', '1 11:00', { subject: 'job' }),
    event('bill.drafted', '1 12:00', { subject: 'during' }),
  );
  await pass(instantOf('2'));
  await arrive(
    event('cron.succeeded', '2 02:00', { subject: 'job' }),
    event('bill.posted', '2 02:01', { subject: 'during' }),
  );
  await pass(instantOf('2 03:00'));
  expect(await shown()).toEqual([
    ['job', 'job', 'late', true, false],
    ['posted', 'during', 'late', false, false],
  ]);
});
