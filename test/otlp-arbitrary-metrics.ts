import fc from 'fast-check';
import { attributes, maybeId, nanos, resource, scope, text } from './otlp-arbitrary.ts';

/** Mostly before 2106, up to which a DateTime has room. */
const time = fc.oneof(
  { weight: 8, arbitrary: fc.bigInt({ min: 0n, max: 2n ** 32n * 1_000_000_000n - 1n }).map(String) },
  nanos,
);
const uint64 = fc.oneof(
  fc.nat({ max: 300 }).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint32 = fc.nat({ max: 2 ** 32 - 1 });
const value = fc.oneof(
  fc.record({ asDouble: fc.double() }),
  fc.record({ asInt: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }),
  fc.constant({}),
);
const exemplar = fc
  .record({
    value,
    timeUnixNano: time,
    spanId: maybeId(8),
    traceId: maybeId(16),
    filteredAttributes: attributes,
  })
  .map(({ value: one, ...rest }) => ({ ...rest, ...one }));
const common = {
  attributes,
  startTimeUnixNano: time,
  timeUnixNano: time,
  flags: uint32,
  exemplars: fc.array(exemplar, { maxLength: 2 }),
};
const range = {
  count: uint64,
  sum: fc.option(fc.double()),
  min: fc.option(fc.double()),
  max: fc.option(fc.double()),
};
const numberPoint = fc.record({ ...common, value }).map(({ value: one, ...rest }) => ({ ...rest, ...one }));
const histogramPoint = fc.record({
  ...common,
  ...range,
  bucketCounts: fc.array(uint64, { maxLength: 6 }),
  explicitBounds: fc.array(fc.double(), { maxLength: 5 }),
});
const buckets = fc.option(fc.record({ offset: int32, bucketCounts: fc.array(uint64, { maxLength: 6 }) }));
const exponentialPoint = fc.record({
  ...common,
  ...range,
  scale: int32,
  zeroCount: uint64,
  positive: buckets,
  negative: buckets,
  zeroThreshold: fc.double(),
});
const summaryPoint = fc.record({
  ...common,
  count: uint64,
  sum: fc.double(),
  quantileValues: fc.array(fc.record({ quantile: fc.double(), value: fc.double() }), { maxLength: 3 }),
});
const points = <T>(point: fc.Arbitrary<T>) => ({
  dataPoints: fc.array(point, { maxLength: 3 }),
  aggregationTemporality: fc.integer({ min: 0, max: 3 }),
});
const data = fc.oneof(
  fc.record({ gauge: fc.record({ dataPoints: fc.array(numberPoint, { maxLength: 3 }) }) }),
  fc.record({ sum: fc.record({ ...points(numberPoint), isMonotonic: fc.boolean() }) }),
  fc.record({ histogram: fc.record(points(histogramPoint)) }),
  fc.record({ exponentialHistogram: fc.record(points(exponentialPoint)) }),
  fc.record({
    summary: fc.record({
      dataPoints: fc.array(
        summaryPoint.map(({ exemplars: _none, ...point }) => point),
        { maxLength: 3 },
      ),
    }),
  }),
  fc.constant({}),
);
const metric = fc
  .record({ name: text, description: text, unit: text, metadata: attributes, data })
  .map(({ data: one, ...rest }) => ({ ...rest, ...one }));

/** Any request of metrics; ids of exemplars may be missing or of a wrong length. */
export const metrics = fc.record({
  resourceMetrics: fc.array(
    fc.record({
      resource,
      scopeMetrics: fc.array(
        fc.record({ scope, metrics: fc.array(metric, { maxLength: 3 }), schemaUrl: text }),
        { maxLength: 2 },
      ),
      schemaUrl: text,
    }),
    { maxLength: 2 },
  ),
});
