import { randomInt } from 'node:crypto';
import { Bytes, Integers, repaired } from './bytes.ts';

/** Where the hash starts, another number in every process: nobody outside can prepare keys that collide. */
const SEED = randomInt(0x7fffffff) | 0;
const FIRST_SLOTS = 64;
const KEPT_SLOTS = 1 << 16;

/**
 * The distinct texts of a LowCardinality column in the order they came, found by their bytes without making a
 * string of them: open addressing with linear probing over FNV-1a.
 */
export class Dictionary {
  /** The keys as ClickHouse's String column: each behind its length. */
  readonly keys = new Bytes();
  /** A number that the owner of the column keeps of each text: 0 of one that is new. */
  readonly marks = new Integers();
  readonly #starts = new Integers();
  readonly #ends = new Integers();
  readonly #hashes = new Integers();
  readonly #scratch = new Bytes();
  #slots = new Int32Array(FIRST_SLOTS);
  #saved = { count: 0, bytes: 0 };

  get count(): number {
    return this.#starts.length;
  }

  /** The index of the text in these bytes; new texts are added, ill-formed UTF-8 is repaired first. */
  indexOf(source: Uint8Array, start: number, end: number): number {
    const hash = hashOf(source, start, end);
    const found = this.#find(hash, source, start, end);
    if (found >= 0) return found;
    const text = repaired(source, start, end);
    return text === undefined ? this.#add(hash, source, start, end) : this.indexOfText(text);
  }

  /** The text of an index. */
  textOf(index: number): string {
    return this.keys.data.toString('utf8', this.#starts.data[index], this.#ends.data[index]);
  }

  indexOfText(text: string): number {
    const scratch = this.#scratch;
    scratch.clear();
    scratch.reserve(text.length * 3 + 1);
    const size = scratch.data.write(text, 0, 'utf8');
    return this.indexOf(scratch.data, 0, size);
  }

  save(): void {
    this.#saved = { count: this.count, bytes: this.keys.length };
  }

  /** Takes back what was added since `save`. Removing the newest first keeps every probe chain whole. */
  restore(): void {
    const { count, bytes } = this.#saved;
    for (let index = this.count - 1; index >= count; index--) {
      const mask = this.#slots.length - 1;
      let slot = (this.#hashes.data[index] as number) & mask;
      while (this.#slots[slot] !== index + 1) slot = (slot + 1) & mask;
      this.#slots[slot] = 0;
    }
    this.#starts.length = this.#ends.length = this.#hashes.length = this.marks.length = count;
    this.keys.length = bytes;
  }

  /** Forgets the texts, at a cost that goes by how many they were, not by how many there once were. */
  clear(): void {
    const { count } = this;
    this.keys.clear();
    this.marks.clear();
    this.#starts.clear();
    this.#ends.clear();
    this.#hashes.clear();
    if (this.#slots.length > Math.min(KEPT_SLOTS, Math.max(FIRST_SLOTS, count * 8)))
      this.#slots = new Int32Array(FIRST_SLOTS);
    else this.#slots.fill(0);
    this.#saved = { count: 0, bytes: 0 };
  }

  #find(hash: number, source: Uint8Array, start: number, end: number): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const index = (slots[slot] as number) - 1;
      if (index < 0) return -1;
      if (this.#hashes.data[index] === hash && this.#equals(index, source, start, end)) return index;
    }
  }

  #equals(index: number, source: Uint8Array, start: number, end: number): boolean {
    let at = this.#starts.data[index] as number;
    if ((this.#ends.data[index] as number) - at !== end - start) return false;
    const { data } = this.keys;
    for (let i = start; i < end; i++) if (data[at++] !== source[i]) return false;
    return true;
  }

  #add(hash: number, source: Uint8Array, start: number, end: number): number {
    const index = this.count;
    this.keys.varint(end - start);
    this.#starts.push(this.keys.length);
    this.keys.copy(source, start, end);
    this.#ends.push(this.keys.length);
    this.#hashes.push(hash);
    this.marks.push(0);
    if (this.count * 2 > this.#slots.length) this.#rehash();
    else this.#place(hash, index);
    return index;
  }

  #place(hash: number, index: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }

  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 4);
    for (let index = 0; index < this.count; index++) this.#place(this.#hashes.data[index] as number, index);
  }
}

function hashOf(source: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ SEED;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ (source[i] as number), 0x01000193);
  return (hash ^ (hash >>> 15)) >>> 0;
}
