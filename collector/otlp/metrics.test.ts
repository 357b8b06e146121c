import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noMasks } from '../../model/masking.ts';
import { fixtures } from '../../test/harness.ts';
import { emptyMessages } from '../../test/otlp-hostile.ts';
import { decodeMetrics, encodeMetrics } from '../../test/otlp-proto.ts';
import { rowsOfMetrics } from '../../test/otlp-rows.ts';
import { type Read, tablesSink } from '../../test/otlp-signals.ts';
import { protobufOfJson } from './json.ts';
import { MetricDecoder } from './metrics.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { I64, VARINT } from './wire.ts';

const fixture = (name: string) => readFileSync(resolve(fixtures ?? '', 'otlp', name));
const NOW = BigInt(Date.now()) * 1_000_000n;
const limits = { latest: NOW + 86_400_000_000_000n, maxRowBytes: 1 << 30 };
const decoder = new MetricDecoder();

function decode(body: Buffer, maxRowBytes = limits.maxRowBytes): Read {
  const sink = tablesSink();
  return { ...decoder.decode(body, sink, { ...limits, maxRowBytes }), tables: sink.tables() };
}

describe.skipIf(!fixtures)('fixtures (skipped where there are none)', () => {
  test.each([
    ['otlp2records_pb/testdata_metrics_gauge.pb', 4096],
    ['otlp2records_pb/testdata_metrics_sum.pb', 4096],
    ['otlp2records_pb/testdata_metrics_histogram.pb', 2048],
    ['otlp2records_pb/testdata_metrics_exponential_histogram.pb', 2048],
    ['otlp2records_pb/testdata_metrics_summary.pb', 256],
    ['otlp2records_pb/testdata_metrics_mixed.pb', 4096],
    ['otlp2records_pb/tests_fixtures_metrics_mixed.pb', 3],
    ['duckdb_otlp_edge_cases/otlp_metrics.pb', 1],
    ['duckdb_otlp_edge_cases/metrics-initial.otlp', 5],
  ])('%s has the rows that protobufjs reads', (name, points) => {
    const body = fixture(name);
    const { accepted, tables } = decode(body);
    expect(accepted).toBe(points);
    expect(tables).toEqual(rowsOfMetrics(decodeMetrics(body)));
  });

  test.each([
    ['proto_examples/metrics.json', 4],
    ['otlp2records_pb/tests_fixtures_sample_otlp_metrics.json', 3],
    ['duckdb_otlp_edge_cases/metrics_all_types.jsonl', 5],
    ['duckdb_otlp_edge_cases/metrics_nulls.jsonl', 3],
    ['duckdb_otlp_edge_cases/metrics_optional_fields.jsonl', 3],
    ['duckdb_otlp_edge_cases/metrics_summary_only.jsonl', 2],
  ])('%s has the rows that JSON.parse and protobufjs give', (name, points) => {
    const text = fixture(name).toString();
    const lines = name.endsWith('.json') ? [text] : text.trim().split('\n');
    let accepted = 0;
    for (const line of lines) {
      const decoded = decode(protobufOfJson(Buffer.from(line), 'metrics'));
      accepted += decoded.accepted;
      expect(decoded.tables).toEqual(rowsOfMetrics(decodeMetrics(encodeMetrics(JSON.parse(line)))));
    }
    expect(accepted).toBe(points);
  });
});

