import { type MaskCounts, noMasks } from '../../model/masking.ts';
import type { BlockOf, TelemetryTable } from '../../store/clickhouse/telemetry.ts';
import { type KeyCounts, noKeys, type SpanSender } from './span-keys.ts';

/** What OTLP carries; the last word of a request's path and the stream of its source. */
export const SIGNALS = ['traces', 'logs', 'metrics'] as const;
export type Signal = (typeof SIGNALS)[number];

/**
 * Where decoded rows go: one block for each table and day (UTC, by days since 1970), as the tables are partitioned. A
 * block keeps its rows while a request is read: its attributes are repeated from there.
 */
export interface Sink {
  blockOf<Table extends TelemetryTable>(table: Table, day: number): BlockOf<Table>;
}

export interface DecodeLimits {
  /** Records with a time after this instant (nanoseconds since 1970) are refused. */
  readonly latest: bigint;
  /** Throws `request.too-large` when what one request holds would take more memory than this as rows. */
  readonly maxRowBytes: number;
  /** Whose records they are; by it their correlation keys are told apart. */
  readonly sender?: SpanSender | undefined;
}

/** Why a record is left out, in the words that its sender is told. */
export const REFUSALS = {
  id: 'with an id that is missing, zero or of a wrong length',
  time: 'with a time in the future or after 2262',
  signal: 'of another signal than the path names',
} as const;
export type Refusal = keyof typeof REFUSALS;

export interface Decoded {
  /** Records appended to the sink: spans, log records, data points of metrics. */
  accepted: number;
  /** Records left out, by reason. */
  refused: Record<Refusal, number>;
  /** Accepted spans whose end lies before their start; their Duration is 0. */
  reversed: number;
  /** Values that were masked, by class. */
  readonly masked: MaskCounts;
  /** Correlation keys of accepted spans. */
  readonly keys: KeyCounts;
  /** The latest end of an accepted span, or time of a log record or data point: nanoseconds since 1970; 0 when none. */
  newest: bigint;
}

/** Nothing decoded yet. */
export const nothing = (): Decoded => ({
  accepted: 0,
  refused: { id: 0, time: 0, signal: 0 },
  reversed: 0,
  masked: noMasks(),
  keys: noKeys(),
  newest: 0n,
});

export const refusedIn = ({ refused }: Decoded): number =>
  Object.values(refused).reduce((sum, count) => sum + count, 0);

/** Reads requests of one signal, one after the other. */
export interface Decoder {
  /**
   * Appends the records of the protobuf request `body` to `sink`; refused ones are read through all the same. Throws
   * `MalformedRequest` for bytes that are no such request, `request.too-large` when the rows pass the limit; the sink may
   * then hold half of a row.
   */
  decode(body: Buffer, sink: Sink, limits: DecodeLimits): Decoded;
}
