/** Instants of the wire: nanoseconds since 1970 as two halves of 32 bits, without a sign. */

const NANOS = 1_000_000_000;

/** The whole seconds of an instant. */
export function secondsOf(low: number, high: number): number {
  const seconds = Math.floor((high * 0x1_0000_0000 + low) / NANOS);
  // A double is off by a microsecond at most. What is left over then fits 32 bits, where sums are exact.
  const rest = (low - Math.imul(seconds, NANOS)) | 0;
  return rest < 0 ? seconds - 1 : rest >= NANOS ? seconds + 1 : seconds;
}

/** Days since 1970 (UTC). */
export const dayOf = (low: number, high: number): number => Math.floor(secondsOf(low, high) / 86_400);

/** Whether the first instant lies after the second one. */
export const isAfter = (low: number, high: number, otherLow: number, otherHigh: number): boolean =>
  high > otherHigh || (high === otherHigh && low > otherLow);

/** The last instant that a record may speak of. */
export class Latest {
  readonly #low: number;
  readonly #high: number;

  /** `nanos` since 1970. */
  constructor(nanos: bigint) {
    this.#low = Number(nanos & 0xffff_ffffn);
    this.#high = Number(nanos >> 32n);
  }

  before(low: number, high: number): boolean {
    return isAfter(low, high, this.#low, this.#high);
  }
}

/** The latest of the instants that it saw. */
export class Newest {
  #low = 0;
  #high = 0;

  reset(): void {
    this.#low = this.#high = 0;
  }

  see(low: number, high: number): void {
    if (!isAfter(low, high, this.#low, this.#high)) return;
    this.#low = low;
    this.#high = high;
  }

  get nanos(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low);
  }
}