const requestOf = (...metrics: object[]): Buffer =>
  encodeMetrics({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
const gauge = (...dataPoints: object[]) => ({ name: 'g', gauge: { dataPoints } });

test('each kind in its table, texts of the metric and of its origin in each row', () => {
  const attributes = (value: string) => [{ key: 'k', value: { stringValue: value } }];
  const point = (value: number) => ({ asDouble: value, attributes: attributes(`point ${value}`) });
  const body = encodeMetrics({
    resourceMetrics: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'ocr' } }] },
        schemaUrl: 'https://example.com/resource',
        scopeMetrics: [
          {
            scope: {
              name: 'scope',
              version: '1',
              attributes: attributes('scope'),
              droppedAttributesCount: 7,
            },
            schemaUrl: 'https://example.com/scope',
            metrics: [
              { name: 'a', description: 'A', unit: 's', gauge: { dataPoints: [point(1), point(2)] } },
              {
                name: 'b',
                sum: { dataPoints: [point(3)], aggregationTemporality: 1, isMonotonic: true },
              },
              { name: 'c', gauge: { dataPoints: [point(4)] } },
            ],
          },
        ],
      },
    ],
  });
  const { accepted, tables } = decode(body);
  expect(accepted).toBe(4);
  expect(tables).toEqual(rowsOfMetrics(decodeMetrics(body)));
  expect(tables.otel_metrics_gauge?.map((row) => [row.MetricName, row.Value])).toEqual([
    ['a', 1],
    ['a', 2],
    ['c', 4],
  ]);
  expect(tables.otel_metrics_sum).toMatchObject([
    {
      ServiceName: 'ocr',
      ResourceSchemaUrl: 'https://example.com/resource',
      ScopeSchemaUrl: 'https://example.com/scope',
      ScopeDroppedAttrCount: 7,
      ScopeAttributes: [['k', 'scope']],
      Attributes: [['k', 'point 3']],
      AggregationTemporality: 1,
      IsMonotonic: 1,
    },
  ]);
});

test('a metric without data points is nothing', () => {
  expect(decode(requestOf({ name: 'a' }, { name: 'b', gauge: {} }, { name: 'c', sum: {} }))).toEqual({
    accepted: 0,
    refused: { id: 0, time: 0, signal: 0 },
    keys: { written: 0, unscoped: 0, foreign: 0, dropped: 0 },
    masked: noMasks(),
    reversed: 0,
    newest: 0n,
    tables: {},
  });
});

const LATER = String(NOW + 90_000_000_000_000n);
test.each([
  [{ timeUnixNano: LATER }, 'time'],
  [{ startTimeUnixNano: LATER }, 'time'],
  [{ exemplars: [{ timeUnixNano: LATER }] }, 'time'],
  [{ exemplars: [{ traceId: Buffer.alloc(3, 1) }] }, 'id'],
  [{ exemplars: [{ spanId: Buffer.alloc(16, 1) }] }, 'id'],
])('a data point %j is refused: %s, beside one that is kept', (point, reason) => {
  const { accepted, refused, newest, tables } = decode(
    requestOf(gauge({ asInt: 1, timeUnixNano: '5000000000' }, point, { asInt: 2 })),
  );
  expect({ accepted, ...refused }).toEqual({ accepted: 2, id: 0, time: 0, signal: 0, [reason]: 1 });
  expect(tables.otel_metrics_gauge?.map((row) => row.Value)).toEqual([1, 2]);
  expect(newest).toBe(5_000_000_000n);
});

test('no time after 2106 is taken, for a DateTime has no room for it', () => {
  const body = requestOf(
    gauge({ timeUnixNano: '4294967295999999999' }, { timeUnixNano: '4294967296000000000' }),
  );
  const sink = tablesSink();
  const decoded = decoder.decode(body, sink, { ...limits, latest: 2n ** 63n - 1n });
  expect(decoded).toMatchObject({ accepted: 1, refused: { time: 1 } });
  expect(sink.tables().otel_metrics_gauge).toMatchObject([{ TimeUnix: 2 ** 32 - 1 }]);
});

/** A request of one metric, whose fields `write` writes. */
function metricOf(write: (out: ProtobufWriter) => void): Buffer {
  const out = new ProtobufWriter();
  const opened = [1, 2, 2].map((field) => out.open(field));
  write(out);
  for (const start of opened.reverse()) out.close(start);
  return out.bytes();
}

const within = (out: ProtobufWriter, fields: readonly number[], write: () => void): void => {
  const opened = fields.map((field) => out.open(field));
  write();
  for (const start of opened.reverse()) out.close(start);
};

