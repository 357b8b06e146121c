import type { FixedColumn } from '../../store/clickhouse/native/columns.ts';
import { dayOf, isAfter } from './instant.ts';

/** Where the texts of the span at hand lie in the body, and its numbers. `Span`'s field numbers; 6 is the status message. */
export class SpanFields {
  readonly #ranges = new Int32Array(14);
  startLow = 0;
  startHigh = 0;
  endLow = 0;
  endHigh = 0;
  kind = 0;
  statusCode = 0;
  /** Whether it has a field that only records of other signals have. */
  foreign = false;

  reset(): void {
    this.#ranges.fill(0);
    this.foreign = false;
    this.startLow = this.startHigh = this.endLow = this.endHigh = this.kind = this.statusCode = 0;
  }

  set(field: number, from: number, to: number): void {
    this.#ranges[field * 2] = from;
    this.#ranges[field * 2 + 1] = to;
  }

  from(field: number): number {
    return this.#ranges[field * 2] as number;
  }

  to(field: number): number {
    return this.#ranges[field * 2 + 1] as number;
  }

  length(field: number): number {
    return this.to(field) - this.from(field);
  }

  start(low: number, high: number): void {
    this.startLow = low;
    this.startHigh = high;
  }

  end(low: number, high: number): void {
    this.endLow = low;
    this.endHigh = high;
  }

  day(): number {
    return dayOf(this.startLow, this.startHigh);
  }

  reversed(): boolean {
    return isAfter(this.startLow, this.startHigh, this.endLow, this.endHigh);
  }

  /** End minus start; 0 when the span ends before it starts. */
  appendDuration(column: FixedColumn): void {
    const borrow = this.endLow < this.startLow ? 1 : 0;
    if (this.reversed()) column.append64(0, 0);
    else column.append64((this.endLow - this.startLow) >>> 0, this.endHigh - this.startHigh - borrow);
  }
}
