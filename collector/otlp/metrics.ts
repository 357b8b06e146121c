import { attributes } from '../../store/clickhouse/attributes-column.ts';
import type { MetricBlock } from '../../store/clickhouse/metric-blocks.ts';
import { DataPoint } from './data-point.ts';
import type { Decoded, DecodeLimits, Sink } from './decoder.ts';
import { EnvelopeDecoder } from './envelope.ts';
import { dayOf, secondsOf } from './instant.ts';
import { KINDS, type Kind, metricBlocks } from './metric-kinds.ts';
import { SharedText } from './shared.ts';
import { I32, I64, LEN, VARINT } from './wire.ts';

const NAME = 1 * 8 + LEN;
const DESCRIPTION = 2 * 8 + LEN;
const UNIT = 3 * 8 + LEN;
const METADATA = 12 * 8 + LEN;
/** Fields of other signals, with wire types that no field of a metric has. */
const FOREIGN: ReadonlySet<number> = new Set([
  1 * 8 + I64, // LogRecord.time_unix_nano
  2 * 8 + VARINT, // LogRecord.severity_number
  8 * 8 + I32, // LogRecord.flags
  11 * 8 + I64, // LogRecord.observed_time_unix_nano
  6 * 8 + VARINT, // Span.kind
  7 * 8 + I64, // Span.start_time_unix_nano
  8 * 8 + I64, // Span.end_time_unix_nano
  15 * 8 + LEN, // Span.status
]);
const POINT = 1 * 8 + LEN;
const TEMPORALITY = 2 * 8 + VARINT;
const MONOTONIC = 3 * 8 + VARINT;

/** What a row takes beside its texts: offsets, indexes, times and numbers. */
const ROW_BYTES = 320;
/** The last instant that a DateTime of 32 bits has room for: in the year 2106. */
const LAST = 2n ** 32n * 1_000_000_000n - 1n;

/**
 * Reads `ExportMetricsServiceRequest` (opentelemetry-proto, collector/metrics/v1) straight into columns, a row a data
 * point, values as the Collector's ClickHouse exporter writes them.
 */
export class MetricDecoder extends EnvelopeDecoder {
  readonly #point = new DataPoint(this.wire, this.attributes);
  readonly #name = new SharedText(this.wire);
  readonly #description = new SharedText(this.wire);
  readonly #unit = new SharedText(this.wire);
  readonly #aggregation = { temporality: 0, monotonic: false };
  /** Where the messages of the metric's data lie, start and end: more than one when it was sent in parts. */
  #data: number[] = [];
  /** Take the refused data points, by table, and the metadata, for which there is no column. */
  readonly #discards = metricBlocks();
  readonly #metadata = attributes();

  override decode(body: Buffer, sink: Sink, limits: DecodeLimits): Decoded {
    const latest = limits.latest < LAST ? limits.latest : LAST;
    return super.decode(body, sink, { ...limits, latest });
  }

  protected override clear(): void {
    this.#data = [];
    this.#point.clear();
    this.#metadata.clear();
    for (const block of Object.values(this.#discards)) block.clear();
  }

  protected override record(end: number, sink: Sink, decoded: Decoded): void {
    const { wire } = this;
    let foreign = false;
    let kind: Kind | undefined;
    this.#name.reset();
    this.#description.reset();
    this.#unit.reset();
    this.#data = [];
    while (wire.position < end) {
      const tag = wire.tag(end);
      const found = KINDS.get(tag);
      if (found) {
        const stop = wire.item(end);
        if (kind && kind !== found) this.#dropData(kind, decoded);
        kind = found;
        this.#data.push(wire.position, stop);
        wire.position = stop;
      } else if (tag === NAME) this.#name.read(end);
      else if (tag === DESCRIPTION) this.#description.read(end);
      else if (tag === UNIT) this.#unit.read(end);
      else if (tag === METADATA) this.#dropMetadata(end);
      else {
        foreign ||= FOREIGN.has(tag);
        wire.skip(tag, end);
      }
    }
    const points = kind ? this.#readData(kind, sink, decoded) : 0;
    if (foreign && points === 0) decoded.refused.signal++;
  }

  #dropMetadata(end: number): void {
    this.attributes.clear();
    this.attributes.collect(end);
    const { position } = this.wire;
    this.attributes.append(this.#metadata);
    this.#metadata.clear();
    this.wire.position = position;
  }

  /** Reads data through that another kind of data replaces: of a oneof the last one counts. */
  #dropData(kind: Kind, decoded: Decoded): void {
    const { position } = this.wire;
    this.#readData(kind, undefined, decoded);
    this.#data = [];
    this.wire.position = position;
  }

  /** Reads the data points, without a sink only through; returns how many there are. */
  #readData(kind: Kind, sink: Sink | undefined, decoded: Decoded): number {
    const { wire } = this;
    this.#readAggregation();
    let points = 0;
    for (let i = 0; i < this.#data.length; i += 2) {
      const end = this.#data[i + 1] as number;
      wire.position = this.#data[i] as number;
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag !== POINT) {
          wire.skip(tag, end);
          continue;
        }
        const stop = wire.content(end);
        this.#readPoint(kind, stop, sink, decoded);
        wire.position = stop;
        points++;
      }
    }
    return points;
  }

  #readAggregation(): void {
    const { wire } = this;
    this.#aggregation.temporality = 0;
    this.#aggregation.monotonic = false;
    for (let i = 0; i < this.#data.length; i += 2) {
      const end = this.#data[i + 1] as number;
      wire.position = this.#data[i] as number;
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === TEMPORALITY) {
          wire.varint(end);
          this.#aggregation.temporality = wire.low;
        } else if (tag === MONOTONIC) {
          wire.varint(end);
          this.#aggregation.monotonic = wire.low !== 0 || wire.high !== 0;
        } else wire.skip(tag, end);
      }
    }
  }

  #readPoint(kind: Kind, end: number, sink: Sink | undefined, decoded: Decoded): void {
    const point = this.#point;
    point.read(kind.shape, end);
    const refusal = point.check(this.latest);
    this.chargeRow(ROW_BYTES + this.#description.bytes + this.#unit.bytes);
    if (sink && !refusal) {
      this.#append(sink.blockOf(kind.table, dayOf(point.timeLow, point.timeHigh)), kind);
      decoded.accepted++;
      this.newest.see(point.timeLow, point.timeHigh);
      return;
    }
    const discard = this.#discards[kind.table];
    this.#append(discard, kind);
    discard.clear();
    this.#name.forget();
    this.forget(discard);
    if (sink && refusal) decoded.refused[refusal]++;
  }

  #append(block: MetricBlock, kind: Kind): void {
    const point = this.#point;
    this.attributes.append(block.attributes);
    kind.append(block, point, this.#aggregation);
    this.#name.append(block.metricName);
    this.#description.append(block.metricDescription);
    this.#unit.append(block.metricUnit);
    block.startTimeUnix.appendNumber(secondsOf(point.startLow, point.startHigh));
    block.timeUnix.appendNumber(secondsOf(point.timeLow, point.timeHigh));
    block.flags.appendNumber(point.flags);
    this.resource.append(block);
    this.scope.append(block);
  }
}
