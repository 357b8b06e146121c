import { crc32 } from 'node:zlib';
import { LRUCache } from 'lru-cache';
import type { BatchSpan, FinanceEventStore } from '../../store/clickhouse/finance-events.ts';

/** Bits for each key that is stored: of a hundred keys that no event has about one is thought to be had. */
const BITS_A_KEY = 8;
/** With fewer of them it is made anew. */
const FEWEST_BITS_A_KEY = 4;
const LEAST_BITS = 2 ** 20;
/** 128 MiB. With more keys than they are for, more are thought to be had. */
const MOST_BITS = 2 ** 30;

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
  #bits = new Uint32Array(0);
  #keys = 0;
  /** By young key the names of all events that have it. */
  readonly #young = new LRUCache<string, string[]>({ max: MOST_YOUNG });
  /** The keys of all events of these batches and those before are in, or are being loaded; undefined: not even that. */
  #upTo: bigint | undefined;
  #isLoaded = false;
  /** The loading that counts; a former one stops. */
  #run: object | undefined;
  #loading: Promise<void> = Promise.resolve();
  /** Of keys that were added before there were bits. */
  #early: number[] = [];
  #turn: bigint | undefined;
  /** May another process have written obligations of events that nobody has passed yet? */
  #mayBeWritten = true;

  constructor(store: Pick<FinanceEventStore, 'keyCount' | 'keySums'>) {
    this.#store = store;
  }

  /** May an event of the batches passed so far have the key? */
  mayBe(key: string): boolean {
    if (!this.#isLoaded) return true;
    const [one, other] = this.#placesOf(crc32(key));
    return isSet(this.#bits, one) && isSet(this.#bits, other);
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
    // Too many for its size: it is loaded again, larger.
    const bits = this.#bits.length * 32;
    if (this.#isLoaded && bits < MOST_BITS && this.#keys * FEWEST_BITS_A_KEY > bits) this.#forget();
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
      this.#bits = new Uint32Array(bitsFor(count) / 32);
      for (const sum of this.#early) this.#set(sum);
      this.#early = [];
      let read = 0;
      for await (const sums of this.#store.keySums(upTo)) {
        if (this.#run !== run) return;
        for (const sum of sums) this.#set(sum);
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
    this.#bits = new Uint32Array(0);
    this.#early = [];
    this.#young.clear();
    this.#keys = 0;
    this.#upTo = undefined;
    this.#isLoaded = false;
    this.#run = undefined;
  }

  #set(sum: number): void {
    if (this.#bits.length === 0) {
      this.#early.push(sum);
      return;
    }
    for (const place of this.#placesOf(sum)) {
      const word = place >>> 5;
      this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (place & 31));
    }
    this.#keys += 1;
  }

  /** Two bits for each sum, the second one from the sum mixed (the finalizer of MurmurHash3). */
  #placesOf(sum: number): [number, number] {
    const mask = this.#bits.length * 32 - 1;
    let mixed = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    return [sum & mask, mixed & mask];
  }
}

const isSet = (bits: Uint32Array, place: number): boolean =>
  ((bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0;

/** A power of two. */
const bitsFor = (keys: number): number =>
  Math.min(MOST_BITS, Math.max(LEAST_BITS, 2 ** Math.ceil(Math.log2(keys * BITS_A_KEY || 1))));
