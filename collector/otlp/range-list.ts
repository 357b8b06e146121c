import { KEPT_LENGTH } from './attributes.ts';
import type { WireReader } from './wire.ts';

/** Where the messages or values of a repeated field lie in the body. */
export class RangeList {
  #ranges = new Int32Array(32);
  count = 0;

  clear(): void {
    this.count = 0;
    if (this.#ranges.length > KEPT_LENGTH) this.#ranges = new Int32Array(32);
  }

  /** Notes what lies from the reader's position to `end`, and passes over it. */
  push(wire: WireReader, end: number): void {
    if (this.count * 2 + 2 > this.#ranges.length) {
      const twice = new Int32Array(this.#ranges.length * 2);
      twice.set(this.#ranges);
      this.#ranges = twice;
    }
    this.#ranges[this.count * 2] = wire.position;
    this.#ranges[this.count * 2 + 1] = end;
    this.count++;
    wire.position = end;
  }

  /** Puts the reader at the start of range `index` and returns where it ends. */
  enter(index: number, wire: WireReader): number {
    wire.position = this.#ranges[index * 2] as number;
    return this.#ranges[index * 2 + 1] as number;
  }
}
