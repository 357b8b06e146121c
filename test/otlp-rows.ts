import type { Row } from './native-block.ts';
import {
  asString,
  type DataKind,
  hex,
  type KeyValue,
  mapOf,
  type OtlpData,
  type OtlpDataPoint,
  type OtlpExemplar,
  type OtlpLogs,
  type OtlpMetrics,
} from './otlp-proto.ts';

/** The rows of `otel_logs` that the request stands for, by the exporter's conventions. */
export const rowsOfLogs = (request: OtlpLogs): Row[] =>
  request.resourceLogs.flatMap((resource) =>
    resource.scopeLogs.flatMap((scope) =>
      scope.logRecords.map((record) => ({
        Timestamp: BigInt(record.timeUnixNano) || BigInt(record.observedTimeUnixNano),
        TraceId: hex(record.traceId),
        SpanId: hex(record.spanId),
        TraceFlags: record.flags & 0xff,
        SeverityText: record.severityText,
        SeverityNumber: record.severityNumber & 0xff,
        ServiceName: serviceOf(resource.resource?.attributes),
        Body: asString(record.body),
        ResourceSchemaUrl: resource.schemaUrl,
        ResourceAttributes: mapOf(resource.resource?.attributes ?? []),
        ScopeSchemaUrl: scope.schemaUrl,
        ScopeName: scope.scope?.name ?? '',
        ScopeVersion: scope.scope?.version ?? '',
        ScopeAttributes: mapOf(scope.scope?.attributes ?? []),
        LogAttributes: mapOf(record.attributes),
        EventName: record.eventName,
      })),
    ),
  );

const KINDS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;
const TABLES: Record<DataKind, string> = {
  gauge: 'otel_metrics_gauge',
  sum: 'otel_metrics_sum',
  histogram: 'otel_metrics_histogram',
  exponentialHistogram: 'otel_metrics_exp_histogram',
  summary: 'otel_metrics_summary',
};

/** The rows of each table of metrics that the request stands for, by the exporter's conventions. */
export function rowsOfMetrics(request: OtlpMetrics): Record<string, Row[]> {
  const rows: Record<string, Row[]> = {};
  for (const resource of request.resourceMetrics)
    for (const scope of resource.scopeMetrics)
      for (const metric of scope.metrics) {
        const kind = KINDS.findLast((one) => metric[one]);
        const data = kind && metric[kind];
        for (const point of data?.dataPoints ?? []) {
          rows[TABLES[kind as DataKind]] ??= [];
          rows[TABLES[kind as DataKind]]?.push({
            ResourceAttributes: mapOf(resource.resource?.attributes ?? []),
            ResourceSchemaUrl: resource.schemaUrl,
            ScopeName: scope.scope?.name ?? '',
            ScopeVersion: scope.scope?.version ?? '',
            ScopeAttributes: mapOf(scope.scope?.attributes ?? []),
            ScopeDroppedAttrCount: scope.scope?.droppedAttributesCount ?? 0,
            ScopeSchemaUrl: scope.schemaUrl,
            ServiceName: serviceOf(resource.resource?.attributes),
            MetricName: metric.name,
            MetricDescription: metric.description,
            MetricUnit: metric.unit,
            Attributes: mapOf(point.attributes),
            StartTimeUnix: seconds(point.startTimeUnixNano),
            TimeUnix: seconds(point.timeUnixNano),
            Flags: point.flags,
            ...ownColumns(kind as DataKind, point, data as OtlpData),
          });
        }
      }
  return rows;
}

function ownColumns(kind: DataKind, point: OtlpDataPoint, data: OtlpData): Row {
  const distribution = { Count: BigInt(point.count ?? 0), Sum: point.sum ?? 0 };
  const range = { Min: point.min ?? 0, Max: point.max ?? 0 };
  const aggregation = { AggregationTemporality: data.aggregationTemporality };
  switch (kind) {
    case 'gauge':
      return { Value: numberOf(point), ...exemplars(point) };
    case 'sum':
      return {
        Value: numberOf(point),
        ...exemplars(point),
        ...aggregation,
        IsMonotonic: data.isMonotonic ? 1 : 0,
      };
    case 'histogram':
      return {
        ...distribution,
        BucketCounts: point.bucketCounts.map(BigInt),
        ExplicitBounds: point.explicitBounds,
        ...exemplars(point),
        ...range,
        ...aggregation,
      };
    case 'exponentialHistogram':
      return {
        ...distribution,
        Scale: point.scale,
        ZeroCount: BigInt(point.zeroCount),
        PositiveOffset: point.positive?.offset ?? 0,
        PositiveBucketCounts: (point.positive?.bucketCounts ?? []).map(BigInt),
        NegativeOffset: point.negative?.offset ?? 0,
        NegativeBucketCounts: (point.negative?.bucketCounts ?? []).map(BigInt),
        ...exemplars(point),
        ...range,
        ...aggregation,
      };
    case 'summary':
      return {
        ...distribution,
        'ValueAtQuantiles.Quantile': point.quantileValues.map(({ quantile }) => quantile),
        'ValueAtQuantiles.Value': point.quantileValues.map(({ value }) => value),
      };
  }
}

const exemplars = ({ exemplars: all = [] }: OtlpDataPoint): Row => ({
  'Exemplars.FilteredAttributes': all.map((one) => mapOf(one.filteredAttributes)),
  'Exemplars.TimeUnix': all.map((one) => seconds(one.timeUnixNano)),
  'Exemplars.Value': all.map(numberOf),
  'Exemplars.SpanId': all.map((one) => hex(one.spanId)),
  'Exemplars.TraceId': all.map((one) => hex(one.traceId)),
});

const numberOf = (point: OtlpDataPoint | OtlpExemplar): number =>
  (point.value === 'asInt' ? Number(BigInt(point.asInt as string)) : point.asDouble) ?? 0;

const seconds = (nanos: string): number => Number(BigInt(nanos) / 1_000_000_000n);

function serviceOf(attributes: readonly KeyValue[] = []): string {
  const service = attributes.findLast(({ key }) => key === 'service.name');
  return service ? asString(service.value) : '';
}
