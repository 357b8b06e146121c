import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import { AttributesReader } from './attributes.ts';
import {
  type Decoded,
  type DecodeLimits,
  type Decoder,
  nothing,
  type Refusal,
  type Sink,
} from './decoder.ts';
import { ResourceRow, ScopeRow } from './origin.ts';
import { appendId, isZero, Latest, SpanDetails } from './span-details.ts';
import { SpanFields } from './span-fields.ts';
import { I64, LEN, VARINT, WireReader } from './wire.ts';

const RESOURCE_SPANS = 1 * 8 + LEN;
const RESOURCE = 1 * 8 + LEN;
const SCOPE_SPANS = 2 * 8 + LEN;
const SCOPE = 1 * 8 + LEN;
const SPAN = 2 * 8 + LEN;
const TRACE_ID = 1 * 8 + LEN;
const SPAN_ID = 2 * 8 + LEN;
const TRACE_STATE = 3 * 8 + LEN;
const PARENT_SPAN_ID = 4 * 8 + LEN;
const NAME = 5 * 8 + LEN;
const KIND = 6 * 8 + VARINT;
const START = 7 * 8 + I64;
const END = 8 * 8 + I64;
const ATTRIBUTES = 9 * 8 + LEN;
const EVENTS = 11 * 8 + LEN;
const LINKS = 13 * 8 + LEN;
const STATUS = 15 * 8 + LEN;
const STATUS_MESSAGE = 2 * 8 + LEN;
const STATUS_CODE = 3 * 8 + VARINT;

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUS_CODES = ['Unset', 'Ok', 'Error'];
const NO_BODY = Buffer.alloc(0);
/** What a row takes beside its texts: offsets, indexes, times and ids. */
const ROW_BYTES = 256;

/**
 * Reads `ExportTraceServiceRequest` (opentelemetry-proto, collector/trace/v1) straight into columns, values as the
 * Collector's ClickHouse exporter writes them. One decoder serves one request after the other. Where a field that is
 * no list comes twice, the last one counts.
 */
export class TraceDecoder implements Decoder {
  readonly #wire = new WireReader();
  readonly #attributes = new AttributesReader(this.#wire);
  readonly #resource = new ResourceRow(this.#wire, this.#attributes);
  readonly #scope = new ScopeRow(this.#wire, this.#attributes);
  readonly #details = new SpanDetails(this.#wire, this.#attributes);
  readonly #span = new SpanFields();
  /** Takes the refused spans. */
  readonly #discard = new SpanBlock();
  #latest = new Latest(0n);

  decode(body: Buffer, sink: Sink, limits: DecodeLimits): Decoded {
    const decoded = nothing();
    const wire = this.#wire;
    this.#discard.clear();
    wire.data = body;
    wire.position = 0;
    this.#latest = new Latest(limits.latest);
    wire.room = limits.maxRowBytes;
    try {
      while (wire.position < body.length) {
        const tag = wire.tag(body.length);
        if (tag === RESOURCE_SPANS) this.#resourceSpans(wire.item(body.length), sink, decoded);
        else wire.skip(tag, body.length);
      }
    } finally {
      wire.data = NO_BODY;
      this.#resource.reset();
      this.#details.clear();
      this.#attributes.clear();
    }
    return decoded;
  }

