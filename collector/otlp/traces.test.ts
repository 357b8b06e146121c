import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import { fixtures } from '../../test/harness.ts';
import { readBlocks } from '../../test/native-block.ts';
import { emptyMessages } from '../../test/otlp-hostile.ts';
import { decodeRequest, encodeRequest, rowsOf } from '../../test/otlp-proto.ts';
import type { Decoded, Sink } from './decoder.ts';
import { protobufOfJson } from './json.ts';
import { TraceDecoder } from './traces.ts';

const fixture = (name: string) => readFileSync(resolve(fixtures ?? '', 'otlp', name));

const limits = { latest: BigInt(Date.now() + 86_400_000) * 1_000_000n, maxRowBytes: 1 << 30 };
const decoder = new TraceDecoder();

const sinkOf = (block: SpanBlock): Sink => ({ blockOf: (() => block) as Sink['blockOf'] });

function decode(body: Buffer): Decoded & { block: SpanBlock } {
  const block = new SpanBlock();
  return { ...decoder.decode(body, sinkOf(block), limits), block };
}

describe.skipIf(!fixtures)('fixtures (skipped where there are none)', () => {
  test.each([
    ['otlp2records_pb/testdata_traces_large.pb', 2621],
    ['duckdb_otlp_edge_cases/otlp_traces.pb', 1],
    ['duckdb_otlp_edge_cases/traces-initial.otlp', 1],
  ])('%s has the rows that protobufjs reads', (name, spans) => {
    const body = fixture(name);
    const { block, accepted } = decode(body);
    expect(accepted).toBe(spans);
    expect(readBlocks(block.encode())).toEqual(rowsOf(decodeRequest(body)));
  });

  test.each([
    ['proto_examples/trace.json', 1],
    ['otlp2records_pb/tests_fixtures_sample_otlp_traces.json', 1],
    ['duckdb_otlp_edge_cases/traces_nulls.jsonl', 3],
    ['duckdb_otlp_edge_cases/traces_simple.jsonl', 3],
    ['duckdb_otlp_edge_cases/traces_deep_nesting.jsonl', 1],
    ['duckdb_otlp_edge_cases/traces_large_attrs.jsonl', 1],
    ['duckdb_otlp_edge_cases/single_trace.jsonl', 1],
    ['duckdb_otlp_edge_cases/multifile_valid_traces.jsonl', 1],
    ['nezha_trainticket_otlp_traces.jsonl.gz', 20_997],
  ])(
    '%s has the rows that JSON.parse and protobufjs give (30 of its requests are compared)',
    (name, spans) => {
      const bytes = fixture(name);
      const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString();
      const lines = name.endsWith('.json') ? [text] : text.trim().split('\n');
      let accepted = 0;
      for (const line of lines) {
        const decoded = decode(protobufOfJson(Buffer.from(line)));
        accepted += decoded.accepted;
        if (lines.indexOf(line) % Math.ceil(lines.length / 30) === 0)
          expect(readBlocks(decoded.block.encode())).toEqual(rowsOf(viaProtobufjs(JSON.parse(line))));
      }
      expect(accepted).toBe(spans);
    },
  );
});

describe('what takes many times its bytes in memory is charged when it is found', () => {
  const SPAN = [1, 2, 2];
  const VALUE = [...SPAN, 9, 2];
  test.each([
    ['resources with their spans', [], 1],
    ['resources of one', [1], 1],
    ['attributes of a resource', [1, 1], 1],
    ['scopes with their spans', [1], 2],
    ['attributes of a scope', [1, 2, 1], 3],
    ['spans', [1, 2], 2],
    ['attributes', SPAN, 9],
    ['events', SPAN, 11],
    ['attributes of an event', [...SPAN, 11], 3],
    ['links', SPAN, 13],
    ['attributes of a link', [...SPAN, 13], 4],
    ['items of an array', [...VALUE, 5], 1],
    ['entries of a map', [...VALUE, 6], 1],
  ])('%s', (_name, path, field) => {
    const maxRowBytes = 1 << 20;
    const decodeSome = (count: number) => {
      const block = new SpanBlock();
      const body = emptyMessages(path, field, count);
      return decoder.decode(body, sinkOf(block), { ...limits, maxRowBytes });
    };
    expect(() => decodeSome(1000)).not.toThrow();
    expect(() => decodeSome(40_000)).toThrow('take too much memory');
  });

  test('attributes of a resource are read once for each day of its spans, though the days take turns', () => {
    const attributes = Array.from({ length: 1000 }, () => ({ key: '', value: {} }));
    const decodeDays = (days: number) => {
      const spans = Array.from({ length: 100 }, (_, i) => ({
        traceId: Buffer.alloc(16, 1),
        spanId: Buffer.alloc(8, 1),
        startTimeUnixNano: String(BigInt(i % days) * 86_400_000_000_000n),
      }));
      const body = encodeRequest({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
      const blocks = Array.from({ length: days }, () => new SpanBlock());
      const blockOf = ((_table, day) => blocks[day]) as Sink['blockOf'];
      return decoder.decode(body, { blockOf }, { ...limits, maxRowBytes: 1 << 20 });
    };
    expect(decodeDays(2).accepted).toBe(100);
    expect(() => decodeDays(50)).toThrow('take too much memory');
  });
});

/** OTLP/JSON has ids in hexadecimal where protobuf's own JSON has base64; the rest protobufjs reads itself. */
function viaProtobufjs(request: unknown) {
  const convert = (value: unknown, key = ''): unknown => {
    if (/^(trace|span|parentSpan)Id$/.test(key)) return Buffer.from(value as string, 'hex');
    if (Array.isArray(value)) return value.map((item) => convert(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, convert(item, name)]));
  };
  return decodeRequest(encodeRequest(convert(request) as object));
}
