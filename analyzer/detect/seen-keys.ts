import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';
import { BloomFilter } from './bloom-filter.ts';

/** Young keys that are remembered. */
const MOST_YOUNG = 300_000;

/** An event by its name, and the join keys that it has. */
export type NamedKeys = readonly [name: string, keys: readonly string[]];

/**
 * Which join keys events have, as a Bloom filter: of a key that it does not know no event of the batches passed so far has it, and
 * nobody need ask the store. Most keys of new events are new. Of such a young key it is known from then on which events have it. Until
 * it is loaded, and whenever another process has passed batches, it thinks of every key that it may be had.
 */
export class SeenKeys {
  readonly #store: Pick<FinanceEventStore, 'keyCount' | 'keySums'>;
  /** Undefined until it is known how many keys there are. */
  #filter: BloomFilter | undefined;
  /** By young key the names of all events that have it. */
  readonly #young = new LRUCache<string, string[]>({ max: MOST_YOUNG });
  /** The keys of all events of these batches and those before are in, or are being loaded; undefined: not even that. */
  #upTo: bigint | undefined;
  #isLoaded = false;
  /** The loading that counts; a former one stops. */
  #run: object | undefined;
  #loading: Promise<void> = Promise.resolve();
  /** Of keys that were added before there was a filter. */
  #early: number[] = [];
  #turn: bigint | undefined;
  /** May another process have written obligations of events that nobody has passed yet? */
  #mayBeWritten = true;

  constructor(store: Pick<FinanceEventStore, 'keyCount' | 'keySums'>) {
    this.#store = store;
  }

  /** May an event of the batches passed so far have the key? */
  mayBe(key: string): boolean {
    return !this.#isLoaded || !this.#filter || this.#filter.has(crc32(key));
  }

  /** Is there surely no obligation stored under the key of a subject? */
  isNew(subjectKey: string): boolean {
    return !this.#mayBeWritten && !this.mayBe(subjectKey);
  }

  /** A turn begins, or goes on. One in between was another process's, which may have died over the window that comes next. */
  turn(token: bigint): void {
    if (token !== this.#turn && token !== (this.#turn ?? 0n) + 1n) this.#mayBeWritten = true;
    this.#turn = token;
  }

  /** The names of all events of the batches passed so far that have the key; undefined when these are not known. */
  namesOf(key: string): readonly string[] | undefined {
    return this.#young.get(key);
  }

  /**
   * The events of a window are passed: all that somebody may ask for, and their keys. Of what is there but yet to come, `hidden`, nobody
   * is told.
   */
  pass({ after, upTo }: BatchSpan, events: readonly NamedKeys[], hidden: readonly NamedKeys[]): void {
    // What is judged again is in it already.
    if (this.#upTo === undefined || upTo <= this.#upTo) return;
    if (after > this.#upTo) {
      this.#forget();
      return;
    }
    for (const [name, keys] of events)
      for (const key of keys) {
        const young = this.#young.get(key);
        if (young) young.push(name);
        else if (!this.mayBe(key)) this.#young.set(key, [name]);
      }
    for (const [, keys] of events) for (const key of keys) this.#set(crc32(key));
    for (const [, keys] of hidden)
      for (const key of keys) {
        this.#young.delete(key);
        this.#set(crc32(key));
      }
    this.#upTo = upTo;
    this.#mayBeWritten = false;
  }

  /** All batches up to this one have been passed: if others have passed some of them, it knows nothing any more. */
  at(batch: bigint): void {
    if (this.#upTo !== undefined && batch > this.#upTo) this.#forget();
    // It is loaded again, larger.
    if (this.#isLoaded && this.#filter?.isCrowded) this.#forget();
  }

  /** Begins to load the keys of the batches up to this one, unless it has. It costs the history, once in the life of a process. */
  load(upTo: bigint): void {
    if (this.#upTo !== undefined) return;
    this.#upTo = upTo;
    this.#loading = this.#load(upTo);
  }

  /** Resolves when nothing is being loaded. */
  idle(): Promise<void> {
    return this.#loading;
  }

  async #load(upTo: bigint): Promise<void> {
    const run = {};
    this.#run = run;
    try {
      const count = await this.#store.keyCount(upTo);
      if (this.#run !== run) return;
      const filter = new BloomFilter(count);
      this.#filter = filter;
      for (const sum of this.#early) filter.add(sum);
      this.#early = [];
      let read = 0;
      for await (const sums of this.#store.keySums(upTo)) {
        if (this.#run !== run) return;
        for (const sum of sums) filter.add(sum);
        read += sums.length;
      }
      if (this.#run !== run) return;
      // Of an answer that broke off something is missing.
      if (read < count) this.#forget();
      else this.#isLoaded = true;
    } catch {
      if (this.#run === run) this.#forget();
    }
  }

  #forget(): void {
    this.#filter = undefined;
    this.#early = [];
    this.#young.clear();
    this.#upTo = undefined;
    this.#isLoaded = false;
    this.#run = undefined;
  }

  #set(sum: number): void {
    if (this.#filter) this.#filter.add(sum);
    else this.#early.push(sum);
  }
}
