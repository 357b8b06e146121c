import protobuf from 'protobufjs';
import type { Row } from './native-block.ts';

/** What we read of opentelemetry-proto, for an encoder and decoder that are not ours. */
const PROTO = `
syntax = "proto3";
package otlp;
message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
message ExportTraceServiceResponse { ExportTracePartialSuccess partial_success = 1; }
message ExportTracePartialSuccess { int64 rejected_spans = 1; string error_message = 2; }
message RpcStatus { int32 code = 1; string message = 2; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
  string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
  repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  repeated Event events = 11; uint32 dropped_events_count = 12;
  message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; uint32 dropped_attributes_count = 5; fixed32 flags = 6; }
  repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15;
}
message Status { string message = 2; int32 code = 3; }
message ExportLogsServiceRequest { repeated ResourceLogs resource_logs = 1; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }
message ScopeLogs { InstrumentationScope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }
message LogRecord {
  fixed64 time_unix_nano = 1; fixed64 observed_time_unix_nano = 11; int32 severity_number = 2; string severity_text = 3;
  AnyValue body = 5; repeated KeyValue attributes = 6; uint32 dropped_attributes_count = 7; fixed32 flags = 8;
  bytes trace_id = 9; bytes span_id = 10; string event_name = 12;
}
message ExportMetricsServiceRequest { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { Resource resource = 1; repeated ScopeMetrics scope_metrics = 2; string schema_url = 3; }
message ScopeMetrics { InstrumentationScope scope = 1; repeated Metric metrics = 2; string schema_url = 3; }
message Metric {
  string name = 1; string description = 2; string unit = 3; repeated KeyValue metadata = 12;
  oneof data { Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; ExponentialHistogram exponential_histogram = 10; Summary summary = 11; }
}
message Gauge { repeated NumberDataPoint data_points = 1; }
message Sum { repeated NumberDataPoint data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message ExponentialHistogram { repeated ExponentialHistogramDataPoint data_points = 1; int32 aggregation_temporality = 2; }
message Summary { repeated SummaryDataPoint data_points = 1; }
message NumberDataPoint {
  fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; oneof value { double as_double = 4; sfixed64 as_int = 6; }
  repeated Exemplar exemplars = 5; repeated KeyValue attributes = 7; uint32 flags = 8;
}
message HistogramDataPoint {
  fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; optional double sum = 5;
  repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; repeated Exemplar exemplars = 8;
  repeated KeyValue attributes = 9; uint32 flags = 10; optional double min = 11; optional double max = 12;
}
message ExponentialHistogramDataPoint {
  repeated KeyValue attributes = 1; fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4;
  optional double sum = 5; sint32 scale = 6; fixed64 zero_count = 7; Buckets positive = 8; Buckets negative = 9; uint32 flags = 10;
  repeated Exemplar exemplars = 11; optional double min = 12; optional double max = 13; double zero_threshold = 14;
  message Buckets { sint32 offset = 1; repeated uint64 bucket_counts = 2; }
}
message SummaryDataPoint {
  fixed64 start_time_unix_nano = 2; fixed64 time_unix_nano = 3; fixed64 count = 4; double sum = 5;
  repeated ValueAtQuantile quantile_values = 6; repeated KeyValue attributes = 7; uint32 flags = 8;
  message ValueAtQuantile { double quantile = 1; double value = 2; }
}
message Exemplar {
  fixed64 time_unix_nano = 2; oneof value { double as_double = 3; sfixed64 as_int = 6; } bytes span_id = 4; bytes trace_id = 5;
  repeated KeyValue filtered_attributes = 7;
}
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
`;

const root = protobuf.parse(PROTO).root;
export const TraceRequest = root.lookupType('otlp.ExportTraceServiceRequest');
const LogsRequest = root.lookupType('otlp.ExportLogsServiceRequest');
const MetricsRequest = root.lookupType('otlp.ExportMetricsServiceRequest');
export const TraceResponse = root.lookupType('otlp.ExportTraceServiceResponse');
export const RpcStatus = root.lookupType('otlp.RpcStatus');

