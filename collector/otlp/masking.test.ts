import { expect, test } from 'vitest';
import { Masking, privacyConfig } from '../../model/masking.ts';
import type { Block } from '../../store/clickhouse/native.ts';
import { TELEMETRY_TABLES, type TelemetryTable } from '../../store/clickhouse/telemetry.ts';
import { readBlocks } from '../../test/native-block.ts';
import { decodeRequest } from './decode.ts';
import type { Signal, Sink } from './decoder.ts';
import { decoderOf } from './decoders.ts';

const SECRET = 'hunter2-the-secret';
const attribute = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const attributes = [
  attribute('db.password', SECRET),
  attribute('http.route', '/bills'),
  attribute('url.full', `https://odoo:${SECRET}@erp.example/bills`),
  attribute('enduser.id', 'ada'),
];
const text = `Authorization: Bearer ${SECRET}`;
const scope = { name: 's', attributes };
const resource = { attributes: [...attributes, attribute('service.name', 'erp')] };
const [traceId, spanId] = ['5b8efff798038103d269b633813fc60c', 'eee19b7ec3c1b174'];
const span = {
  traceId,
  spanId,
  name: 'post',
  attributes: [
    ...attributes,
    attribute('closewatch.company', 'acme'),
    attribute('document.number', 'BILL/7'),
  ],
  status: { code: 2, message: text },
  events: [{ name: 'exception', attributes: [attribute('exception.message', text), ...attributes] }],
  links: [{ traceId, spanId, attributes }],
};
const point = {
  asDouble: 1,
  timeUnixNano: '1',
  attributes,
  exemplars: [{ asDouble: 1, timeUnixNano: '1', filteredAttributes: attributes }],
};
const REQUESTS: Record<Signal, object> = {
  traces: { resourceSpans: [{ resource, scopeSpans: [{ scope, spans: [span, span] }] }] },
  logs: {
    resourceLogs: [
      {
        resource,
        scopeLogs: [
          {
            scope,
            logRecords: [
              { timeUnixNano: '1', body: { stringValue: text }, attributes },
              { timeUnixNano: '1', body: { kvlistValue: { values: [attribute('a', text)] } } },
            ],
          },
        ],
      },
    ],
  },
  metrics: {
    resourceMetrics: [
      { resource, scopeMetrics: [{ scope, metrics: [{ name: 'm', gauge: { dataPoints: [point] } }] }] },
    ],
  },
};

function decode(signal: Signal, settings: object = {}, keys?: object) {
  const blocks = new Map<TelemetryTable, Block>();
  const sink = {
    blockOf(table: TelemetryTable) {
      const block = blocks.get(table) ?? new TELEMETRY_TABLES[table]();
      blocks.set(table, block);
      return block;
    },
  } as Sink;
  const masking = new Masking(privacyConfig.parse(settings), 'key');
  const decoder = decoderOf(signal, { masking, ...keys });
  const body = Buffer.from(JSON.stringify(REQUESTS[signal]));
  const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 24 };
  const first = decodeRequest(decoder, signal, 'application/json', body, sink, limits);
  decodeRequest(decoder, signal, 'application/json', body, sink, limits);
  const bytes = [...blocks.values()].map((block) => block.encode());
  return { first, stored: Buffer.concat(bytes), rows: bytes.flatMap((one) => readBlocks(one)) };
}

test.each(['traces', 'logs', 'metrics'] as const)(
  'no secret of %s reaches a block, wherever it stands',
  (signal) => {
    const { first, stored, rows } = decode(signal);
    expect(stored.includes(SECRET)).toBe(false);
    expect(stored.includes('ada')).toBe(false);
    expect(stored.includes('/bills')).toBe(true);
    expect(first.masked.secret).toBeGreaterThan(2);
    expect(first.masked.person).toBeGreaterThan(1);
    expect(rows.length).toBeGreaterThan(1);
  },
);

test('without settings for it everything is stored as it was sent', () => {
  const decoder = decoderOf('logs');
  const block = new TELEMETRY_TABLES.otel_logs();
  const body = Buffer.from(JSON.stringify(REQUESTS.logs));
  const limits = { latest: 2n ** 63n - 1n, maxRowBytes: 1 << 24 };
  decodeRequest(
    decoder,
    'logs',
    'application/json',
    body,
    { blockOf: () => block } as unknown as Sink,
    limits,
  );
  expect(block.encode().includes(SECRET)).toBe(true);
});

test('the rest of the attributes is there, sorted; what is dropped is gone with its name', () => {
  const { rows } = decode('traces', { rules: { 'enduser.id': { treatment: 'drop' } } });
  const [row] = rows;
  expect(row?.SpanAttributes).toEqual([
    ['closewatch.company', 'acme'],
    ['db.password', '[redacted]'],
    ['document.number', 'BILL/7'],
    ['http.route', '/bills'],
    ['url.full', 'https://odoo:[redacted]@erp.example/bills'],
  ]);
});

test('what is hidden holds no correlation key', () => {
  expect(decode('traces').first.keys.written).toBe(2);
  const hidden = { rules: { 'document.number': { treatment: 'hash' } } };
  expect(decode('traces', hidden).first.keys.written).toBe(0);
});
