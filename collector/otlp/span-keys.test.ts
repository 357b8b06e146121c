import { describe, expect, test } from 'vitest';
import { SpanBlock } from '../../store/clickhouse/span-block.ts';
import { SpanKeyBlock } from '../../store/clickhouse/span-key-block.ts';
import { readBlocks } from '../../test/native-block.ts';
import { encodeRequest } from '../../test/otlp-proto.ts';
import type { Sink } from './decoder.ts';
import { keysConfig } from './keys-config.ts';
import type { SpanSender } from './span-keys.ts';
import { TraceDecoder } from './traces.ts';

type Value = string | number | readonly (string | number)[];
const anyValueOf = (value: Value): object =>
  typeof value === 'string'
    ? { stringValue: value }
    : typeof value === 'number'
      ? { intValue: value }
      : { arrayValue: { values: value.map(anyValueOf) } };
const attributes = (given: Record<string, Value>) =>
  Object.entries(given).map(([key, value]) => ({ key, value: anyValueOf(value) }));

/** The rows of span_keys of a span, as type, key and company, and what was counted. */
function keysOf(
  span: Record<string, Value>,
  {
    resource = {},
    sender = { source: '/erp' },
    settings = {},
  }: { resource?: Record<string, Value>; sender?: SpanSender; settings?: object } = {},
) {
  const [spans, keys] = [new SpanBlock(), new SpanKeyBlock()];
  const sink = { blockOf: (table: string) => (table === 'span_keys' ? keys : spans) } as unknown as Sink;
  const body = encodeRequest({
    resourceSpans: [
      {
        resource: { attributes: attributes(resource) },
        scopeSpans: [
          {
            spans: [
              {
                traceId: Buffer.alloc(16, 0xab),
                spanId: Buffer.alloc(8, 0xcd),
                startTimeUnixNano: '5000000000',
                endTimeUnixNano: '5000000001',
                attributes: attributes(span),
              },
            ],
          },
        ],
      },
    ],
  });
  const decoder = new TraceDecoder({ keys: keysConfig.parse(settings) });
  const decoded = decoder.decode(body, sink, { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 20, sender });
  const rows = keys.rows === 0 ? [] : readBlocks(keys.encode());
  for (const row of rows) expect(row).toMatchObject({ TraceId: 'ab'.repeat(16), SpanId: 'cd'.repeat(8) });
  return { rows: rows.map((row) => [row.KeyType, row.JoinKey, row.Company]), ...decoded.keys };
}

test('attributes that are named give keys; of its own company first, then of its resource', () => {
  const span = { 'document.number': 'BILL/7', 'http.method': 'POST', 'payment.uetr': 'ABC' };
  const resource = { 'service.name': 'ocr', 'odoo.company': 'globex' };
  expect(keysOf(span, { resource }).rows).toEqual([
    ['docno', 'docno:globex:BILL7', 'globex'],
    ['uetr', 'uetr:abc', 'globex'],
  ]);
  expect(keysOf({ ...span, 'closewatch.company': 'acme' }, { resource }).rows[0]).toEqual([
    'docno',
    'docno:acme:BILL7',
    'acme',
  ]);
});

test('a resource that names no company takes none from the one before', () => {
  const decoder = new TraceDecoder();
  const keys = new SpanKeyBlock();
  const spans = new SpanBlock();
  const sink = { blockOf: (table: string) => (table === 'span_keys' ? keys : spans) } as unknown as Sink;
  const of = (resource: Record<string, Value>) => ({
    resource: { attributes: attributes(resource) },
    scopeSpans: [
      {
        spans: [
          {
            traceId: Buffer.alloc(16, 1),
            spanId: Buffer.alloc(8, 1),
            attributes: attributes({ 'document.number': 'BILL/7' }),
          },
        ],
      },
    ],
  });
  const body = encodeRequest({ resourceSpans: [of({ 'closewatch.company': 'acme' }), of({})] });
  const { keys: counts } = decoder.decode(body, sink, { latest: 1n, maxRowBytes: 1 << 20 });
  expect(counts).toMatchObject({ written: 1, unscoped: 1 });
});

test('records of Odoo are what its events have as subject', () => {
  const span = { 'odoo.model': 'account.move', 'odoo.record.ids': [42, 43] };
  expect(keysOf(span, { sender: { source: '/odoo/prod' } }).rows).toEqual([
    ['subject', 'subject:/odoo/prod:account.move/42', ''],
    ['subject', 'subject:/odoo/prod:account.move/43', ''],
  ]);
});

test('any type by its name, and headers, which are lists', () => {
  const span = {
    'closewatch.company': 'acme',
    'closewatch.key.shipment': 'S-1',
    'closewatch.key.Not A Type': 'x',
    'http.request.header.x-correlation-id': ['run-1'],
  };
  expect(keysOf(span).rows.map(([, key]) => key)).toEqual(['shipment:acme:S1', 'correlation:acme:run-1']);
});

describe('what is not written is counted', () => {
  test('keys without a company, and of no source', () => {
    const span = { 'document.number': 'BILL/7', 'batch.id': 'B-1', 'payment.uetr': 'abc' };
    expect(keysOf(span, { sender: { source: '*' } })).toMatchObject({
      rows: [['uetr', 'uetr:abc', '']],
      written: 1,
      unscoped: 2,
    });
  });

  test('of a company for which the sender may not send; with one company it need not be named', () => {
    const sender = { source: '/erp', companies: ['acme'] };
    const span = { 'document.number': 'BILL/7' };
    expect(keysOf(span, { sender }).rows).toEqual([['docno', 'docno:acme:BILL7', 'acme']]);
    expect(keysOf({ ...span, 'closewatch.company': 'globex' }, { sender })).toMatchObject({
      rows: [],
      foreign: 1,
    });
    const both = { source: '/erp', companies: ['acme', 'globex'] };
    expect(keysOf(span, { sender: both })).toMatchObject({ rows: [], unscoped: 1 });
  });

  test('beyond the keys of a span, and too long', () => {
    const span = {
      'closewatch.company': 'acme',
      'document.number': Array.from({ length: 40 }, (_, i) => `B-${i}`),
      'odoo.record.name': 'x'.repeat(513),
    };
    expect(keysOf(span)).toMatchObject({ written: 16, dropped: 25 });
    expect(keysOf(span, { settings: { maxKeys: 2 } })).toMatchObject({ written: 2, dropped: 39 });
  });
});

test('what is written of attributes can be set', () => {
  const settings = { attributes: { 'my.doc': 'docno', 'document.number': 'none' }, company: ['tenant'] };
  const span = { tenant: 'acme', 'my.doc': 'A-1', 'document.number': 'B-1' };
  expect(keysOf(span, { settings }).rows).toEqual([['docno', 'docno:acme:A1', 'acme']]);
});
