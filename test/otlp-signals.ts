import type fc from 'fast-check';
import { type Decoded, SIGNALS, type Signal, type Sink } from '../collector/otlp/decoder.ts';
import { decoderOf } from '../collector/otlp/decoders.ts';
import { MalformedRequest } from '../collector/otlp/wire.ts';
import type { Block } from '../store/clickhouse/native.ts';
import { TELEMETRY_TABLES, type TelemetryTable } from '../store/clickhouse/telemetry.ts';
import { type Row, readBlocks } from './native-block.ts';
import { traces } from './otlp-arbitrary.ts';
import { logs } from './otlp-arbitrary-logs.ts';
import { metrics } from './otlp-arbitrary-metrics.ts';
import {
  decodeLogs,
  decodeMetrics,
  decodeRequest,
  encodeLogs,
  encodeMetrics,
  encodeRequest,
  hasIds,
  type OtlpDataPoint,
  type OtlpLogRecord,
  type OtlpSpan,
  rowsOf,
} from './otlp-proto.ts';
import { rowsOfLogs, rowsOfMetrics } from './otlp-rows.ts';

export type Tables = Readonly<Record<string, readonly Row[]>>;

/** What an independent decoder makes of a request. */
interface Expected {
  /** Spans, log records or data points. */
  readonly records: number;
  /** The rows of those that are kept. */
  readonly tables: Tables;
}

export interface SignalCase {
  /** Any request of the signal, in the names of OTLP/JSON. */
  readonly request: fc.Arbitrary<object>;
  encode(request: object): Buffer;
  /** What protobufjs reads; throws what it throws. */
  expected(body: Uint8Array): Expected;
}

export const CASES: Record<Signal, SignalCase> = {
  traces: { request: traces, encode: encodeRequest, expected: expectedSpans },
  logs: { request: logs, encode: encodeLogs, expected: expectedLogs },
  metrics: { request: metrics, encode: encodeMetrics, expected: expectedPoints },
};
export const SIGNAL_CASES = SIGNALS.map((signal) => ({ signal, ...CASES[signal] }));

export interface Read extends Decoded {
  readonly tables: Tables;
}

const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 30 };
const decoders = new Map(SIGNALS.map((signal) => [signal, decoderOf(signal)]));

/** A block of each table that is asked for, and their rows. */
export function tablesSink(): Sink & {
  tables(): Tables;
  readonly blocks: ReadonlyMap<TelemetryTable, Block>;
} {
  const blocks = new Map<TelemetryTable, Block>();
  const blockOf = (table: TelemetryTable): Block => {
    const block = blocks.get(table) ?? new TELEMETRY_TABLES[table]();
    blocks.set(table, block);
    return block;
  };
  return {
    blockOf: blockOf as Sink['blockOf'],
    blocks,
    tables: () =>
      Object.fromEntries([...blocks].map(([table, block]) => [table, readBlocks(block.encode())])),
  };
}

/** What our decoder makes of a body; throws what it throws. */
export function decoded(signal: Signal, body: Buffer): Read {
  const sink = tablesSink();
  const decoder = decoders.get(signal) as ReturnType<typeof decoderOf>;
  return { ...decoder.decode(body, sink, limits), tables: sink.tables() };
}

/** The rows of each table; of a malformed body the kind of malformation. */
export function tables(signal: Signal, body: Buffer): Tables | string {
  try {
    return decoded(signal, body).tables;
  } catch (error) {
    if (error instanceof MalformedRequest) return error.kind;
    throw error;
  }
}

const only = (table: string, rows: Row[]): Tables => (rows.length === 0 ? {} : { [table]: rows });

function expectedSpans(body: Uint8Array): Expected {
  const read = decodeRequest(body);
  const scopes = read.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans);
  const records = scopes.reduce((sum, { spans }) => sum + spans.length, 0);
  for (const scope of scopes) scope.spans = scope.spans.filter((one) => hasIds(one) && isStorable(one));
  return { records, tables: only('otel_traces', rowsOf(read)) };
}

function expectedLogs(body: Uint8Array): Expected {
  const read = decodeLogs(body);
  const scopes = read.resourceLogs.flatMap(({ scopeLogs }) => scopeLogs);
  const records = scopes.reduce((sum, { logRecords }) => sum + logRecords.length, 0);
  for (const scope of scopes) scope.logRecords = scope.logRecords.filter(isStorableLog);
  return { records, tables: only('otel_logs', rowsOfLogs(read)) };
}

function expectedPoints(body: Uint8Array): Expected {
  const read = decodeMetrics(body);
  let records = 0;
  for (const { scopeMetrics } of read.resourceMetrics)
    for (const { metrics: all } of scopeMetrics)
      for (const metric of all)
        for (const data of [
          metric.gauge,
          metric.sum,
          metric.histogram,
          metric.exponentialHistogram,
          metric.summary,
        ]) {
          if (!data) continue;
          records += data.dataPoints.length;
          data.dataPoints = data.dataPoints.filter(isStorablePoint);
        }
  return { records, tables: rowsOfMetrics(read) };
}

const isLengthOrNone = (id: Uint8Array, size: number): boolean => id.length === 0 || id.length === size;
const before = (end: bigint, ...times: string[]): boolean => times.every((time) => BigInt(time) < end);

const isStorable = (span: OtlpSpan): boolean =>
  before(
    2n ** 63n,
    span.startTimeUnixNano,
    span.endTimeUnixNano,
    ...span.events.map((event) => event.timeUnixNano),
  );

const isStorableLog = (record: OtlpLogRecord): boolean =>
  isLengthOrNone(record.traceId, 16) &&
  isLengthOrNone(record.spanId, 8) &&
  before(2n ** 63n, record.timeUnixNano === '0' ? record.observedTimeUnixNano : record.timeUnixNano);

const isStorablePoint = ({ startTimeUnixNano, timeUnixNano, exemplars = [] }: OtlpDataPoint): boolean =>
  before(2n ** 32n * 1_000_000_000n, startTimeUnixNano, timeUnixNano) &&
  exemplars.every(
    (one) =>
      isLengthOrNone(one.traceId, 16) &&
      isLengthOrNone(one.spanId, 8) &&
      before(2n ** 32n * 1_000_000_000n, one.timeUnixNano),
  );
