/** Running estimates of one number after another: constant memory, each value once. */

/** Mean absolute deviation to standard deviation of a normal distribution. */
const SIGMA = Math.sqrt(Math.PI / 2);
/** Values before which an outlier cannot be told from the rest, and is not held back. */
const SETTLING = 50;

/**
 * Exponentially weighted location and spread, with a memory of about `memory` values. A value further than `clip` deviations from
 * the location moves it as one at that distance does (Huber 1964), so that an outlier does not become the usual.
 */
export class RunningSpread {
  count = 0;
  location = 0;
  /** Standard deviation, from the mean absolute deviation. */
  spread = 0;
  readonly #weight: number;
  readonly #clip: number;

  constructor(memory: number, clip = 3) {
    this.#weight = 1 / memory;
    this.#clip = clip;
  }

  /** How many deviations the value lies from the location, the spread taken as `floor` at least; 0 while nothing is known. */
  z(value: number, floor: number): number {
    if (this.count === 0 || value === this.location) return 0;
    return (value - this.location) / Math.max(this.spread, floor, Number.MIN_VALUE);
  }

  add(value: number): void {
    this.count += 1;
    if (this.count === 1) {
      this.location = value;
      return;
    }
    const weight = Math.max(this.#weight, 1 / this.count);
    const limit = this.#clip * this.spread;
    let residual = value - this.location;
    if (this.count > SETTLING && limit > 0) residual = Math.max(-limit, Math.min(limit, residual));
    this.location += weight * residual;
    this.spread += weight * (Math.abs(residual) * SIGMA - this.spread);
  }
}

/** The median of some numbers; NaN of none. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] as number)
    : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}
