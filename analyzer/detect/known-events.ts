import { LRUCache } from 'lru-cache';
import { eventRefKey } from '../../model/event.ts';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { type CaseEvent, caseEventOf, joinKeysOfTypes, subjectKeyOf } from './case-event.ts';

/** Events that are kept in memory: about a kilobyte each. */
const MOST = 50_000;

/** Events that came in batches just read. */
export interface FreshEvents extends BatchSpan {
  /** Those that a rule looks at and that are not dated in the future. */
  readonly events: readonly CaseEvent[];
  /** Those dated in the future, and those of other batches that a person sent through again. */
  readonly others: readonly CaseEvent[];
}

export interface KeyQuestion {
  /** Epoch nanoseconds, inclusive. */
  readonly asOf: bigint;
  /** Patterns of the types. */
  readonly types: readonly string[];
  /** Types of the keys that are asked for, besides the subject. */
  readonly keyTypes: readonly string[];
  readonly fresh?: FreshEvents | undefined;
}

/**
 * Finds events by join key. ClickHouse says which events have the keys; what came just now or was read not long ago is in
 * memory, and only the rest is read. An event never changes, so that what is remembered of it stays true.
 */
export class KnownEvents {
  readonly #store: Pick<FinanceEventStore, 'factsByJoinKeys' | 'refsByJoinKeys'>;
  readonly #dataTypes: readonly string[];
  readonly #recent: LRUCache<string, CaseEvent>;

  /** `dataTypes`: patterns of the types whose payload is needed; `most`: how many events are remembered. */
  constructor(
    store: Pick<FinanceEventStore, 'factsByJoinKeys' | 'refsByJoinKeys'>,
    dataTypes: readonly string[],
    most = MOST,
  ) {
    this.#recent = new LRUCache({ max: most });
    this.#store = store;
    this.#dataTypes = dataTypes;
  }

  /** Answers questions about join keys; each key is looked for once. */
  asking(question: KeyQuestion): (keys: readonly string[]) => Promise<Map<string, readonly CaseEvent[]>> {
    const { asOf, types, fresh } = question;
    const came = byKey(fresh?.events ?? [], question.keyTypes);
    for (const event of fresh?.events ?? []) this.#recent.set(eventRefKey(event), event);
    return async (keys) => {
      const found = new Map<string, CaseEvent[]>(keys.map((key) => [key, [...(came.get(key) ?? [])]]));
      const refs = await this.#store.refsByJoinKeys(keys, { asOf, types, except: fresh });
      // Held on to at once: what is read now may push it out of memory.
      const events = new Map<string, CaseEvent>();
      const unread = new Set<string>();
      for (const ref of refs) {
        const name = eventRefKey(ref);
        const event = this.#recent.get(name);
        if (event) events.set(name, event);
        else unread.add(ref.key);
      }
      for (const [name, event] of await this.#read([...unread], { asOf, types })) events.set(name, event);
      const taken = new Set<string>();
      for (const ref of refs) {
        const name = eventRefKey(ref);
        const event = events.get(name);
        // A key may stand twice, and what it led to may be gone.
        if (!event || taken.size === taken.add(`${ref.key}\n${name}`).size) continue;
        found.get(ref.key)?.push(event);
      }
      return found;
    };
  }

  async #read(
    keys: readonly string[],
    options: { asOf: bigint; types: readonly string[] },
  ): Promise<Map<string, CaseEvent>> {
    const read = new Map<string, CaseEvent>();
    if (keys.length === 0) return read;
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

function byKey(events: readonly CaseEvent[], keyTypes: readonly string[]): Map<string, CaseEvent[]> {
  const found = new Map<string, CaseEvent[]>();
  const wanted = new Set(keyTypes);
  for (const event of events) {
    const types = new Set(event.keys.map(({ type }) => type).filter((type) => wanted.has(type)));
    for (const key of new Set([subjectKeyOf(event), ...joinKeysOfTypes(event, [...types])])) {
      const known = found.get(key);
      if (known) known.push(event);
      else found.set(key, [event]);
    }
  }
  return found;
}
