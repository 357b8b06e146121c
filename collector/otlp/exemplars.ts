import type { ExemplarColumns } from '../../store/clickhouse/metric-blocks.ts';
import type { AttributesReader } from './attributes.ts';
import type { Refusal } from './decoder.ts';
import { appendId, isIdOrNone, SPAN_ID_BYTES, TRACE_ID_BYTES } from './ids.ts';
import { type Latest, secondsOf } from './instant.ts';
import { RangeList } from './range-list.ts';
import { I64, int64AsDouble, LEN, type WireReader } from './wire.ts';

const TIME = 2 * 8 + I64;
const AS_DOUBLE = 3 * 8 + I64;
const SPAN_ID = 4 * 8 + LEN;
const TRACE_ID = 5 * 8 + LEN;
const AS_INT = 6 * 8 + I64;
const FILTERED_ATTRIBUTES = 7 * 8 + LEN;

/** The exemplars of the data point at hand. */
export class Exemplars {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  readonly #ranges = new RangeList();

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#attributes = attributes;
  }

  clear(): void {
    this.#ranges.clear();
  }

  /** Notes the exemplar whose length comes next. */
  found(outer: number): void {
    this.#ranges.push(this.#wire, this.#wire.item(outer));
  }

  /** Why the exemplars cannot be kept, if so. */
  check(latest: Latest): Refusal | undefined {
    const wire = this.#wire;
    for (let i = 0; i < this.#ranges.count; i++) {
      const end = this.#ranges.enter(i, wire);
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === TIME) {
          wire.fixed64(end);
          if (latest.before(wire.low, wire.high)) return 'time';
        } else if (tag === TRACE_ID || tag === SPAN_ID) {
          const stop = wire.content(end);
          const size = tag === TRACE_ID ? TRACE_ID_BYTES : SPAN_ID_BYTES;
          if (!isIdOrNone(wire.position, stop, size)) return 'id';
          wire.position = stop;
        } else wire.skip(tag, end);
      }
    }
    return undefined;
  }

  append(columns: ExemplarColumns): void {
    for (let i = 0; i < this.#ranges.count; i++) this.#append(i, columns);
    columns.endRow();
  }

  #append(index: number, columns: ExemplarColumns): void {
    const wire = this.#wire;
    const end = this.#ranges.enter(index, wire);
    let seconds = 0;
    let value = 0;
    let traceId = [end, end] as const;
    let spanId = traceId;
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case TIME:
          wire.fixed64(end);
          seconds = secondsOf(wire.low, wire.high);
          break;
        case AS_DOUBLE:
          value = wire.double(end);
          break;
        case AS_INT:
          wire.fixed64(end);
          value = int64AsDouble(wire.low, wire.high);
          break;
        case TRACE_ID:
          traceId = wire.range(end);
          break;
        case SPAN_ID:
          spanId = wire.range(end);
          break;
        case FILTERED_ATTRIBUTES:
          this.#attributes.collect(end);
          break;
        default:
          wire.skip(tag, end);
      }
    }
    columns.times.inner.appendNumber(seconds);
    columns.values.inner.appendDouble(value);
    appendId(columns.spanIds.inner, wire.data, spanId[0], spanId[1]);
    appendId(columns.traceIds.inner, wire.data, traceId[0], traceId[1]);
    this.#attributes.append(columns.attributes.inner);
  }
}
