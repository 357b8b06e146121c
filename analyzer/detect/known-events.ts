import { LRUCache } from 'lru-cache';
import { eventRefKey } from '../../model/event.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { type CaseEvent, caseEventOf } from './case-event.ts';
import type { SeenKeys } from './seen-keys.ts';

/** Events that are kept in memory: about a kilobyte each. */
const MOST = 50_000;
/** Where nothing is known of any key. */
const UNSEEN = { mayBe: () => true, namesOf: () => undefined };

export interface KeyQuestion {
  /** Epoch nanoseconds, inclusive. */
  readonly asOf: bigint;
  /** Patterns of the types. */
  readonly types: readonly string[];
  /** Batches of which nothing is asked for: whoever asks has all of their events. */
  readonly except?: BatchSpan | undefined;
}

/**
 * Finds events by join key. ClickHouse says which events have the keys; what came just now or was read not long ago is in
 * memory, and only the rest is read. An event never changes, so that what is remembered of it stays true.
 */
export class KnownEvents {
  readonly #store: Pick<FinanceEventStore, 'factsByJoinKeys' | 'refsByJoinKeys'>;
  readonly #dataTypes: readonly string[];
  readonly #recent: LRUCache<string, CaseEvent>;

  readonly #seen: Pick<SeenKeys, 'mayBe' | 'namesOf'>;

  /** `dataTypes`: patterns of the types whose payload is needed; `seen`: what is known of keys without asking; `most`: how many events are remembered. */
  constructor(
    store: Pick<FinanceEventStore, 'factsByJoinKeys' | 'refsByJoinKeys'>,
    dataTypes: readonly string[],
    { seen = UNSEEN, most = MOST }: { seen?: Pick<SeenKeys, 'mayBe' | 'namesOf'>; most?: number } = {},
  ) {
    this.#seen = seen;
    this.#recent = new LRUCache({ max: most });
    this.#store = store;
    this.#dataTypes = dataTypes;
  }

  /** Remembers an event that has just been read, and names it. */
  note(event: CaseEvent): string {
    const name = eventRefKey(event);
    this.#recent.set(name, event);
    return name;
  }

  /** The events that have one of the join keys, by their names. */
  async find(
    keys: readonly string[],
    { asOf, types, except }: KeyQuestion,
  ): Promise<ReadonlyMap<string, CaseEvent>> {
    // Held on to at once: what is read now may push it out of memory.
    const found = new Map<string, CaseEvent>();
    const asked = keys.filter((key) => this.#seen.mayBe(key) && !this.#recall(key, asOf, found));
    if (asked.length === 0) return found;
    const unread = new Set<string>();
    for (const ref of await this.#store.refsByJoinKeys(asked, { asOf, types, except })) {
      const name = eventRefKey(ref);
      if (found.has(name)) continue;
      const event = this.#recent.get(name);
      if (event) found.set(name, event);
      else unread.add(ref.key);
    }
    if (unread.size > 0)
      for (const [name, event] of await this.#read([...unread], { asOf, types })) found.set(name, event);
    return found;
  }

  /** Adds the events that have the key, where all of them are in memory; else it adds some at most and says no. */
  #recall(key: string, asOf: bigint, found: Map<string, CaseEvent>): boolean {
    const names = this.#seen.namesOf(key);
    if (!names) return false;
    for (const name of names) {
      const event = this.#recent.get(name);
      if (!event) return false;
      if (event.at <= asOf) found.set(name, event);
    }
    return true;
  }

  async #read(
    keys: readonly string[],
    options: { asOf: bigint; types: readonly string[] },
  ): Promise<Map<string, CaseEvent>> {
    const read = new Map<string, CaseEvent>();
    const asked = { ...options, dataTypes: this.#dataTypes };
    for (const facts of await this.#store.factsByJoinKeys(keys, asked)) {
      const name = eventRefKey(facts);
      const event = this.#recent.get(name) ?? caseEventOf(facts);
      read.set(name, event);
      this.#recent.set(name, event);
    }
    return read;
  }
}
