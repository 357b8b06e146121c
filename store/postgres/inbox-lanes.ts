import { ClosewatchError } from '../../model/errors.ts';
import { MAX_BATCH, type Size } from './batches.ts';

/** What waits to be committed together, and whether an event of a critical kind is among it. */
export interface Call {
  readonly size: Size;
  readonly critical: boolean;
}

/** The line before the inbox, with a lane for what is critical. Pure: what waits and whose turn it is. */
export interface Lanes<T extends Call> {
  /** Puts a call in its lane. Throws `request.overloaded` when too much waits; a call that finds nobody waiting always fits. */
  push(call: T): void;
  /** Takes whole calls off the line until a transaction is full (a batch; one call may have more); none when nobody waits. */
  next(): T[];
  /** Events that wait. */
  readonly events: number;
  readonly hasCritical: boolean;
}

/** So little goes together, whatever it is: two commits would take longer. */
const SHARED: Size = { events: 500, characters: 2 << 20 };
/** So many transactions the critical lane has before the other one has one. */
const CRITICAL_TURNS = 4;

const plus = (a: Size, b: Size): Size => ({
  events: a.events + b.events,
  characters: a.characters + b.characters,
});
const fits = (size: Size, most: Size): boolean =>
  size.events <= most.events && size.characters <= most.characters;

/**
 * An empty line. Of `most` that may wait the ordinary lane has `ordinaryShare` (0 to 1) at most: critical calls are the
 * last to be refused.
 */
export function createLanes<T extends Call>(most: Size, ordinaryShare: number): Lanes<T> {
  let critical: T[] = [];
  let ordinary: T[] = [];
  let waiting: Size = { events: 0, characters: 0 };
  let turns = 0;
  const share: Size = {
    events: most.events * ordinaryShare,
    characters: most.characters * ordinaryShare,
  };

  /** How many calls at the head of a lane one transaction takes. */
  function group(lane: readonly T[]): number {
    let size: Size = { events: 0, characters: 0 };
    const full = lane.findIndex((call, at) => {
      size = plus(size, call.size);
      return at > 0 && !fits(size, MAX_BATCH);
    });
    return full < 0 ? lane.length : full;
  }

  function take(): T[] {
    if (fits(waiting, SHARED)) return [...critical.splice(0), ...ordinary.splice(0)];
    const isCritical = critical.length > 0 && (ordinary.length === 0 || turns < CRITICAL_TURNS);
    turns = isCritical ? turns + 1 : 0;
    const lane = isCritical ? critical : ordinary;
    const count = group(lane);
    if (isCritical) critical = lane.slice(count);
    else ordinary = lane.slice(count);
    return lane.slice(0, count);
  }

  return {
    push(call) {
      const isFull = !fits(plus(waiting, call.size), call.critical ? most : share);
      if (isFull && critical.length + ordinary.length > 0)
        throw new ClosewatchError('request.overloaded', 'too many events wait to be accepted');
      (call.critical ? critical : ordinary).push(call);
      waiting = plus(waiting, call.size);
    },
    next() {
      const calls = take();
      for (const { size } of calls)
        waiting = plus(waiting, { events: -size.events, characters: -size.characters });
      return calls;
    },
    get events() {
      return waiting.events;
    },
    get hasCritical() {
      return critical.length > 0;
    },
  };
}
