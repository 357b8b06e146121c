import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import type { AttributesReader } from './attributes.ts';
import type { Decoded, Refusal, Sink } from './decoder.ts';
import { type DecoderSettings, EnvelopeDecoder } from './envelope.ts';
import { appendId, isIdOrNone, isZero, SPAN_ID_BYTES, TRACE_ID_BYTES } from './ids.ts';
import { keysConfig } from './keys-config.ts';
import { SpanDetails } from './span-details.ts';
import { SpanFields } from './span-fields.ts';
import { RepeatedText, SpanKeys } from './span-keys.ts';
import { I64, LEN, VARINT } from './wire.ts';

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
/** Fields of other signals, with wire types that no field of a span has. */
const LOG_TIME = 1 * 8 + I64;
const LOG_SEVERITY = 2 * 8 + VARINT;
const LOG_OBSERVED = 11 * 8 + I64;
const METRIC_SUM = 7 * 8 + LEN;
const METRIC_EXPONENTIAL_HISTOGRAM = 10 * 8 + LEN;
const GAUGE_POINT = 1 * 8 + LEN;
const STATUS_MESSAGE = 2 * 8 + LEN;
const STATUS_CODE = 3 * 8 + VARINT;

const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUS_CODES = ['Unset', 'Ok', 'Error'];
/** What a row takes beside its texts: offsets, indexes, times and ids. */
const ROW_BYTES = 256;
const KEY_ROW_BYTES = 80;

/**
 * Reads `ExportTraceServiceRequest` (opentelemetry-proto, collector/trace/v1) straight into columns, values as the
 * Collector's ClickHouse exporter writes them.
 */
export class TraceDecoder extends EnvelopeDecoder {
  readonly #details = new SpanDetails(this.wire, this.attributes);
  readonly #span = new SpanFields();
  readonly #keys: SpanKeys;
  readonly #keyType = new RepeatedText();
  readonly #company = new RepeatedText();
  /** Takes the refused spans. */
  readonly #discard = new SpanBlock();

  constructor(settings: DecoderSettings = {}) {
    super(settings);
    this.#keys = new SpanKeys(settings.keys ?? keysConfig.parse({}), settings.masking);
  }

  protected override readResource(attributes: AttributesReader): void {
    this.#keys.readResource(attributes);
  }

  protected override clear(): void {
    this.#details.clear();
    this.#discard.clear();
    this.#keyType.forget();
    this.#company.forget();
  }

  protected override record(end: number, sink: Sink, decoded: Decoded): void {
    const refusal = this.#readSpan(end);
    const span = this.#span;
    this.chargeRow(ROW_BYTES);
    this.#keys.read(this.attributes);
    this.#append(refusal ? this.#discard : sink.blockOf('otel_traces', span.day()));
    if (refusal) {
      decoded.refused[refusal]++;
      this.#discard.clear();
      this.forget(this.#discard);
      return;
    }
    decoded.accepted++;
    if (this.#keys.some) this.#appendKeys(sink, decoded);
    this.newest.see(span.endLow, span.endHigh);
    if (span.reversed()) {
      decoded.reversed++;
      this.newest.see(span.startLow, span.startHigh);
    }
  }

  /** Finds the fields of the span that ends at `end`; returns why it cannot be kept. */
  #readSpan(end: number): Refusal | undefined {
    const { wire } = this;
    const span = this.#span;
    span.reset();
    this.#details.clear();
    this.attributes.clear();
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case ATTRIBUTES:
          this.attributes.collect(end);
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
        case LOG_TIME:
        case LOG_SEVERITY:
        case LOG_OBSERVED:
        case METRIC_SUM:
        case METRIC_EXPONENTIAL_HISTOGRAM:
          span.foreign = true;
          wire.skip(tag, end);
          break;
        default:
          wire.skip(tag, end);
      }
    }
    if (span.foreign || this.#looksLikeMetric()) return 'signal';
    if (this.#lacksId(1, TRACE_ID_BYTES) || this.#lacksId(2, SPAN_ID_BYTES)) return 'id';
    if (!isIdOrNone(span.from(4), span.to(4), SPAN_ID_BYTES)) return 'id';
    if (this.latest.before(span.startLow, span.startHigh) || this.latest.before(span.endLow, span.endHigh))
      return 'time';
    return this.#details.check(this.latest);
  }

  #readStatus(end: number): void {
    const { wire } = this;
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
    const { data } = this.wire;
    const span = this.#span;
    this.attributes.append(block.spanAttributes);
    block.timestamp.append64(span.startLow, span.startHigh);
    block.traceId.appendHex(data, span.from(1), span.to(1));
    block.spanId.appendHex(data, span.from(2), span.to(2));
    appendId(block.parentSpanId, data, span.from(4), span.to(4));
    block.traceState.append(data, span.from(3), span.to(3));
    block.spanName.append(data, span.from(5), span.to(5));
    block.spanKind.appendText(KINDS[span.kind] ?? '');
    block.statusCode.appendText(STATUS_CODES[span.statusCode] ?? '');
    this.appendText(block.statusMessage, span.from(6), span.to(6));
    span.appendDuration(block.duration);
    this.resource.append(block);
    this.scope.append(block);
    this.#details.append(block);
  }

  #appendKeys(sink: Sink, { keys }: Decoded): void {
    const { data } = this.wire;
    const span = this.#span;
    const block = sink.blockOf('span_keys', span.day());
    this.#keys.rows(this.sender, keys, (key, type, company) => {
      this.wire.charge(KEY_ROW_BYTES + key.length);
      block.joinKey.appendText(key);
      this.#keyType.set(type);
      this.#keyType.append(block.keyType);
      this.#company.set(company);
      this.#company.append(block.company);
      block.timestamp.append64(span.startLow, span.startHigh);
      block.traceId.appendHex(data, span.from(1), span.to(1));
      block.spanId.appendHex(data, span.from(2), span.to(2));
    });
  }

  /**
   * The other kinds of metrics have their name where a span has its trace id, nothing where it has its times, and a gauge
   * has its first data point where a span has its name.
   */
  #isText(start: number, end: number): boolean {
    const { data } = this.wire;
    for (let i = start; i < end; i++)
      if ((data[i] as number) < 0x20 || (data[i] as number) > 0x7e) return false;
    return end > start;
  }

  #looksLikeMetric(): boolean {
    const span = this.#span;
    if (span.startHigh !== 0 || span.endHigh !== 0) return false;
    const gauge = span.length(5) > 0 && this.wire.data[span.from(5)] === GAUGE_POINT;
    return gauge || (span.length(1) !== TRACE_ID_BYTES && this.#isText(span.from(1), span.to(1)));
  }

  #lacksId(field: number, size: number): boolean {
    const { data } = this.wire;
    const span = this.#span;
    return span.length(field) !== size || isZero(data, span.from(field), span.to(field));
  }
}
