import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { type MetricQuestion, metricSeries } from './metrics.ts';
import { migrate } from './migrate.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';

let engine: TemporaryEngine;
let clickhouse: ClickHouse;
beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
});
afterAll(async () => {
  await clickhouse?.close();
  await engine?.remove();
});

const NOON = Date.parse('2026-05-31T12:00:00Z') / 1000;
const point = (name: string, at: number, fields: object) => ({
  ServiceName: 'ocr',
  MetricName: name,
  MetricUnit: 's',
  MetricDescription: `what ${name} is`,
  TimeUnix: NOON + at,
  StartTimeUnix: NOON - 3600,
  ...fields,
});
const ask = (name: string, fields: Partial<MetricQuestion> = {}) =>
  metricSeries(clickhouse, { name, since: NOON, until: NOON + 180, step: 60, ...fields });
let inserts = 0;
const insert = (table: string, ...rows: object[]) =>
  clickhouse.insertRows(table, rows, { token: `m${inserts++}` });

test('gauges: the mean of what each series said last, least and most; a point that was sent twice is one', async () => {
  const points = [
    point('load', 0, { Value: 1, Attributes: { cpu: '0' } }),
    point('load', 30, { Value: 3, Attributes: { cpu: '0' } }),
    point('load', 59, { Value: 9, Attributes: { cpu: '1' } }),
    point('load', 120, { Value: 5, Attributes: { cpu: '1' } }),
    point('load', 121, { Value: 7, Flags: 1 }),
    point('load', -1, { Value: 70 }),
    point('load', 180, { Value: 70 }),
    point('load', 0, { Value: 40, ServiceName: 'another' }),
  ];
  await insert('otel_metrics_gauge', ...points);
  await insert('otel_metrics_gauge', ...points.slice(0, 2), point('load', 1, { Value: 'nan' }));
  expect(await ask('load', { service: 'ocr' })).toEqual([
    {
      name: 'load',
      kind: 'gauge',
      description: 'what load is',
      unit: 's',
      truncated: false,
      buckets: [
        { at: NOON, points: 3, value: 6, min: 1, max: 9, count: null, p50: null, p95: null, p99: null },
        { at: NOON + 120, points: 1, value: 5, min: 5, max: 5, count: null, p50: null, p95: null, p99: null },
      ],
    },
  ]);
  expect((await ask('load'))[0]?.buckets[0]).toMatchObject({ points: 4, max: 40 });
});

describe('sums', () => {
  const values = async (name: string) => (await ask(name))[0]?.buckets.map(({ value }) => value);

  test('that are cumulative: what was added since the step before, also over a restart', async () => {
    const sum = (at: number, Value: number, fields: object = {}) =>
      point('bills', at, { Value, AggregationTemporality: 2, IsMonotonic: true, ...fields });
    await insert('otel_metrics_sum', sum(-10, 100), sum(10, 104), sum(50, 110), sum(70, 111));
    await insert('otel_metrics_sum', sum(130, 4, { StartTimeUnix: NOON + 100 }));
    expect(await values('bills')).toEqual([10, 1, 4]);
  });

  test('that are cumulative and seen for the first time: not known, unless they began in the step', async () => {
    const sum = (at: number, Value: number, fields: object = {}) =>
      point('new', at, { Value, AggregationTemporality: 2, IsMonotonic: true, ...fields });
    await insert('otel_metrics_sum', sum(10, 1000), sum(70, 1001));
    await insert('otel_metrics_sum', sum(80, 5, { Attributes: { a: 'b' }, StartTimeUnix: NOON + 61 }));
    expect(await values('new')).toEqual([null, 6]);
  });

  test('that are cumulative and fall: the last values of all series', async () => {
    const sum = (at: number, Value: number, queue: string) =>
      point('waiting', at, { Value, AggregationTemporality: 2, IsMonotonic: false, Attributes: { queue } });
    await insert('otel_metrics_sum', sum(0, 5, 'a'), sum(20, 3, 'a'), sum(0, 10, 'b'), sum(60, 1, 'a'));
    expect(await values('waiting')).toEqual([13, 1]);
  });

  test('that are deltas: their sum', async () => {
    const sum = (at: number, Value: number) =>
      point('delta', at, { Value, AggregationTemporality: 1, IsMonotonic: true });
    await insert('otel_metrics_sum', sum(-10, 7), sum(0, 2), sum(59, 3), sum(60, 1));
    await insert('otel_metrics_sum', sum(59, 3));
    expect(await values('delta')).toEqual([5, 1]);
  });
});

