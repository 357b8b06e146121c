import { join } from 'node:path';
import { expect, test } from 'vitest';
import { expectation } from '../../../model/expectation.ts';
import { loadFlows } from '../flow-files.ts';
import { rulesOf } from '../rules.ts';
import { screenOf } from './screen.ts';

const response = (given: object) =>
  expectation.parse({
    id: 'r',
    kind: 'response',
    when: { types: ['bill.received'] },
    expect: { types: ['bill.posted'] },
    within: '2d',
    ...given,
  });

test('most rules of the house are screened', async () => {
  const rules = rulesOf(await loadFlows(join(import.meta.dirname, '../../../flows')));
  const screened = rules.filter(({ expectation }) => screenOf(expectation));
  expect(screened.length).toBeGreaterThan(40);
  for (const { expectation } of screened) expect(expectation.group).toBeUndefined();
});

test.each([
  ['a group', { group: ['party'] }],
  ['a lookback', { lookback: '10d' }],
  ['several answers', { expect: { types: ['bill.posted'], count: 2 } }],
  ['answers of a kind', { expect: { types: ['bill.posted'], where: { state: 'posted' } } }],
  ['answers with the same field', { expect: { types: ['bill.posted'], same: ['amount'] } }],
  ['answers that may be anchors, from ever', { expect: { types: ['bill.*'], since: 'ever' } }],
  ['a date that the event names', { until: { field: 'data.dates.dueDate' } }],
])('no screen tells who is unanswered under a rule with %s', (_, given) => {
  expect(screenOf(response({}))).toBeDefined();
  expect(screenOf(response(given))).toBeUndefined();
});
