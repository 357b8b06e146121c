import { LogBlock } from '../../store/clickhouse/log-block.ts';
import type { Decoded, Refusal, Sink } from './decoder.ts';
import { EnvelopeDecoder } from './envelope.ts';
import { appendId, isIdOrNone, SPAN_ID_BYTES, TRACE_ID_BYTES } from './ids.ts';
import { dayOf } from './instant.ts';
import { I32, I64, LEN, VARINT } from './wire.ts';

const TIME = 1 * 8 + I64;
const SEVERITY_NUMBER = 2 * 8 + VARINT;
const SEVERITY_TEXT = 3 * 8 + LEN;
const BODY = 5 * 8 + LEN;
const ATTRIBUTES = 6 * 8 + LEN;
const FLAGS = 8 * 8 + I32;
const TRACE_ID = 9 * 8 + LEN;
const SPAN_ID = 10 * 8 + LEN;
const OBSERVED_TIME = 11 * 8 + I64;
const EVENT_NAME = 12 * 8 + LEN;
/** Fields of other signals, with wire types that no field of a log record has. */
const SPAN_TRACE_ID_OR_METRIC_NAME = 1 * 8 + LEN;
const SPAN_SPAN_ID_OR_METRIC_DESCRIPTION = 2 * 8 + LEN;
const SPAN_START = 7 * 8 + I64;
const SPAN_END = 8 * 8 + I64;
const METRIC_SUM = 7 * 8 + LEN;

/** What a row takes beside its texts: offsets, indexes, times and ids. */
const ROW_BYTES = 256;

/**
 * Reads `ExportLogsServiceRequest` (opentelemetry-proto, collector/logs/v1) straight into columns, values as the
 * Collector's ClickHouse exporter writes them.
 */
export class LogDecoder extends EnvelopeDecoder {
  /** Takes the refused records. */
  readonly #discard = new LogBlock();
  /** The fields of the record at hand: texts by where they lie, start and end by number of the field. */
  readonly #ranges = new Int32Array(26);
  #low = 0;
  #high = 0;
  #observedLow = 0;
  #observedHigh = 0;
  #severity = 0;
  #flags = 0;

  protected override clear(): void {
    this.#discard.clear();
  }

  protected override record(end: number, sink: Sink, decoded: Decoded): void {
    const refusal = this.#read(end);
    this.chargeRow(ROW_BYTES);
    this.#append(refusal ? this.#discard : sink.blockOf('otel_logs', dayOf(this.#low, this.#high)));
    if (refusal) {
      decoded.refused[refusal]++;
      this.#discard.clear();
      this.forget(this.#discard);
      return;
    }
    decoded.accepted++;
    this.newest.see(this.#low, this.#high);
  }

  /** Finds the fields of the record that ends at `end`; returns why it cannot be kept. */
  #read(end: number): Refusal | undefined {
    const { wire } = this;
    let foreign = false;
    this.#ranges.fill(0);
    this.#low = this.#high = this.#observedLow = this.#observedHigh = this.#severity = this.#flags = 0;
    this.attributes.clear();
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case TIME:
          wire.fixed64(end);
          this.#low = wire.low;
          this.#high = wire.high;
          break;
        case OBSERVED_TIME:
          wire.fixed64(end);
          this.#observedLow = wire.low;
          this.#observedHigh = wire.high;
          break;
        case SEVERITY_NUMBER:
          wire.varint(end);
          this.#severity = wire.low;
          break;
        case FLAGS:
          this.#flags = wire.fixed32(end);
          break;
        case SEVERITY_TEXT:
        case TRACE_ID:
        case SPAN_ID:
        case EVENT_NAME:
          this.#found(tag, end);
          break;
        case BODY:
          this.#readThrough(BODY);
          this.#found(tag, end);
          break;
        case ATTRIBUTES:
          this.attributes.collect(end);
          break;
        case SPAN_TRACE_ID_OR_METRIC_NAME:
        case SPAN_SPAN_ID_OR_METRIC_DESCRIPTION:
        case SPAN_START:
        case SPAN_END:
        case METRIC_SUM:
          foreign = true;
          wire.skip(tag, end);
          break;
        default:
          wire.skip(tag, end);
      }
    }
    if (this.#low === 0 && this.#high === 0) {
      this.#low = this.#observedLow;
      this.#high = this.#observedHigh;
    }
    if (foreign) return 'signal';
    if (!this.#hasIdOrNone(TRACE_ID, TRACE_ID_BYTES) || !this.#hasIdOrNone(SPAN_ID, SPAN_ID_BYTES))
      return 'id';
    return this.latest.before(this.#low, this.#high) ? 'time' : undefined;
  }

  #append(block: LogBlock): void {
    const { data } = this.wire;
    const { values } = this.attributes;
    this.attributes.append(block.logAttributes);
    const body = values.read(this.#from(BODY), this.#to(BODY));
    if (body === undefined) this.appendText(block.body, values.start, values.end);
    else block.body.appendText(this.attributes.masking?.scan(body) ?? body);
    block.timestamp.append64(this.#low, this.#high);
    appendId(block.traceId, data, this.#from(TRACE_ID), this.#to(TRACE_ID));
    appendId(block.spanId, data, this.#from(SPAN_ID), this.#to(SPAN_ID));
    block.traceFlags.appendNumber(this.#flags);
    block.severityText.append(data, this.#from(SEVERITY_TEXT), this.#to(SEVERITY_TEXT));
    block.severityNumber.appendNumber(this.#severity);
    block.eventName.append(data, this.#from(EVENT_NAME), this.#to(EVENT_NAME));
    this.resource.append(block);
    this.scope.append(block);
  }

  /** Notes where the content lies whose length comes next. */
  #found(tag: number, end: number): void {
    const { wire } = this;
    const stop = wire.content(end);
    const at = (tag >>> 3) * 2;
    this.#ranges[at] = wire.position;
    this.#ranges[at + 1] = stop;
    wire.position = stop;
  }

  /** Reads a value that another one replaces, and stays where it was. */
  #readThrough(tag: number): void {
    const { position } = this.wire;
    this.attributes.values.read(this.#from(tag), this.#to(tag));
    this.wire.position = position;
  }

  #from(tag: number): number {
    return this.#ranges[(tag >>> 3) * 2] as number;
  }

  #to(tag: number): number {
    return this.#ranges[(tag >>> 3) * 2 + 1] as number;
  }

  #hasIdOrNone(tag: number, size: number): boolean {
    return isIdOrNone(this.#from(tag), this.#to(tag), size);
  }
}
