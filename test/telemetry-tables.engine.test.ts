import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Sink } from '../collector/otlp/decoder.ts';
import { decoderOf } from '../collector/otlp/decoders.ts';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import type { Block } from '../store/clickhouse/native.ts';
import { countRecordsSince } from '../store/clickhouse/record-counts.ts';
import { openTelemetry, TELEMETRY_TABLES, type TelemetryTable } from '../store/clickhouse/telemetry.ts';
import { post } from '../store/clickhouse/testing/http.ts';
import { type TemporaryEngine, temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { type Row, readBlocks } from './native-block.ts';
import { encodeMetrics, encodeRequest } from './otlp-proto.ts';
import { SIGNAL_CASES } from './otlp-signals.ts';

/** What the decoders make of any request, through the real engine: every column of every table comes back as it was sent. */
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

/** ClickHouse refuses an insert into more days than 100. */
const BLOCKS_AN_INSERT = 50;
const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 30 };

/** A point of every kind, with numbers that JSON has no room for. */
const extremes = encodeMetrics({
  resourceMetrics: [
    {
      scopeMetrics: [
        {
          metrics: [
            ...[Number.NaN, Infinity, -Infinity, -0, 5e-324].map((asDouble) => ({
              name: 'gauge',
              gauge: {
                dataPoints: [{ asDouble, exemplars: [{ asDouble, spanId: Buffer.alloc(8, 1) }, {}] }],
              },
            })),
            { name: 'sum', sum: { dataPoints: [{ asInt: '-9223372036854775808' }], isMonotonic: true } },
            {
              name: 'histogram',
              histogram: {
                dataPoints: [{ bucketCounts: ['18446744073709551615'], explicitBounds: [Infinity] }, {}],
              },
            },
            { name: 'exponential', exponentialHistogram: { dataPoints: [{ scale: -(2 ** 31) }] } },
            {
              name: 'summary',
              summary: { dataPoints: [{ quantileValues: [{ value: Number.NaN }, {}] }, {}] },
            },
          ],
        },
      ],
    },
  ],
});

/** Spans of ten days with a key each. */
const keyed = Array.from({ length: 10 }, (_, day) =>
  encodeRequest({
    resourceSpans: [
      {
        scopeSpans: [
          {
            spans: [
              {
                traceId: Buffer.alloc(16, day + 1),
                spanId: Buffer.alloc(8, day + 1),
                startTimeUnixNano: `${day * 86_400}000000000`,
                endTimeUnixNano: `${day * 86_400}000000001`,
                attributes: [{ key: 'payment.uetr', value: { stringValue: `UETR-${day}` } }],
              },
            ],
          },
        ],
      },
    ],
  }),
);
const MORE = { traces: keyed, logs: [], metrics: [extremes] };

const sorted = (rows: readonly Row[]): string[] =>
  rows
    .map((row) =>
      JSON.stringify(row, (_key, value) => {
        if (typeof value === 'bigint') return `${value}n`;
        return typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))
          ? `${Object.is(value, -0) ? '-0' : value}`
          : value;
      }),
    )
    .sort();

test('every table gives back the rows that it was sent, and counts those once that were sent twice', async () => {
  const blocks = new Map<TelemetryTable, Map<number, Block>>();
  const blockOf = (table: TelemetryTable, day: number): Block => {
    const days = blocks.get(table) ?? new Map<number, Block>();
    blocks.set(table, days);
    const block = days.get(day) ?? new TELEMETRY_TABLES[table]();
    days.set(day, block);
    return block;
  };
  for (const { signal, request, encode } of SIGNAL_CASES) {
    const bodies = fc.sample(request, { numRuns: 60, seed: 7 }).map(encode);
    const decoder = decoderOf(signal);
    for (const body of [...bodies, ...MORE[signal]]) decoder.decode(body, { blockOf } as Sink, limits);
  }
  expect([...blocks.keys()].sort()).toEqual(Object.keys(TELEMETRY_TABLES).sort());
  const telemetry = openTelemetry(clickhouse);
  for (const [table, days] of blocks) {
    const all = [...days.values()];
    expect(all.length).toBeGreaterThan(5);
    for (let i = 0; i < all.length; i += BLOCKS_AN_INSERT) {
      const some = all.slice(i, i + BLOCKS_AN_INSERT).map((block) => block.encode());
      for (let twice = 0; twice < 2; twice++)
        await telemetry.insert(table, Buffer.concat(some), `${table}:${i}`);
    }
    const rows = all.reduce((sum, block) => sum + block.rows, 0);
    if (table === 'span_keys') expect(rows).toBe(keyed.length);
    const counted = table === 'span_keys' ? undefined : await countRecordsSince(clickhouse, table, 0n);
    if (counted) expect(counted.records + counted.repeats).toBe(rows);
    // Another token: the rows are stored a second time, as when a sender sends again beside other records.
    const again = all.slice(0, 5).map((block) => block.encode());
    await telemetry.insert(table, Buffer.concat(again), `${table}:again`);
    const repeated = all.slice(0, 5).reduce((sum, block) => sum + block.rows, 0);
    if (table !== 'span_keys' && counted)
      expect(await countRecordsSince(clickhouse, table, 0n)).toEqual({
        records: counted.records,
        repeats: counted.repeats + repeated,
      });
    const columns = [...new TELEMETRY_TABLES[table]().columns.keys()].map((name) => `\`${name}\``).join();
    const { status, bytes, text } = await post(
      engine,
      { database: engine.database },
      `SELECT ${columns} FROM ${table} FORMAT Native`,
    );
    expect(status, status === 200 ? undefined : text).toBe(200);
    const sent = [...all, ...all.slice(0, 5)].flatMap((block) => readBlocks(block.encode()));
    expect(sorted(readBlocks(bytes))).toEqual(sorted(sent));
  }
});
