import { afterAll, expect, test } from 'vitest';
import { instantOf } from '../../analyzer/detect/fixture.ts';
import { event } from '../../test/detection-house.ts';
import { temporaryStores } from '../../test/temporary-stores.ts';
import type { ScreenedAnchors, UnansweredQuestion } from './unanswered.ts';

const stores = await temporaryStores();
afterAll(() => stores.remove());
const { events } = stores;

const HOUR = 3_600_000_000_000n;
const QUESTION: UnansweredQuestion = {
  by: ['supref'],
  keyed: false,
  across: false,
  anchors: ['bill.received'],
  conditions: [],
  answers: ['bill.posted'],
  when: 'after',
  asOf: instantOf('30'),
  companies: new Map([['acme', 0]]),
  allowed: 24n * HOUR,
  byPeriod: false,
};

await events.insert(
  [
    event('bill.received', '2', { subject: 'a', supref: 'R1' }),
    event('bill.posted', '2 10:00', { subject: 'b', supref: 'R1' }),
    event('bill.received', '3', { subject: 'c', supref: 'R2' }),
    event('bill.posted', '4 00:01', { subject: 'd', supref: 'R2' }),
    event('bill.received', '5', { subject: 'e' }),
    event('bill.received', '6', { subject: 'f', supref: 'R3', company: 'other' }),
  ].map((one) => ({ ...one, batch: '1' })),
  'unanswered',
);

async function screened(question: Partial<UnansweredQuestion>) {
  const found: ScreenedAnchors[] = [];
  for await (const some of events.unanswered({ ...QUESTION, ...question })) found.push(some);
  return {
    answered: found.reduce((sum, one) => sum + one.answered, 0),
    others: found.flatMap(({ others }) => others.map(({ key }) => key)).sort(),
  };
}

test('what is answered in time by a key is counted, the rest is given out by its subject', async () => {
  expect(await screened({})).toEqual({ answered: 1, others: ['subject:erp:c', 'subject:erp:e'] });
  expect(await screened({ allowed: 25n * HOUR })).toEqual({ answered: 2, others: ['subject:erp:e'] });
  // Who must have a key is no anchor without it.
  expect(await screened({ keyed: true })).toEqual({ answered: 1, others: ['supref:acme:R2'] });
});

test('by a table each hour has its own time, and what lies beyond it none', async () => {
  const firstHour = Number(instantOf('2') / HOUR);
  const quarters = [...Array.from({ length: 24 }, () => 96), ...Array.from({ length: 24 }, () => 97)];
  const table = { firstHour, hours: 48, quarters };
  expect((await screened({ allowed: table })).answered).toBe(2);
  expect((await screened({ allowed: { ...table, firstHour: firstHour + 24 } })).answered).toBe(0);
});

test('of what is too much to be told to the engine nothing is sure, and nothing is lost', async () => {
  const large = {
    firstHour: Number(instantOf('1') / HOUR),
    hours: 400_000,
    quarters: Array.from({ length: 400_000 }, () => 96),
  };
  const all = ['subject:erp:a', 'subject:erp:c', 'subject:erp:e'];
  expect(await screened({ allowed: large })).toEqual({ answered: 0, others: all });
  const many = Array.from({ length: 6_000 }, (_, i): [string, number] => [
    `company-with-a-long-name-${i}`,
    0,
  ]);
  const companies = new Map([...many, ['acme', 0] as const]);
  expect(await screened({ companies })).toEqual({ answered: 1, others: ['subject:erp:c', 'subject:erp:e'] });
  expect(await screened({ companies, across: true })).toEqual({
    answered: 0,
    others: [...all, 'subject:erp:f'],
  });
});
