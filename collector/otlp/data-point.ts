import type { FixedColumn } from '../../store/clickhouse/native/columns.ts';
import type { ArrayColumn } from '../../store/clickhouse/native/nested.ts';
import type { AttributesReader } from './attributes.ts';
import * as field from './data-point-shapes.ts';
import type { Refusal } from './decoder.ts';
import { Exemplars } from './exemplars.ts';
import type { Latest } from './instant.ts';
import { RangeList } from './range-list.ts';
import { I64, int64AsDouble, LEN, MalformedRequest, VARINT, type WireReader } from './wire.ts';

const BUCKETS_OFFSET = 1 * 8 + VARINT;
const BUCKETS_COUNTS = 2 * 8 + LEN;
const BUCKETS_COUNT = 2 * 8 + VARINT;
const QUANTILE_QUANTILE = 1 * 8 + I64;
const QUANTILE_VALUE = 2 * 8 + I64;

/** The fields of the data point at hand, of any kind; those that it does not have are 0 and empty. */
export class DataPoint {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  readonly exemplars: Exemplars;
  /** Where the counts and bounds lie, packed or one by one; and the messages of the other lists. */
  readonly #counts = new RangeList();
  readonly #bounds = new RangeList();
  readonly #positive = new RangeList();
  readonly #negative = new RangeList();
  readonly #quantiles = new RangeList();
  startLow = 0;
  startHigh = 0;
  timeLow = 0;
  timeHigh = 0;
  value = 0;
  flags = 0;
  countLow = 0;
  countHigh = 0;
  sum = 0;
  min = 0;
  max = 0;
  scale = 0;
  zeroCountLow = 0;
  zeroCountHigh = 0;

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#attributes = attributes;
    this.exemplars = new Exemplars(wire, attributes);
  }

  clear(): void {
    this.exemplars.clear();
    this.#counts.clear();
    this.#bounds.clear();
    this.#positive.clear();
    this.#negative.clear();
    this.#quantiles.clear();
    this.startLow = this.startHigh = this.timeLow = this.timeHigh = 0;
    this.value = this.flags = this.sum = this.min = this.max = this.scale = 0;
    this.countLow = this.countHigh = this.zeroCountLow = this.zeroCountHigh = 0;
  }

  /** Finds the fields of the data point that ends at `end`, and collects its attributes. */
  read(shape: field.Shape, end: number): void {
    const wire = this.#wire;
    this.clear();
    this.#attributes.clear();
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (shape[tag]) {
        case field.ATTRIBUTES:
          this.#attributes.collect(end);
          break;
        case field.START:
          wire.fixed64(end);
          this.startLow = wire.low;
          this.startHigh = wire.high;
          break;
        case field.TIME:
          wire.fixed64(end);
          this.timeLow = wire.low;
          this.timeHigh = wire.high;
          break;
        case field.AS_DOUBLE:
          this.value = wire.double(end);
          break;
        case field.AS_INT:
          wire.fixed64(end);
          this.value = int64AsDouble(wire.low, wire.high);
          break;
        case field.FLAGS:
          wire.varint(end);
          this.flags = wire.low;
          break;
        case field.EXEMPLAR:
          this.exemplars.found(end);
          break;
        case field.COUNT:
          wire.fixed64(end);
          this.countLow = wire.low;
          this.countHigh = wire.high;
          break;
        case field.SUM:
          this.sum = wire.double(end);
          break;
        case field.MIN:
          this.min = wire.double(end);
          break;
        case field.MAX:
          this.max = wire.double(end);
          break;
        case field.BUCKET_COUNTS:
          this.#counts.push(wire, packed64(wire, end));
          break;
        case field.BUCKET_COUNT:
          this.#counts.push(wire, wire.item64(end));
          break;
        case field.BOUNDS:
          this.#bounds.push(wire, packed64(wire, end));
          break;
        case field.BOUND:
          this.#bounds.push(wire, wire.item64(end));
          break;
        case field.SCALE:
          this.scale = wire.sint32(end);
          break;
        case field.ZERO_COUNT:
          wire.fixed64(end);
          this.zeroCountLow = wire.low;
          this.zeroCountHigh = wire.high;
          break;
        case field.POSITIVE:
          this.#positive.push(wire, wire.item(end));
          break;
        case field.NEGATIVE:
          this.#negative.push(wire, wire.item(end));
          break;
        case field.QUANTILE:
          this.#quantiles.push(wire, wire.item(end));
          break;
        default:
          wire.skip(tag, end);
      }
    }
  }

  /** Why the data point cannot be kept, if so. */
  check(latest: Latest): Refusal | undefined {
    if (latest.before(this.timeLow, this.timeHigh) || latest.before(this.startLow, this.startHigh))
      return 'time';
    return this.exemplars.check(latest);
  }

  appendCounts(column: ArrayColumn<FixedColumn>): void {
    this.#append64(this.#counts, column);
  }

  appendBounds(column: ArrayColumn<FixedColumn>): void {
    this.#append64(this.#bounds, column);
  }

  appendPositive(offsets: FixedColumn, counts: ArrayColumn<FixedColumn>): void {
    this.#appendBuckets(this.#positive, offsets, counts);
  }

  appendNegative(offsets: FixedColumn, counts: ArrayColumn<FixedColumn>): void {
    this.#appendBuckets(this.#negative, offsets, counts);
  }

  appendQuantiles(quantiles: ArrayColumn<FixedColumn>, values: ArrayColumn<FixedColumn>): void {
    const wire = this.#wire;
    for (let i = 0; i < this.#quantiles.count; i++) {
      const end = this.#quantiles.enter(i, wire);
      let quantile = 0;
      let value = 0;
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === QUANTILE_QUANTILE) quantile = wire.double(end);
        else if (tag === QUANTILE_VALUE) value = wire.double(end);
        else wire.skip(tag, end);
      }
      quantiles.inner.appendDouble(quantile);
      values.inner.appendDouble(value);
    }
    quantiles.endRow();
    values.endRow();
  }

  #append64(list: RangeList, column: ArrayColumn<FixedColumn>): void {
    const wire = this.#wire;
    for (let i = 0; i < list.count; i++) {
      const end = list.enter(i, wire);
      column.inner.appendRaw(wire.data, wire.position, end);
    }
    column.endRow();
  }

  #appendBuckets(list: RangeList, offsets: FixedColumn, counts: ArrayColumn<FixedColumn>): void {
    const wire = this.#wire;
    let offset = 0;
    for (let i = 0; i < list.count; i++) {
      const end = list.enter(i, wire);
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === BUCKETS_OFFSET) offset = wire.sint32(end);
        else if (tag === BUCKETS_COUNT) appendVarint(wire, end, counts.inner);
        else if (tag === BUCKETS_COUNTS) {
          const stop = wire.content(end);
          while (wire.position < stop) appendVarint(wire, stop, counts.inner);
        } else wire.skip(tag, end);
      }
    }
    offsets.appendNumber(offset);
    counts.endRow();
  }
}

/** Where a packed list of 64-bit numbers ends, whose length comes next. */
function packed64(wire: WireReader, outer: number): number {
  const end = wire.item(outer);
  if ((end - wire.position) % 8 !== 0)
    throw new MalformedRequest('truncated', 'a list of numbers of 64 bits is cut off');
  return end;
}

/** A number of one byte in the body has eight in memory: it is charged. */
function appendVarint(wire: WireReader, end: number, column: FixedColumn): void {
  wire.charge(column.width);
  wire.varint(end);
  column.append64(wire.low, wire.high);
}