export interface AnyValue {
  stringValue?: string;
  boolValue?: boolean;
  intValue?: string;
  doubleValue?: number;
  arrayValue?: { values: AnyValue[] };
  kvlistValue?: { values: KeyValue[] };
  bytesValue?: Uint8Array;
  value?: string;
}
export interface KeyValue {
  key: string;
  value?: AnyValue | null;
}
export interface OtlpSpan {
  traceId: Uint8Array;
  spanId: Uint8Array;
  parentSpanId: Uint8Array;
  traceState: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValue[];
  events: { timeUnixNano: string; name: string; attributes: KeyValue[] }[];
  links: { traceId: Uint8Array; spanId: Uint8Array; traceState: string; attributes: KeyValue[] }[];
  status?: { message: string; code: number } | null;
}
export interface OtlpRequest {
  resourceSpans: {
    resource?: { attributes: KeyValue[] } | null;
    scopeSpans: {
      scope?: { name: string; version: string; attributes: KeyValue[] } | null;
      spans: OtlpSpan[];
    }[];
  }[];
}

interface OtlpResource {
  resource?: { attributes: KeyValue[] } | null;
  schemaUrl: string;
}
interface OtlpScope {
  scope?: { name: string; version: string; attributes: KeyValue[]; droppedAttributesCount: number } | null;
  schemaUrl: string;
}
export interface OtlpLogRecord {
  timeUnixNano: string;
  observedTimeUnixNano: string;
  severityNumber: number;
  severityText: string;
  body?: AnyValue | null;
  attributes: KeyValue[];
  flags: number;
  traceId: Uint8Array;
  spanId: Uint8Array;
  eventName: string;
}
export interface OtlpLogs {
  resourceLogs: (OtlpResource & { scopeLogs: (OtlpScope & { logRecords: OtlpLogRecord[] })[] })[];
}
export interface OtlpExemplar {
  timeUnixNano: string;
  asDouble?: number;
  asInt?: string;
  value?: string;
  spanId: Uint8Array;
  traceId: Uint8Array;
  filteredAttributes: KeyValue[];
}
interface Buckets {
  offset: number;
  bucketCounts: string[];
}
/** A data point of any kind; each has some of this. */
export interface OtlpDataPoint {
  attributes: KeyValue[];
  startTimeUnixNano: string;
  timeUnixNano: string;
  asDouble?: number;
  asInt?: string;
  value?: string;
  flags: number;
  exemplars?: OtlpExemplar[];
  count: string;
  sum?: number;
  min?: number;
  max?: number;
  bucketCounts: string[];
  explicitBounds: number[];
  scale: number;
  zeroCount: string;
  positive?: Buckets | null;
  negative?: Buckets | null;
  quantileValues: { quantile: number; value: number }[];
}
export interface OtlpData {
  dataPoints: OtlpDataPoint[];
  aggregationTemporality: number;
  isMonotonic: boolean;
}
export type DataKind = 'gauge' | 'sum' | 'histogram' | 'exponentialHistogram' | 'summary';
export type OtlpMetric = { name: string; description: string; unit: string; data?: DataKind } & {
  [Kind in DataKind]?: OtlpData | null;
};
export interface OtlpMetrics {
  resourceMetrics: (OtlpResource & { scopeMetrics: (OtlpScope & { metrics: OtlpMetric[] })[] })[];
}

/** The request, 64-bit integers as text, as protobufjs reads it. Throws what protobufjs throws. */
export const decodeRequest = (bytes: Uint8Array): OtlpRequest =>
  read(TraceRequest, bytes) as unknown as OtlpRequest;

/** Protobuf bytes of a request in the shape of `OtlpRequest`. */
export const encodeRequest = (request: object): Buffer => write(TraceRequest, request);

const OPTIONS = { longs: String, arrays: true, defaults: true, oneofs: true };
const read = (type: protobuf.Type, bytes: Uint8Array): object => type.toObject(type.decode(bytes), OPTIONS);
const write = (type: protobuf.Type, request: object): Buffer =>
  Buffer.from(type.encode(type.fromObject(request)).finish());

/** As `decodeRequest`, of logs. */
export const decodeLogs = (bytes: Uint8Array): OtlpLogs => read(LogsRequest, bytes) as unknown as OtlpLogs;
export const encodeLogs = (request: object): Buffer => write(LogsRequest, request);

/** As `decodeRequest`, of metrics. */
export const decodeMetrics = (bytes: Uint8Array): OtlpMetrics =>
  read(MetricsRequest, bytes) as unknown as OtlpMetrics;
export const encodeMetrics = (request: object): Buffer => write(MetricsRequest, request);

