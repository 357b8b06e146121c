import { expect, test } from 'vitest';
import type { CaseEvent } from '../case-event.ts';
import { casesOf } from '../cases.ts';
import { evaluate } from '../evaluators.ts';
import { contextAt, eventsOf, ruleOf } from '../fixture.ts';

const RULE = ruleOf({
  kind: 'no-duplicate',
  by: ['supref', 'filehash'],
  when: { types: ['bill.posted'] },
  same: ['amount', 'currency'],
  unless: { types: ['bill.cancelled'] },
});

const bill = (
  subject: string,
  at: string,
  given: Partial<CaseEvent> & { supref?: string; hash?: string } = {},
): CaseEvent => {
  const { supref = 'V1:77', hash, ...rest } = given;
  return {
    ...(eventsOf([`bill.posted@${at}`])[0] as CaseEvent),
    id: `${subject}@${at}`,
    subject,
    amount: '100.00',
    currency: 'EUR',
    keys: [
      ...(supref ? [{ type: 'supref', value: supref }] : []),
      ...(hash ? [{ type: 'filehash', value: hash }] : []),
    ],
    ...rest,
  };
};
const cancelled = (subject: string, at: string): CaseEvent =>
  bill(subject, at, { type: 'bill.cancelled', supref: '' });
const judged = (events: CaseEvent[]) =>
  Object.fromEntries(
    casesOf(RULE, events)
      .flatMap((group) => evaluate(RULE, group, contextAt('30')))
      .map((o) => [o.subject, o.state]),
  );

test.each([
  [
    'the first is satisfied, each later one is open',
    [bill('b1', '1'), bill('b2', '2'), bill('b3', '3')],
    { b1: 'satisfied', b2: 'open', b3: 'open' },
  ],
  [
    'another reference is another bill',
    [bill('b1', '1'), bill('b2', '2', { supref: 'V1:78' })],
    { b1: 'satisfied', b2: 'satisfied' },
  ],
  [
    'another way to write the reference is not',
    [bill('b1', '1'), bill('b2', '2', { supref: 'v1:7 7' })],
    { b1: 'satisfied', b2: 'open' },
  ],
  [
    'another amount is another bill',
    [bill('b1', '1'), bill('b2', '2', { amount: '100.01' })],
    { b1: 'satisfied', b2: 'satisfied' },
  ],
  [
    'the same amount written otherwise is not',
    [bill('b1', '1'), bill('b2', '2', { amount: '100' })],
    { b1: 'satisfied', b2: 'open' },
  ],
  [
    'an amount that nobody knows equals nothing',
    [bill('b1', '1', { amount: undefined }), bill('b2', '2', { amount: undefined })],
    { b1: 'satisfied', b2: 'satisfied' },
  ],
  [
    'any one of the keys in common is enough',
    [bill('b1', '1', { hash: 'f' }), bill('b2', '2', { supref: 'V9:1', hash: 'f' })],
    { b1: 'satisfied', b2: 'open' },
  ],
  [
    'a key in common through a third does not',
    [
      bill('b1', '1'),
      bill('b2', '2', { hash: 'f', amount: '7' }),
      bill('b3', '3', { supref: '', hash: 'f' }),
    ],
    { b1: 'satisfied', b2: 'satisfied', b3: 'satisfied' },
  ],
  ['posted twice, the same bill is one', [bill('b1', '1'), bill('b1', '2')], { b1: 'satisfied' }],
  [
    'the later one is taken out',
    [bill('b1', '1'), bill('b2', '2'), cancelled('b2', '3')],
    { b1: 'satisfied', b2: 'voided' },
  ],
  [
    'the first is taken out: nobody repeats it',
    [bill('b1', '1'), bill('b2', '2'), bill('b3', '3'), cancelled('b1', '4')],
    { b1: 'voided', b2: 'satisfied', b3: 'open' },
  ],
  [
    'two companies do not share bills',
    [bill('b1', '1'), bill('b2', '2', { company: 'other' })],
    { b1: 'satisfied', b2: 'satisfied' },
  ],
  [
    'two sources may use one number',
    [bill('b1', '1'), bill('b1', '2', { source: 'ocr', id: 'x' })],
    { b1: 'open' },
  ],
])('%s', (_, events, expected) => {
  expect(judged(events)).toEqual(expected);
});

test('a duplicate names both, and is due at its own time', () => {
  const [, later] = evaluate(RULE, [bill('b1', '1'), bill('b2', '2')], contextAt('30'));
  expect(later).toMatchObject({ events: ['b2@2', 'b1@1'], occurrence: 'first' });
  expect(later?.dueAt).toBe(later?.anchorAt);
  expect(later?.why).toBe(
    'b2 shares supref:acme:V1:77 and the same amount, currency with b1 of 2026-05-01T00:00:00Z',
  );
});

test('live, history may be repeated but is no duplicate itself', () => {
  const live = { ...contextAt('9'), live: true };
  const old = (subject: string, at: string) => ({ ...bill(subject, at), history: true });
  const states = (...events: CaseEvent[]) =>
    casesOf(RULE, events).flatMap((one) =>
      evaluate(RULE, one, live).map(({ subject, state }) => `${subject} ${state}`),
    );
  expect(states(old('m1', '1'), bill('m2', '2'))).toEqual(['m2 open']);
  expect(states(bill('m1', '1'), old('m2', '2'))).toEqual(['m1 satisfied']);
  // What was back-filled of the subject itself is no other document.
  expect(states(old('m1', '1'), bill('m1', '2'), bill('m2', '3'))).toEqual(['m1 satisfied', 'm2 open']);
});
