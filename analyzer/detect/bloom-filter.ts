/** Bits for each sum: of a hundred that were not added about one is thought to be. */
const BITS_A_SUM = 8;
/** With fewer of them too many are. */
const FEWEST_BITS_A_SUM = 4;
const LEAST_BITS = 2 ** 20;
/** 128 MiB. */
const MOST_BITS = 2 ** 30;

/** A Bloom filter of 32-bit sums of texts, with two bits for each: the engine sums them as well, so that no text need come over. */
export class BloomFilter {
  readonly #bits: Uint32Array;
  #count = 0;

  /** For about so many sums. */
  constructor(sums: number) {
    const wanted = 2 ** Math.ceil(Math.log2(sums * BITS_A_SUM || 1));
    this.#bits = new Uint32Array(Math.min(MOST_BITS, Math.max(LEAST_BITS, wanted)) / 32);
  }

  /** Are there far more sums than it was made for, and would a larger one help? */
  get isCrowded(): boolean {
    const bits = this.#bits.length * 32;
    return bits < MOST_BITS && this.#count * FEWEST_BITS_A_SUM > bits;
  }

  add(sum: number): void {
    for (const place of this.#placesOf(sum)) {
      const word = place >>> 5;
      this.#bits[word] = (this.#bits[word] ?? 0) | (1 << (place & 31));
    }
    this.#count += 1;
  }

  /** Was it added? It says yes of some that were not, and never no of one that was. */
  has(sum: number): boolean {
    return this.#placesOf(sum).every((place) => ((this.#bits[place >>> 5] ?? 0) & (1 << (place & 31))) !== 0);
  }

  /** The second place is that of the sum mixed (the finalizer of MurmurHash3). */
  #placesOf(sum: number): readonly number[] {
    const mask = this.#bits.length * 32 - 1;
    let mixed = Math.imul(sum ^ (sum >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    return [sum & mask, mixed & mask];
  }
}
