import { type FieldBearer, fieldOf } from '../../model/event-field.ts';
import { type EventPattern, eventMatcher } from '../../model/event-pattern.ts';
import type { Expectation, SameField } from '../../model/expectation.ts';
import type { CaseEvent } from './case-event.ts';
import { sameTest } from './compare.ts';
import { lookbackOf } from './groups.ts';

interface Follow extends EventPattern {
  readonly since: 'anchor' | 'ever';
  readonly same?: SameField[] | undefined;
}

/** How many answers it takes; a field that names no whole number above zero asks for one. */
export function countOf(count: number | string, anchor: FieldBearer): number {
  if (typeof count === 'number') return count;
  const text = fieldOf(anchor, count) ?? '1';
  return /^[1-9]\d{0,8}$/.test(text) ? Number(text) : 1;
}

/**
 * Finds for an anchor's position the position of the event that follows it (or, `ever`, that is not it): the first, or the
 * one that makes the count full.
 */
export function follower(
  rule: Pick<Expectation, 'lookback' | 'group'>,
  follow: Follow,
  events: readonly CaseEvent[],
  count: number | string,
): (anchor: number) => number | undefined {
  const matches = eventMatcher(follow);
  const positions: number[] = [];
  events.forEach((event, index) => {
    if (matches(event)) positions.push(index);
  });
  const { since } = follow;
  const lookback = lookbackOf(rule);
  if (count !== 1 || follow.same || lookback !== undefined) {
    const isSame = sameTest(follow.same);
    return (anchor) => {
      const start = events[anchor] as CaseEvent;
      let left = countOf(count, start);
      for (const position of positions) {
        if (position === anchor || (since === 'anchor' && position < anchor)) continue;
        const event = events[position] as CaseEvent;
        if (lookback !== undefined && distance(event, start) > lookback) continue;
        if (!isSame(start, event)) continue;
        left -= 1;
        if (left === 0) return position;
      }
      return undefined;
    };
  }
  if (since === 'ever') return (anchor) => (positions[0] === anchor ? positions[1] : positions[0]);
  // Anchors come in rising order, so one walk over the positions serves them all.
  let next = 0;
  return (anchor) => {
    while (next < positions.length && (positions[next] as number) <= anchor) next += 1;
    return positions[next];
  };
}

/** Nanoseconds between two events. */
export const distance = (a: Pick<CaseEvent, 'at'>, b: Pick<CaseEvent, 'at'>): bigint =>
  a.at > b.at ? a.at - b.at : b.at - a.at;
