import type { SpanBlock } from '../../store/clickhouse/span-block.ts';
import type { AttributesReader } from './attributes.ts';
import type { Refusal } from './decoder.ts';
import { appendId, isIdOrNone, SPAN_ID_BYTES, TRACE_ID_BYTES } from './ids.ts';
import type { Latest } from './instant.ts';
import { RangeList } from './range-list.ts';
import { I64, LEN, type WireReader } from './wire.ts';

const EVENT_TIME = 1 * 8 + I64;
const EVENT_NAME = 2 * 8 + LEN;
const EVENT_ATTRIBUTES = 3 * 8 + LEN;
const LINK_TRACE_ID = 1 * 8 + LEN;
const LINK_SPAN_ID = 2 * 8 + LEN;
const LINK_TRACE_STATE = 3 * 8 + LEN;
const LINK_ATTRIBUTES = 4 * 8 + LEN;

/** The events and links of the span at hand. */
export class SpanDetails {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  readonly #events = new RangeList();
  readonly #links = new RangeList();

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#attributes = attributes;
  }

  clear(): void {
    this.#events.clear();
    this.#links.clear();
  }

  /** Notes the event whose length comes next. */
  foundEvent(outer: number): void {
    this.#events.push(this.#wire, this.#wire.item(outer));
  }

  foundLink(outer: number): void {
    this.#links.push(this.#wire, this.#wire.item(outer));
  }

  /** Why the events and links cannot be kept, if so. */
  check(latest: Latest): Refusal | undefined {
    const wire = this.#wire;
    for (let i = 0; i < this.#events.count; i++) {
      const end = this.#events.enter(i, wire);
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag !== EVENT_TIME) wire.skip(tag, end);
        else {
          wire.fixed64(end);
          if (latest.before(wire.low, wire.high)) return 'time';
        }
      }
    }
    for (let i = 0; i < this.#links.count; i++) {
      const end = this.#links.enter(i, wire);
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag !== LINK_TRACE_ID && tag !== LINK_SPAN_ID) wire.skip(tag, end);
        else {
          const stop = wire.content(end);
          const size = tag === LINK_TRACE_ID ? TRACE_ID_BYTES : SPAN_ID_BYTES;
          if (!isIdOrNone(wire.position, stop, size)) return 'id';
          wire.position = stop;
        }
      }
    }
    return undefined;
  }

  append(block: SpanBlock): void {
    for (let i = 0; i < this.#events.count; i++) this.#appendEvent(i, block);
    for (let i = 0; i < this.#links.count; i++) this.#appendLink(i, block);
    block.eventTimestamps.endRow();
    block.eventNames.endRow();
    block.eventAttributes.endRow();
    block.linkTraceIds.endRow();
    block.linkSpanIds.endRow();
    block.linkTraceStates.endRow();
    block.linkAttributes.endRow();
  }

  #appendEvent(index: number, block: SpanBlock): void {
    const wire = this.#wire;
    const end = this.#events.enter(index, wire);
    let low = 0;
    let high = 0;
    let nameStart = end;
    let nameEnd = end;
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case EVENT_TIME:
          wire.fixed64(end);
          low = wire.low;
          high = wire.high;
          break;
        case EVENT_NAME:
          nameEnd = wire.content(end);
          nameStart = wire.position;
          wire.position = nameEnd;
          break;
        case EVENT_ATTRIBUTES:
          this.#attributes.collect(end);
          break;
        default:
          wire.skip(tag, end);
      }
    }
    block.eventTimestamps.inner.append64(low, high);
    block.eventNames.inner.append(wire.data, nameStart, nameEnd);
    this.#attributes.append(block.eventAttributes.inner);
  }

  #appendLink(index: number, block: SpanBlock): void {
    const wire = this.#wire;
    const end = this.#links.enter(index, wire);
    let traceId = [end, end] as const;
    let spanId = traceId;
    let state = traceId;
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case LINK_TRACE_ID:
          traceId = wire.range(end);
          break;
        case LINK_SPAN_ID:
          spanId = wire.range(end);
          break;
        case LINK_TRACE_STATE:
          state = wire.range(end);
          break;
        case LINK_ATTRIBUTES:
          this.#attributes.collect(end);
          break;
        default:
          wire.skip(tag, end);
      }
    }
    appendId(block.linkTraceIds.inner, wire.data, traceId[0], traceId[1]);
    appendId(block.linkSpanIds.inner, wire.data, spanId[0], spanId[1]);
    block.linkTraceStates.inner.append(wire.data, state[0], state[1]);
    this.#attributes.append(block.linkAttributes.inner);
  }
}