/** The rows of `otel_traces` that the request stands for, by the exporter's conventions. */
export function rowsOf(request: OtlpRequest): Row[] {
  return request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) =>
      spans.map((span) => {
        const service = resource?.attributes.findLast(({ key }) => key === 'service.name');
        const start = BigInt(span.startTimeUnixNano);
        const end = BigInt(span.endTimeUnixNano);
        return {
          Timestamp: start,
          TraceId: hex(span.traceId),
          SpanId: hex(span.spanId),
          ParentSpanId: hex(span.parentSpanId),
          TraceState: span.traceState,
          SpanName: span.name,
          SpanKind: ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'][span.kind] ?? '',
          ServiceName: service ? asString(service.value) : '',
          ResourceAttributes: mapOf(resource?.attributes ?? []),
          ScopeName: scope?.name ?? '',
          ScopeVersion: scope?.version ?? '',
          SpanAttributes: mapOf(span.attributes),
          Duration: end < start ? 0n : end - start,
          StatusCode: ['Unset', 'Ok', 'Error'][span.status?.code ?? 0] ?? '',
          StatusMessage: span.status?.message ?? '',
          'Events.Timestamp': span.events.map((event) => BigInt(event.timeUnixNano)),
          'Events.Name': span.events.map((event) => event.name),
          'Events.Attributes': span.events.map((event) => mapOf(event.attributes)),
          'Links.TraceId': span.links.map((link) => hex(link.traceId)),
          'Links.SpanId': span.links.map((link) => hex(link.spanId)),
          'Links.TraceState': span.links.map((link) => link.traceState),
          'Links.Attributes': span.links.map((link) => mapOf(link.attributes)),
        };
      }),
    ),
  );
}

/** Whether the collector keeps the span: ids as they must be. */
export const hasIds = (span: OtlpSpan): boolean =>
  isId(span.traceId, 16) &&
  isId(span.spanId, 8) &&
  (span.parentSpanId.length === 0 || span.parentSpanId.length === 8) &&
  span.links.every((link) => [0, 16].includes(link.traceId.length) && [0, 8].includes(link.spanId.length));

const isId = (bytes: Uint8Array, size: number): boolean =>
  bytes.length === size && bytes.some((byte) => byte !== 0);

/** An id as it is stored: none when it is all zeros. */
export const hex = (bytes: Uint8Array): string =>
  bytes.some((byte) => byte !== 0) ? Buffer.from(bytes).toString('hex') : '';

const byBytes = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  Buffer.compare(Buffer.from(a), Buffer.from(b));

export const mapOf = (attributes: KeyValue[]): [string, string][] =>
  [...new Map(attributes.map(({ key, value }) => [key, asString(value)]))].sort(byBytes);

/** The value as the Collector writes it. */
export function asString(value: AnyValue | null | undefined): string {
  switch (value?.value) {
    case 'stringValue':
      return value.stringValue as string;
    case 'doubleValue': {
      const double = value.doubleValue as number;
      if (Number.isFinite(double)) return raw(value) as string;
      const name = Number.isNaN(double) ? 'NaN' : double > 0 ? '+Inf' : '-Inf';
      return `json: unsupported value: ${name}`;
    }
    case 'bytesValue':
      return Buffer.from(value.bytesValue as Uint8Array).toString('base64');
    case undefined:
      return '';
    default:
      return raw(value) ?? '';
  }
}

/** The value as JSON; undefined when JSON has no room for a number in it. */
function raw(value: AnyValue | null | undefined): string | undefined {
  switch (value?.value) {
    case 'stringValue':
      return quoted(value.stringValue as string);
    case 'boolValue':
      return String(value.boolValue);
    case 'intValue':
      return value.intValue as string;
    case 'doubleValue': {
      const double = value.doubleValue as number;
      if (!Number.isFinite(double)) return undefined;
      return Object.is(double, -0) ? '-0' : JSON.stringify(double);
    }
    case 'bytesValue':
      return quoted(Buffer.from(value.bytesValue as Uint8Array).toString('base64'));
    case 'arrayValue': {
      const items = (value.arrayValue?.values ?? []).map(raw);
      return items.includes(undefined) ? undefined : `[${items.join(',')}]`;
    }
    case 'kvlistValue': {
      const entries = new Map(
        (value.kvlistValue?.values ?? []).map((entry) => [entry.key, raw(entry.value)]),
      );
      const all = (value.kvlistValue?.values ?? []).map((entry) => raw(entry.value));
      if (all.includes(undefined)) return undefined;
      return `{${[...entries]
        .sort(byBytes)
        .map(([key, json]) => `${quoted(key)}:${json}`)
        .join(',')}}`;
    }
    default:
      return 'null';
  }
}

function quoted(text: string): string {
  let json = '';
  for (const character of JSON.stringify(text))
    json += '<>&\u2028\u2029'.includes(character)
      ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
      : character;
  return json;
}