test('lists of numbers are taken packed, one by one, and in turns', () => {
  const body = metricOf((out) => {
    within(out, [9, 1], () => {
      within(out, [6], () => {
        out.fixed64(1n);
        out.fixed64(2n ** 64n - 1n);
      });
      out.tag(6, I64);
      out.fixed64(3n);
      within(out, [6], () => out.fixed64(4n));
      out.tag(7, I64);
      out.double(0.5);
      within(out, [7], () => out.double(1.5));
    });
  });
  expect(decode(body).tables.otel_metrics_histogram).toMatchObject([
    { BucketCounts: [1n, 2n ** 64n - 1n, 3n, 4n], ExplicitBounds: [0.5, 1.5] },
  ]);
  const exponential = metricOf((out) => {
    within(out, [10, 1, 8], () => {
      within(out, [2], () => {
        out.varint(300n);
        out.varint(1n);
      });
      out.tag(2, VARINT);
      out.varint(2n ** 64n - 1n);
    });
  });
  expect(decode(exponential).tables.otel_metrics_exp_histogram).toMatchObject([
    { PositiveBucketCounts: [300n, 1n, 2n ** 64n - 1n], NegativeBucketCounts: [] },
  ]);
  for (const read of [body, exponential])
    expect(decode(read).tables).toEqual(rowsOfMetrics(decodeMetrics(read)));
});

test('a packed list that ends inside of a number is no request', () => {
  const body = metricOf((out) => within(out, [9, 1], () => out.binary(6, Buffer.alloc(12))));
  expect(() => decode(body)).toThrow('a list of numbers of 64 bits is cut off');
});

test('of two kinds of data the last one counts, the first one is read through; parts of one kind are one', () => {
  const point = (out: ProtobufWriter, field: number, value: number) =>
    within(out, [field, 1], () => {
      out.tag(4, I64);
      out.double(value);
    });
  const body = metricOf((out) => {
    point(out, 5, 1);
    point(out, 7, 2);
    within(out, [7], () => {
      out.tag(2, VARINT);
      out.varint(2n);
    });
    point(out, 7, 3);
  });
  expect(decode(body)).toMatchObject({ accepted: 2, refused: { id: 0, time: 0, signal: 0 } });
  expect(decode(body).tables).toMatchObject({
    otel_metrics_sum: [
      { Value: 2, AggregationTemporality: 2 },
      { Value: 3, AggregationTemporality: 2 },
    ],
  });
  const malformed = metricOf((out) => {
    within(out, [5, 1], () => out.binary(7, Buffer.from([0xff])));
    point(out, 7, 2);
  });
  expect(() => decode(malformed)).toThrow('a number is cut off');
});

describe('what takes many times its bytes in memory is charged when it is found', () => {
  const GAUGE = [1, 2, 2, 5];
  const POINT = [...GAUGE, 1];
  test.each([
    ['data points', GAUGE, 1],
    ['attributes', POINT, 7],
    ['exemplars', POINT, 5],
    ['attributes of an exemplar', [...POINT, 5], 7],
    ['lists of counts', [1, 2, 2, 9, 1], 6],
    ['lists of bounds', [1, 2, 2, 9, 1], 7],
    ['buckets', [1, 2, 2, 10, 1], 8],
    ['quantiles', [1, 2, 2, 11, 1], 6],
    ['metadata', [1, 2, 2], 12],
    ['gauges of one metric', [1, 2, 2], 5],
  ])('%s', (_name, path, field) => {
    expect(() => decode(emptyMessages(path, field, 1000, false), 1 << 20)).not.toThrow();
    expect(() => decode(emptyMessages(path, field, 40_000, false), 1 << 20)).toThrow('take too much memory');
  });

  test('counts of one byte', () => {
    const counts = (many: number) =>
      metricOf((out) => within(out, [10, 1, 8], () => out.binary(2, Buffer.alloc(many, 1))));
    expect(decode(counts(100_000), 1 << 20).accepted).toBe(1);
    expect(() => decode(counts(200_000), 1 << 20)).toThrow('take too much memory');
  });

  test('a description, repeated for each data point', () => {
    const dataPoints = Array.from({ length: 1000 }, () => ({}));
    const body = requestOf({ description: 'x'.repeat(10_000), gauge: { dataPoints } });
    expect(decode(body, 16 << 20).accepted).toBe(1000);
    expect(() => decode(body, 8 << 20)).toThrow('take too much memory');
  });
});
