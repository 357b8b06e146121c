import { expect, test } from 'vitest';
import { evaluate } from '../evaluators.ts';
import { contextAt, eventsOf, instantOf, ruleOf } from '../fixture.ts';

const RULE = ruleOf({ kind: 'state-age', enter: { types: ['x.a'] }, leave: { types: ['x.b', 'x.c'] } });
const judged = (events: string[], at: string, watermark?: string | null) => {
  const seen = eventsOf(events).filter((event) => event.at <= instantOf(at));
  return evaluate(RULE, seen, contextAt(at, watermark)).map((o) => [o.anchorEvent, o.state]);
};

test.each([
  ['still inside', ['A@1'], '1 12:00', undefined, [['0', 'pending']]],
  ['too long', ['A@1'], '2', undefined, [['0', 'open']]],
  ['too long, as far as is known', ['A@1'], '9', '1 12:00', [['0', 'indeterminate']]],
  ['left in time', ['A@1', 'B@2'], '9', undefined, [['0', 'satisfied']]],
  ['left late', ['A@1', 'C@3'], '9', undefined, [['0', 'late']]],
  ['a repeat does not restart the clock', ['A@1', 'A@2', 'C@2 12:00'], '9', undefined, [['0', 'late']]],
  [
    'each stay counts',
    ['A@1', 'B@1 05:00', 'A@2', 'C@5', 'A@8 12:00'],
    '9',
    undefined,
    [
      ['0', 'satisfied'],
      ['2', 'late'],
      ['4', 'pending'],
    ],
  ],
  ['leaving without having entered is nothing', ['B@1'], '9', undefined, []],
])('%s', (_, events, at, watermark, expected) => {
  expect(judged(events, at, watermark)).toEqual(expected);
});

test('an event that both leaves and enters ends one stay and begins the next', () => {
  const rule = ruleOf({ kind: 'state-age', enter: { types: ['x.a', 'x.b'] }, leave: { types: ['x.b'] } });
  const stays = evaluate(rule, eventsOf(['A@1', 'B@1 12:00']), contextAt('9'));
  expect(stays.map((o) => [o.anchorEvent, o.state])).toEqual([
    ['0', 'satisfied'],
    ['1', 'open'],
  ]);
});