  #resourceSpans(end: number, sink: Sink, decoded: Decoded): void {
    const wire = this.#wire;
    const scopes: number[] = [];
    this.#resource.reset();
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag !== RESOURCE && tag !== SCOPE_SPANS) {
        wire.skip(tag, end);
        continue;
      }
      const stop = wire.item(end);
      if (tag === RESOURCE) this.#resource.found(wire.position, stop);
      else scopes.push(wire.position, stop);
      wire.position = stop;
    }
    for (let i = 0; i < scopes.length; i += 2)
      this.#scopeSpans(scopes[i] as number, scopes[i + 1] as number, sink, decoded);
    this.#resource.check(this.#discard);
    wire.position = end;
  }

  #scopeSpans(start: number, end: number, sink: Sink, decoded: Decoded): void {
    const wire = this.#wire;
    wire.position = start;
    this.#scope.reset();
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SCOPE) this.#scope.read(wire.content(end), this.#discard.spanAttributes);
      else wire.skip(tag, end);
    }
    wire.position = start;
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SPAN) this.#spanMessage(wire.content(end), sink, decoded);
      else wire.skip(tag, end);
    }
  }

  #spanMessage(end: number, sink: Sink, decoded: Decoded): void {
    const refusal = this.#readSpan(end);
    this.#wire.charge(ROW_BYTES + this.#scope.bytes);
    this.#append(refusal ? this.#discard : sink.blockOf('otel_traces', this.#span.day()));
    if (refusal) {
      decoded.refused[refusal]++;
      this.#discard.clear();
      this.#resource.forget();
    } else {
      decoded.accepted++;
      if (this.#span.reversed()) decoded.reversed++;
    }
    this.#wire.position = end;
  }

  /** Finds the fields of the span that ends at `end`; returns why it cannot be kept. */
  #readSpan(end: number): Refusal | undefined {
    const wire = this.#wire;
    const span = this.#span;
    span.reset();
    this.#details.clear();
    this.#attributes.clear();
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case ATTRIBUTES:
          this.#attributes.collect(end);
          break;
        case TRACE_ID:
        case SPAN_ID:
        case TRACE_STATE:
        case PARENT_SPAN_ID:
        case NAME: {
          const stop = wire.content(end);
          span.set(tag >>> 3, wire.position, stop);
          wire.position = stop;
          break;
        }
        case START:
          wire.fixed64(end);
          span.start(wire.low, wire.high);
          break;
        case END:
          wire.fixed64(end);
          span.end(wire.low, wire.high);
          break;
        case KIND:
          wire.varint(end);
          span.kind = wire.low;
          break;
        case EVENTS:
          this.#details.foundEvent(end);
          break;
        case LINKS:
          this.#details.foundLink(end);
          break;
        case STATUS:
          this.#readStatus(wire.content(end));
          break;
        default:
          wire.skip(tag, end);
      }
    }
    if (this.#lacksId(1, 16) || this.#lacksId(2, 8)) return 'id';
    const parent = span.length(4);
    if (parent !== 0 && parent !== 8) return 'id';
    if (this.#latest.before(span.startLow, span.startHigh) || this.#latest.before(span.endLow, span.endHigh))
      return 'time';
    return this.#details.check(this.#latest);
  }

  #readStatus(end: number): void {
    const wire = this.#wire;
    const span = this.#span;
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === STATUS_MESSAGE) {
        const stop = wire.content(end);
        span.set(6, wire.position, stop);
        wire.position = stop;
      } else if (tag === STATUS_CODE) {
        wire.varint(end);
        span.statusCode = wire.low;
      } else wire.skip(tag, end);
    }
  }

  #append(block: SpanBlock): void {
    const { data } = this.#wire;
    const span = this.#span;
    this.#attributes.append(block.spanAttributes);
    block.timestamp.append64(span.startLow, span.startHigh);
    block.traceId.appendHex(data, span.from(1), span.to(1));
    block.spanId.appendHex(data, span.from(2), span.to(2));
    appendId(block.parentSpanId, data, span.from(4), span.to(4));
    block.traceState.append(data, span.from(3), span.to(3));
    block.spanName.append(data, span.from(5), span.to(5));
    block.spanKind.appendText(KINDS[span.kind] ?? '');
    block.statusCode.appendText(STATUS_CODES[span.statusCode] ?? '');
    block.statusMessage.append(data, span.from(6), span.to(6));
    span.appendDuration(block.duration);
    this.#resource.append(block);
    this.#scope.append(block);
    this.#details.append(block);
  }

  #lacksId(field: number, size: number): boolean {
    const { data } = this.#wire;
    const span = this.#span;
    return span.length(field) !== size || isZero(data, span.from(field), span.to(field));
  }
}
