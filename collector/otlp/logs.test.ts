import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { LogBlock } from '../../store/clickhouse/log-block.ts';
import { fixtures } from '../../test/harness.ts';
import { readBlocks } from '../../test/native-block.ts';
import { emptyMessages } from '../../test/otlp-hostile.ts';
import { decodeLogs, encodeLogs } from '../../test/otlp-proto.ts';
import { rowsOfLogs } from '../../test/otlp-rows.ts';
import type { Decoded, Sink } from './decoder.ts';
import { protobufOfJson } from './json.ts';
import { LogDecoder } from './logs.ts';

const fixture = (name: string) => readFileSync(resolve(fixtures ?? '', 'otlp', name));
const NOW = BigInt(Date.now()) * 1_000_000n;
const limits = { latest: NOW + 86_400_000_000_000n, maxRowBytes: 1 << 30 };
const decoder = new LogDecoder();
const sinkOf = (block: LogBlock): Sink => ({ blockOf: (() => block) as Sink['blockOf'] });

function decode(body: Buffer): Decoded & { block: LogBlock } {
  const block = new LogBlock();
  return { ...decoder.decode(body, sinkOf(block), limits), block };
}

describe.skipIf(!fixtures)('fixtures (skipped where there are none)', () => {
  test.each([
    ['otlp2records_pb/testdata_logs_large.pb', 3495],
    ['duckdb_otlp_edge_cases/otlp_logs.pb', 1],
    ['duckdb_otlp_edge_cases/logs-initial.otlp', 3],
  ])('%s has the rows that protobufjs reads', (name, records) => {
    const body = fixture(name);
    const { block, accepted } = decode(body);
    expect(accepted).toBe(records);
    expect(readBlocks(block.encode())).toEqual(rowsOfLogs(decodeLogs(body)));
  });

  test.each([
    ['proto_examples/logs.json', 1],
    ['proto_examples/events.json', 1],
    ['otlp2records_pb/tests_fixtures_sample_otlp.json', 1],
    ['duckdb_otlp_edge_cases/logs_document.json', 1],
    ['duckdb_otlp_edge_cases/logs_nulls.jsonl', 3],
    ['duckdb_otlp_edge_cases/logs_simple.jsonl', 3],
  ])('%s has the rows that JSON.parse and protobufjs give', (name, records) => {
    const text = fixture(name).toString();
    const lines = name.endsWith('.json') ? [text] : text.trim().split('\n');
    let accepted = 0;
    for (const line of lines) {
      const decoded = decode(protobufOfJson(Buffer.from(line), 'logs'));
      accepted += decoded.accepted;
      const hexIds = JSON.parse(line, (key, value) =>
        /^(trace|span)Id$/.test(key) ? Buffer.from(value, 'hex') : value,
      );
      expect(readBlocks(decoded.block.encode())).toEqual(rowsOfLogs(decodeLogs(encodeLogs(hexIds))));
    }
    expect(accepted).toBe(records);
  });

  test.each(['ts_boundary_logs.jsonl', 'ts_overflow_logs.jsonl'])('%s lies too far ahead', (name) => {
    const body = protobufOfJson(fixture(`duckdb_otlp_edge_cases/${name}`), 'logs');
    expect(decode(body)).toMatchObject({ accepted: 0, refused: { time: 1 } });
  });
});

const requestOf = (...logRecords: object[]): Buffer =>
  encodeLogs({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] });

test('the time is when it happened, else when it was observed, else 1970', () => {
  const { block, newest } = decode(
    requestOf(
      { timeUnixNano: '1700000000000000001', observedTimeUnixNano: '1700000000000000009' },
      { observedTimeUnixNano: '1700000000000000002' },
      {},
    ),
  );
  expect(readBlocks(block.encode()).map((row) => row.Timestamp)).toEqual([
    1_700_000_000_000_000_001n,
    1_700_000_000_000_000_002n,
    0n,
  ]);
  expect(newest).toBe(1_700_000_000_000_000_002n);
});

test.each([
  [{ traceId: Buffer.alloc(16), spanId: Buffer.alloc(8) }, 'accepted'],
  [{ traceId: Buffer.alloc(15, 1) }, 'id'],
  [{ spanId: Buffer.alloc(9, 1) }, 'id'],
  [{ timeUnixNano: String(NOW + 90_000_000_000_000n) }, 'time'],
  [{ observedTimeUnixNano: String(NOW + 90_000_000_000_000n) }, 'time'],
  [{ timeUnixNano: '1', observedTimeUnixNano: String(NOW + 90_000_000_000_000n) }, 'accepted'],
])('%j: %s, beside a record that is kept', (record, outcome) => {
  const { accepted, refused, block } = decode(
    requestOf({ severityText: 'a' }, record, { severityText: 'b' }),
  );
  expect({ accepted, ...refused }).toEqual({
    accepted: outcome === 'accepted' ? 3 : 2,
    id: outcome === 'id' ? 1 : 0,
    time: outcome === 'time' ? 1 : 0,
    signal: 0,
  });
  const texts = readBlocks(block.encode()).map((row) => row.SeverityText);
  expect(texts.filter((text) => text !== '')).toEqual(['a', 'b']);
});

describe('what takes many times its bytes in memory is charged when it is found', () => {
  const RECORD = [1, 2, 2];
  test.each([
    ['records', [1, 2], 2],
    ['attributes', RECORD, 6],
    ['attributes of a scope', [1, 2, 1], 3],
    ['items of a body', [...RECORD, 5, 5], 1],
  ])('%s', (_name, path, field) => {
    const decodeSome = (count: number) =>
      decoder.decode(emptyMessages(path, field, count, false), sinkOf(new LogBlock()), {
        ...limits,
        maxRowBytes: 1 << 20,
      });
    expect(() => decodeSome(1000)).not.toThrow();
    expect(() => decodeSome(40_000)).toThrow('take too much memory');
  });

  test('attributes of a scope, repeated for each record', () => {
    const attributes = [{ key: 'k', value: { stringValue: 'x'.repeat(10_000) } }];
    const logRecords = Array.from({ length: 1000 }, () => ({}));
    const body = encodeLogs({ resourceLogs: [{ scopeLogs: [{ scope: { attributes }, logRecords }] }] });
    const decodeWithin = (maxRowBytes: number) =>
      decoder.decode(body, sinkOf(new LogBlock()), { ...limits, maxRowBytes });
    expect(decodeWithin(16 << 20).accepted).toBe(1000);
    expect(() => decodeWithin(8 << 20)).toThrow('take too much memory');
  });
});
