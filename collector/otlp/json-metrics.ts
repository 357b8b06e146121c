import { attributes, request } from './json-common.ts';
import {
  boolean,
  double,
  doubles,
  enumeration,
  fixed64,
  fixed64s,
  id,
  type Message,
  message,
  repeated,
  sfixed64,
  sint32,
  text,
  uint32,
  uint64s,
} from './json-fields.ts';

const EXEMPLAR: Message = {
  timeUnixNano: fixed64(2),
  asDouble: double(3),
  spanId: id(4),
  traceId: id(5),
  asInt: sfixed64(6),
  filteredAttributes: attributes(7),
};
const NUMBER_DATA_POINT: Message = {
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  asDouble: double(4),
  exemplars: repeated(5, () => EXEMPLAR),
  asInt: sfixed64(6),
  attributes: attributes(7),
  flags: uint32(8),
};
const HISTOGRAM_DATA_POINT: Message = {
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  count: fixed64(4),
  sum: double(5),
  bucketCounts: fixed64s(6),
  explicitBounds: doubles(7),
  exemplars: repeated(8, () => EXEMPLAR),
  attributes: attributes(9),
  flags: uint32(10),
  min: double(11),
  max: double(12),
};
const BUCKETS: Message = { offset: sint32(1), bucketCounts: uint64s(2) };
const EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = {
  attributes: attributes(1),
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  count: fixed64(4),
  sum: double(5),
  scale: sint32(6),
  zeroCount: fixed64(7),
  positive: message(8, () => BUCKETS),
  negative: message(9, () => BUCKETS),
  flags: uint32(10),
  exemplars: repeated(11, () => EXEMPLAR),
  min: double(12),
  max: double(13),
  zeroThreshold: double(14),
};
const VALUE_AT_QUANTILE: Message = { quantile: double(1), value: double(2) };
const SUMMARY_DATA_POINT: Message = {
  startTimeUnixNano: fixed64(2),
  timeUnixNano: fixed64(3),
  count: fixed64(4),
  sum: double(5),
  quantileValues: repeated(6, () => VALUE_AT_QUANTILE),
  attributes: attributes(7),
  flags: uint32(8),
};

const aggregationTemporality = enumeration(2, 'AGGREGATION_TEMPORALITY_', [
  'UNSPECIFIED',
  'DELTA',
  'CUMULATIVE',
]);
const GAUGE: Message = { dataPoints: repeated(1, () => NUMBER_DATA_POINT) };
const SUM: Message = { ...GAUGE, aggregationTemporality, isMonotonic: boolean(3) };
const HISTOGRAM: Message = { dataPoints: repeated(1, () => HISTOGRAM_DATA_POINT), aggregationTemporality };
const EXPONENTIAL_HISTOGRAM: Message = {
  dataPoints: repeated(1, () => EXPONENTIAL_HISTOGRAM_DATA_POINT),
  aggregationTemporality,
};
const SUMMARY: Message = { dataPoints: repeated(1, () => SUMMARY_DATA_POINT) };
const METRIC: Message = {
  name: text(1),
  description: text(2),
  unit: text(3),
  gauge: message(5, () => GAUGE),
  sum: message(7, () => SUM),
  histogram: message(9, () => HISTOGRAM),
  exponentialHistogram: message(10, () => EXPONENTIAL_HISTOGRAM),
  summary: message(11, () => SUMMARY),
  metadata: attributes(12),
};

export const METRICS = request('resourceMetrics', 'scopeMetrics', 'metrics', METRIC);