describe('histograms', () => {
  const bounds = { ExplicitBounds: [10, 20, 30] };

  test('deltas of several series count together', async () => {
    const one = (at: number, counts: number[], name: string) =>
      point('duration', at, {
        ...bounds,
        BucketCounts: counts,
        Count: counts.reduce((sum, count) => sum + count, 0),
        Sum: 150,
        AggregationTemporality: 1,
        Attributes: { name },
      });
    await insert(
      'otel_metrics_histogram',
      one(0, [5, 4, 1, 0], 'a'),
      one(30, [5, 0, 0, 0], 'a'),
      one(1, [0, 4, 1, 0], 'b'),
    );
    expect((await ask('duration'))[0]).toMatchObject({
      kind: 'histogram',
      buckets: [{ points: 3, count: 20, value: 22.5, p50: 10, p95: 25 }],
    });
  });

  test('cumulative ones: what came since the step before, by bucket', async () => {
    const one = (at: number, counts: number[], Sum: number, fields: object = {}) =>
      point('slow', at, {
        ...bounds,
        BucketCounts: counts,
        Count: counts.reduce((sum, count) => sum + count, 0),
        Sum,
        AggregationTemporality: 2,
        ...fields,
      });
    await insert(
      'otel_metrics_histogram',
      one(-20, [1000, 0, 0, 0], 5000),
      one(20, [1000, 10, 0, 0], 5150),
      one(70, [1000, 10, 0, 4], 5300),
      one(130, [2, 0, 0, 0], 10, { StartTimeUnix: NOON + 121 }),
    );
    expect((await ask('slow'))[0]?.buckets).toMatchObject([
      { count: 10, value: 15, p50: 15 },
      { count: 4, value: 37.5, p50: 30 },
      { count: 2, value: 5, p50: 5 },
    ]);
  });

  test('a bound without end, and a sum that is no number', async () => {
    await insert(
      'otel_metrics_histogram',
      point('odd', 0, {
        ExplicitBounds: [10, 'inf'],
        BucketCounts: [0, 4, 0],
        Count: 4,
        Sum: 'nan',
        AggregationTemporality: 1,
      }),
    );
    expect((await ask('odd'))[0]?.buckets).toMatchObject([{ count: 4, value: null, p99: 10 }]);
  });

  test('exponential ones of different scales', async () => {
    const one = (at: number, fields: object) =>
      point('size', at, { AggregationTemporality: 1, Count: 4, Sum: 8, ...fields });
    await insert(
      'otel_metrics_exp_histogram',
      one(0, { Scale: 0, PositiveOffset: 1, PositiveBucketCounts: [4] }),
      one(5, { Scale: 1, PositiveOffset: 2, PositiveBucketCounts: [2, 2], Attributes: { a: 'b' } }),
    );
    expect((await ask('size'))[0]).toMatchObject({
      kind: 'exponentialHistogram',
      buckets: [{ points: 2, count: 8, value: 2, p50: 3, p99: 3.98 }],
    });
    const cumulative = (at: number, count: number, counts: number[]) =>
      point('growing', at, {
        AggregationTemporality: 2,
        Count: count,
        Sum: count,
        Scale: 0,
        PositiveBucketCounts: counts,
      });
    await insert(
      'otel_metrics_exp_histogram',
      cumulative(-5, 8, [8]),
      cumulative(5, 10, [8, 2]),
      cumulative(65, 13, [11, 2]),
    );
    expect((await ask('growing'))[0]?.buckets).toMatchObject([
      { count: 2, p50: 3 },
      { count: 3, p50: 1.5 },
    ]);
  });

  test('summaries: how many, and their mean', async () => {
    const one = (at: number, Count: number, Sum: number) => point('rpc', at, { Count, Sum });
    await insert('otel_metrics_summary', one(-5, 10, 100), one(5, 12, 106), one(65, 12, 106));
    expect((await ask('rpc'))[0]?.buckets).toMatchObject([
      { count: 2, value: 3, p50: null },
      { count: 0, value: null },
    ]);
  });
});

test('a name that two kinds have gives two series; one that none has gives none', async () => {
  await insert('otel_metrics_gauge', point('both', 0, { Value: 1 }));
  await insert('otel_metrics_sum', point('both', 0, { Value: 1, AggregationTemporality: 1 }));
  expect((await ask('both')).map(({ kind }) => kind).sort()).toEqual(['gauge', 'sum']);
  expect(await ask('nobody')).toEqual([]);
  expect(await ask('both', { service: 'nobody' })).toEqual([]);
});

test('at the beginning of time', async () => {
  await insert('otel_metrics_gauge', point('old', -NOON, { Value: 1 }));
  const [series] = await ask('old', { since: 0, until: 60, step: 60 });
  expect(series?.buckets).toMatchObject([{ at: 0, value: 1 }]);
});

test('many series are cut off, saying so', async () => {
  const rows = Array.from({ length: 50_100 }, (_, i) =>
    point('many', 0, { Value: 1, Attributes: { i: `${i}` } }),
  );
  await insert('otel_metrics_gauge', ...rows);
  expect((await ask('many'))[0]).toMatchObject({ truncated: true, buckets: [{ points: 50_000, value: 1 }] });
});

test.each([{ step: 0 }, { step: -1 }, { step: 0.1 }, { until: NOON }, { until: NOON + 60 * 1001 }])(
  '%j is refused',
  async (fields) => {
    await expect(ask('load', fields)).rejects.toMatchObject({ code: 'request.malformed' });
  },
);
