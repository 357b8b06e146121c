/** Numbers rows that are alike: the first is 0, its next repeat 1, and so on. Some 16 bytes a row, whatever its length. */
export class IdenticalRows {
  #slots = new BigUint64Array(1 << 12);
  #used = 0;
  readonly #repeats = new Map<bigint, number>();

  /** The number of the row with this SHA-256 among those alike, counted from 0. Rows are told apart by 64 bits of it. */
  next(sha256: Buffer): number {
    const hash = sha256.readBigUInt64LE(0) || 1n;
    if (this.#add(hash)) return 0;
    const repeat = (this.#repeats.get(hash) ?? 0) + 1;
    this.#repeats.set(hash, repeat);
    return repeat;
  }

  #add(hash: bigint): boolean {
    const mask = this.#slots.length - 1;
    let at = Number(hash & 0xffff_ffffn) & mask;
    for (let found = this.#slots[at]; found !== 0n; found = this.#slots[at]) {
      if (found === hash) return false;
      at = (at + 1) & mask;
    }
    this.#slots[at] = hash;
    if (++this.#used * 2 > this.#slots.length) this.#grow();
    return true;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new BigUint64Array(old.length * 2);
    this.#used = 0;
    for (const hash of old) if (hash !== 0n) this.#add(hash);
  }
}
