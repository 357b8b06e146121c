import { expect, test } from 'vitest';
import type { RuleOf } from '../../../model/expectation.ts';
import { inEventOrder } from '../case-event.ts';
import { contextAt, eventsOf, instantOf, ruleOf } from '../fixture.ts';
import { numbers } from './numbers.ts';

const DAY = 86_400_000_000_000n;
const rule = ruleOf({
  kind: 'sequence',
  group: ['company'],
  lookback: '4d',
  when: { types: ['x.a'] },
  number: 'docnumber',
}) as RuleOf<'sequence'> & { readonly number: string };

/** Events of numbers at days of May 2026. */
const used = (...written: readonly (readonly [number: number, day: number])[]) =>
  written
    .map(([number, day], index) => ({
      ...(eventsOf(['A@1'])[0] as ReturnType<typeof eventsOf>[number]),
      id: `${index}`,
      subject: `n${number}`,
      docNumber: `J/${number}`,
      at: instantOf('1') + BigInt(Math.round(day * 24)) * (DAY / 24n),
    }))
    .sort(inEventOrder);

const judged = (events: ReturnType<typeof used>) =>
  numbers(rule, events, contextAt('31')).map((found) => ({
    id: found.id,
    state: found.state,
    at: found.anchorAt,
    what: found.occurrence,
  }));
const said = (events: ReturnType<typeof used>) => judged(events).map(({ what, state }) => `${what} ${state}`);

test('a gap is told by the first number above it, and closes late when its number comes', () => {
  expect(said(used([1, 0], [2, 1], [4, 2]))).toEqual(['gap J/# 4 open']);
  expect(said(used([1, 0], [2, 1], [4, 2], [3, 5]))).toEqual(['late J/# 3 late']);
  expect(said(used([1, 0], [2, 1], [4, 2], [3, 2.5]))).toEqual([]);
});

test('what was used further away in time than the rule looks is not seen together', () => {
  // 3 comes five days after 4: too far to fill its gap; 1 is too far below 6 to tell of one.
  expect(said(used([2, 1], [4, 2], [3, 7]))).toEqual(['gap J/# 4 open']);
  expect(said(used([1, 0], [6, 5]))).toEqual([]);
});

test('what is said of a number depends on nothing further away than the rule looks', () => {
  let state = 11;
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
  let seen = 0;
  for (let round = 0; round < 200; round += 1) {
    let number = 0;
    const events = used(
      ...Array.from({ length: 30 }, (_, i) => {
        number += 1 + Math.floor(random(4) / 3);
        return [number, i / 2 + random(12) - 6] as const;
      }),
    );
    const all = judged(events);
    seen += all.length;
    for (const event of events) {
      const near = events.filter(({ at }) => at >= event.at - 4n * DAY && at <= event.at + 4n * DAY);
      const ofAnchor = (found: ReturnType<typeof judged>) =>
        found
          .filter(({ at }) => at === event.at)
          .map(({ id, state }) => `${id} ${state}`)
          .sort();
      expect(ofAnchor(judged(near))).toEqual(ofAnchor(all));
    }
  }
  expect(seen).toBeGreaterThan(500);
});
