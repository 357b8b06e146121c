import type { CaseEvent } from './case-event.ts';
import { lookbackOf, looksToNow } from './groups.ts';
import type { Rule } from './rules.ts';

/** Something to be judged together: the join keys that find its case, and the obligation, when one is meant. */
export interface TouchedUnit {
  readonly keys: readonly string[];
  /** When what touches it happened, epoch nanoseconds. */
  readonly at: bigint;
  /** Does it change nothing of what started before it? */
  readonly onlyLater?: boolean | undefined;
  readonly obligation?: string | undefined;
}

/** A span of time, epoch nanoseconds, both ends in it. */
export interface Span {
  readonly from: bigint;
  readonly to: bigint;
  /** From when on what starts in it may have changed. */
  readonly changed: bigint;
}

/** What is to be judged of one rule in one step. */
export interface TouchedPart {
  readonly rule: Rule;
  /** Events whose cases are touched. */
  readonly events: readonly CaseEvent[];
  readonly keys: readonly string[];
  readonly obligations: readonly string[];
  /** Of a rule that groups: by group's key when the obligations start that may have changed. */
  readonly spans: ReadonlyMap<string, Span>;
}

/** Gathers what new events and the passing of time touch, by rule, and gives it out in parts of a bounded size. */
export class Touched {
  readonly #units = new Map<Rule, TouchedUnit[]>();
  readonly #events = new Map<Rule, (readonly CaseEvent[])[]>();

  add(rule: Rule, unit: TouchedUnit): void {
    if (unit.keys.length === 0 && unit.obligation === undefined) return;
    const units = this.#units.get(rule);
    if (units) units.push(unit);
    else this.#units.set(rule, [unit]);
  }

  /** Adds events, and those that will be put among them, for a rule that joins by keys: several rules share such a list. */
  addList(rule: Rule, events: readonly CaseEvent[]): void {
    const lists = this.#events.get(rule);
    if (lists) lists.push(events);
    else this.#events.set(rule, [events]);
  }

  /** Each rule's events, then its units, those of one part having about `size` different join keys. `now` ends the spans of groups that are looked at up to it. */
  *parts(size: number, now: bigint): Generator<TouchedPart> {
    for (const [rule, lists] of this.#events) {
      const all = lists.length === 1 ? (lists[0] ?? []) : lists.flat();
      for (let from = 0; from < all.length; from += size) {
        const events = all.length <= size ? all : all.slice(from, from + size);
        yield { rule, events, keys: [], obligations: [], spans: NO_SPANS };
      }
    }
    for (const [rule, units] of this.#units) {
      let part = new PartBuilder(rule, now);
      for (const unit of rule.expectation.group ? byKey(units) : units) {
        part.add(unit);
        if (part.size < size) continue;
        yield part.done();
        part = new PartBuilder(rule, now);
      }
      if (part.size > 0) yield part.done();
    }
  }
}

const NO_SPANS: ReadonlyMap<string, Span> = new Map();

/** Units of one group side by side, so that a group is judged in one part. */
const byKey = (units: readonly TouchedUnit[]): TouchedUnit[] =>
  [...Map.groupBy(units, ({ keys }) => keys[0] ?? '').values()].flat();

class PartBuilder {
  readonly #rule: Rule;
  readonly #now: bigint;
  readonly #keys = new Set<string>();
  readonly #obligations = new Set<string>();
  readonly #spans = new Map<string, Span>();
  readonly #reach: bigint;

  constructor(rule: Rule, now: bigint) {
    this.#rule = rule;
    this.#now = now;
    this.#reach = lookbackOf(rule.expectation) ?? 0n;
  }

  get size(): number {
    return Math.max(this.#keys.size, this.#obligations.size);
  }

  add({ keys, at, obligation, onlyLater }: TouchedUnit): void {
    const { expectation } = this.#rule;
    for (const key of keys) {
      this.#keys.add(key);
      if (expectation.group) this.#spans.set(key, this.#spanOf(key, at, onlyLater ?? false));
    }
    if (obligation) this.#obligations.add(obligation);
  }

  /** An event touches what starts within the rule's lookback of it. */
  #spanOf(key: string, at: bigint, onlyLater: boolean): Span {
    const known = this.#spans.get(key);
    const [from, upTo] = [at - this.#reach, at + this.#reach];
    const to = looksToNow(this.#rule.expectation) && upTo < this.#now ? this.#now : upTo;
    const changed = onlyLater ? at : from;
    if (!known) return { from, to, changed };
    return {
      from: known.from < from ? known.from : from,
      to: known.to > to ? known.to : to,
      changed: known.changed < changed ? known.changed : changed,
    };
  }

  done(): TouchedPart {
    return {
      rule: this.#rule,
      events: [],
      keys: [...this.#keys],
      obligations: [...this.#obligations],
      spans: this.#spans,
    };
  }
}

/** The parts in groups, those of one having about `size` different events and join keys together. */
export function* togetherUpTo(
  size: number,
  parts: readonly TouchedPart[],
): Generator<readonly TouchedPart[]> {
  let group: TouchedPart[] = [];
  let distinct = new Set<CaseEvent | string>();
  for (const part of parts) {
    group.push(part);
    for (const event of part.events) distinct.add(event);
    for (const key of part.keys) distinct.add(key);
    if (distinct.size < size) continue;
    yield group;
    [group, distinct] = [[], new Set()];
  }
  if (group.length > 0) yield group;
}
