import { typeMatcher } from '../../model/event-pattern.ts';
import { typesOf } from '../../model/expectation.ts';
import { type CaseEvent, inEventOrder } from './case-event.ts';
import { groupKeyOf, lookbackOf } from './groups.ts';
import type { Rule } from './rules.ts';

/** Events that are remembered of one rule in one company, and of all together: half a kilobyte to two each. */
const MOST_OF_ONE = 60_000;
const MOST = 200_000;
const DAY = 86_400_000_000_000n;

/** The events of a rule's groups in a company since an instant, each group's in event order. */
interface Remembered {
  readonly rule: Rule;
  readonly company: string;
  readonly looksAt: (type: string) => boolean;
  from: bigint;
  size: number;
  /** How many there may be before what is over is let go. */
  room: number;
  readonly groups: Map<string, CaseEvent[]>;
}

/**
 * What the groups of rules hold, as long as this process alone judges what comes: read once, then kept up by what each batch
 * brings. What would be too much is not remembered, and is read whenever it is asked for.
 */
export class GroupMemory {
  readonly #all = new Map<string, Remembered>();
  #batch: bigint | undefined;

  /** How much may be remembered of a rule in a company, and of all together. */
  readonly mostOfOne: number;
  readonly #most: number;

  constructor({ mostOfOne = MOST_OF_ONE, most = MOST } = {}) {
    this.mostOfOne = mostOfOne;
    this.#most = most;
  }

  /** Takes the events of the batches (after, upTo]. Another process that judged batches in between makes all of it worthless. */
  take({ after, upTo }: { after: bigint; upTo: bigint }, events: readonly CaseEvent[]): void {
    this.at(after);
    this.#batch = upTo;
    // Before they come: what they are compared with is not over yet.
    for (const one of this.#all.values()) if (one.size > one.room) this.#letGo(one);
    const looking = new Map<string, Remembered[]>();
    for (const event of events) {
      const place = `${event.company}\n${event.type}`;
      let those = looking.get(place);
      if (!those) {
        those = [...this.#all.values()].filter(
          ({ company, looksAt }) => company === event.company && looksAt(event.type),
        );
        looking.set(place, those);
      }
      for (const one of those) add(one, event);
    }
    for (const [name, one] of this.#all) if (one.size > 2 * this.mostOfOne) this.#all.delete(name);
  }

  /** Batches up to this one were judged. */
  at(batch: bigint): void {
    if (this.#batch !== batch) this.#all.clear();
    this.#batch = batch;
  }

  /** Does it hold everything of the rule in the company since the instant? */
  holds(rule: Rule, company: string, from: bigint): boolean {
    const one = this.#all.get(nameOf(rule, company));
    return one !== undefined && one.from <= from;
  }

  /** By group the events of those that are asked for, in [from, to], epoch nanoseconds, and in their order. */
  get(
    rule: Rule,
    company: string,
    keys: Iterable<string>,
    { from, to }: { from: bigint; to: bigint },
  ): Map<string, readonly CaseEvent[]> {
    const found = new Map<string, readonly CaseEvent[]>();
    const name = nameOf(rule, company);
    const one = this.#all.get(name);
    if (!one) return found;
    // The one that was used last is let go last.
    this.#all.delete(name);
    this.#all.set(name, one);
    for (const key of keys) {
      const events = one.groups.get(key);
      if (events) found.set(key, within(events, from, to));
    }
    return found;
  }

  /** Remembers all that there is of the rule in the company since the instant. */
  remember(rule: Rule, company: string, from: bigint, events: readonly CaseEvent[]): void {
    const looksAt = typeMatcher(typesOf(rule.expectation));
    const one: Remembered = { rule, company, looksAt, from, size: 0, room: 0, groups: new Map() };
    for (const event of events) if (event.company === company && looksAt(event.type)) add(one, event);
    one.room = roomFor(one.size);
    this.#all.set(nameOf(rule, company), one);
    let size = 0;
    for (const known of this.#all.values()) size += known.size;
    for (const [name, known] of this.#all) {
      if (size <= this.#most) break;
      size -= known.size;
      this.#all.delete(name);
    }
  }

  /** Lets go what is older than anything that is asked for, and all of it when that is not enough. */
  #letGo(one: Remembered): void {
    let latest = one.from;
    for (const events of one.groups.values()) {
      const at = events.at(-1)?.at ?? one.from;
      if (at > latest) latest = at;
    }
    const from = latest - 2n * (lookbackOf(one.rule.expectation) ?? 0n) - slackOf(one.rule);
    if (from > one.from) {
      one.from = from;
      one.size = 0;
      for (const [key, events] of one.groups) {
        const kept = events.filter(({ at }) => at >= from);
        one.size += kept.length;
        if (kept.length === 0) one.groups.delete(key);
        else one.groups.set(key, kept);
      }
    }
    one.room = roomFor(one.size);
    if (one.size > this.mostOfOne) this.#all.delete(nameOf(one.rule, one.company));
  }
}

const nameOf = (rule: Rule, company: string): string => `${rule.expectation.id}\n${company}`;
const roomFor = (size: number): number => size + Math.max(1_000, size >> 2);

/** So much more is remembered than was asked for, nanoseconds: what comes late looks further back. */
export const slackOf = ({ expectation }: Rule): bigint => (lookbackOf(expectation) ?? 0n) / 4n + 2n * DAY;

function add(one: Remembered, event: CaseEvent): void {
  if (event.at < one.from) return;
  for (const key of groupKeyOf(one.rule.expectation, event)) {
    const events = one.groups.get(key);
    if (!events) one.groups.set(key, [event]);
    else if (!insert(events, event)) continue;
    one.size += 1;
  }
}

/** Puts the event in its place, unless it is there: it may have been read before its batch was taken. */
function insert(events: CaseEvent[], event: CaseEvent): boolean {
  const at = placeOf(events, event);
  for (let i = at - 1; i >= 0 && inEventOrder(events[i] as CaseEvent, event) === 0; i -= 1)
    if (events[i]?.source === event.source) return false;
  if (at === events.length) events.push(event);
  else events.splice(at, 0, event);
  return true;
}

/** Those of the events, which are in order, that lie in [from, to]. */
function within(events: readonly CaseEvent[], from: bigint, to: bigint): readonly CaseEvent[] {
  const [first, last] = [events[0], events.at(-1)];
  if (!first || !last) return events;
  // A copy: more may come meanwhile.
  if (from <= first.at && last.at <= to) return events.slice();
  return events.filter(({ at }) => from <= at && at <= to);
}

/** How many of the events, which are in order, do not come after this one. */
function placeOf(events: readonly CaseEvent[], event: CaseEvent): number {
  let [from, to] = [0, events.length];
  // Most come in their order.
  if (to > 0 && inEventOrder(events[to - 1] as CaseEvent, event) <= 0) return to;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (inEventOrder(events[middle] as CaseEvent, event) <= 0) from = middle + 1;
    else to = middle;
  }
  return from;
}
