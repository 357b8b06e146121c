import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Span } from '../../model/span.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import { fixtures } from '../../test/harness.ts';
import { decodeRequest, rowsOf } from '../../test/otlp-proto.ts';
import {
  type Answer,
  hexOf,
  JSON_TYPE,
  type OtlpReceiver,
  post,
  requestOf,
  span,
  startReceiver,
  TOKEN,
} from '../../test/otlp-receiver.ts';

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver?.stop());

describe('the OpenTelemetry SDK', () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  test.each([
    ['protobuf', () => new ProtobufExporter({ url: `${receiver.url}/v1/traces`, headers })],
    [
      'protobuf, gzip',
      () => new ProtobufExporter({ url: `${receiver.url}/v1/traces`, headers, compression: 'gzip' as never }),
    ],
    ['JSON', () => new JsonExporter({ url: `${receiver.url}/v1/traces`, headers })],
    [
      'JSON, gzip',
      () => new JsonExporter({ url: `${receiver.url}/v1/traces`, headers, compression: 'gzip' as never }),
    ],
  ])('exports by %s, and the spans come back whole', async (_name, exporter) => {
    const before = receiver.handler.counts.stored.traces;
    const [root, child] = await exportTwo(exporter());
    expect(receiver.handler.counts.stored.traces).toBe(before + 2);
    expect(receiver.arrived.at(-1)).toMatchObject({
      source: 'test',
      stream: 'traces',
      records: expect.any(Number),
    });
    const found = await receiver.traces.traceById(root.traceId.toUpperCase());
    expect(found).toHaveLength(2);
    expect(found[0]).toMatchObject<Partial<Span>>({
      traceId: root.traceId,
      spanId: root.spanId,
      parentSpanId: '',
      name: 'POST /bills',
      kind: 'Server',
      service: 'ocr',
      resourceAttributes: { 'service.name': 'ocr', 'service.version': '1.2.3' },
      scopeName: 'closewatch-test',
      scopeVersion: '9',
      attributes: {
        amount: '1234.5',
        'bill.id': 'BILL/2026/05/0012',
        paid: 'false',
        pages: '3',
        tags: '["a","ü"]',
      },
      startNs: '1700000000000000001',
      durationNs: '999999999',
      statusCode: 'Error',
      statusMessage: 'tax engine answered 503',
      events: [
        { timeNs: '1700000000500000000', name: 'exception', attributes: { 'exception.type': 'Timeout' } },
      ],
      links: [],
    });
    expect(found[1]).toMatchObject<Partial<Span>>({
      spanId: child.spanId,
      parentSpanId: root.spanId,
      kind: 'Client',
      statusCode: 'Unset',
      links: [{ traceId: root.traceId, spanId: root.spanId, traceState: '', attributes: { why: 'retry' } }],
    });
  });
});

async function exportTwo(exporter: SpanExporter) {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'ocr', 'service.version': '1.2.3' }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('closewatch-test', '9');
  const root = tracer.startSpan(
    'POST /bills',
    {
      kind: SpanKind.SERVER,
      startTime: [1_700_000_000, 1],
      attributes: { pages: 3, 'bill.id': 'BILL/2026/05/0012', amount: 1234.5, paid: false, tags: ['a', 'ü'] },
    },
    ROOT_CONTEXT,
  );
  root.addEvent('exception', { 'exception.type': 'Timeout' }, [1_700_000_000, 500_000_000]);
  root.setStatus({ code: SpanStatusCode.ERROR, message: 'tax engine answered 503' });
  const child = tracer.startSpan(
    'GET /tax',
    {
      kind: SpanKind.CLIENT,
      startTime: [1_700_000_000, 2],
      links: [
        { context: { ...root.spanContext(), traceFlags: TraceFlags.SAMPLED }, attributes: { why: 'retry' } },
      ],
    },
    trace.setSpan(ROOT_CONTEXT, root),
  );
  child.end([1_700_000_000, 700]);
  root.end([1_700_000_001, 0]);
  await provider.forceFlush();
  await provider.shutdown();
  return [root.spanContext(), child.spanContext()] as const;
}

describe.skipIf(!fixtures)('fixtures (skipped where there are none)', () => {
  const fixture = (name: string) => readFileSync(resolve(fixtures ?? '', 'otlp', name));

  test('every span of the OpenTelemetry demo is stored and read back as it was', async () => {
    const body = fixture('otlp2records_pb/testdata_traces_large.pb');
    const answer = await post(receiver.url, gzipSync(body), { 'content-encoding': 'gzip' });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    const rows = rowsOf(decodeRequest(body));
    const found = await receiver.traces.spansOfTraces(
      rows.map((row) => row.TraceId as string),
      { limit: 10_000 },
    );
    const byId = new Map(found.map((one) => [`${one.traceId} ${one.spanId}`, one]));
    expect(found).toHaveLength(2621);
    for (const row of rows) {
      const one = byId.get(`${row.TraceId} ${row.SpanId}`) as Span;
      expect(one.startNs).toBe(String(row.Timestamp));
      expect(one.durationNs).toBe(String(row.Duration));
      expect(Object.entries(one.attributes)).toEqual(row.SpanAttributes);
      expect(Object.entries(one.resourceAttributes)).toEqual(row.ResourceAttributes);
      expect(one.events.map((event) => event.timeNs)).toEqual(
        (row['Events.Timestamp'] as bigint[]).map(String),
      );
      expect(one.events.map((event) => Object.entries(event.attributes))).toEqual(row['Events.Attributes']);
      expect(one.links.map((link) => link.spanId)).toEqual(row['Links.SpanId']);
    }
  });

  test.each([
    ['proto_examples/trace.json', '5b8efff798038103d269b633813fc60c', 1],
    ['otlp2records_pb/tests_fixtures_sample_otlp_traces.json', '0af7651916cd43dd8448eb211c80319c', 1],
    ['duckdb_otlp_edge_cases/single_trace.jsonl', '00000000000000000000000000000001', 1],
    ['duckdb_otlp_edge_cases/traces_deep_nesting.jsonl', '00000000000000000000000000000200', 1],
  ])('%s', async (name, traceId, spans) => {
    const answer = await post(receiver.url, fixture(name), { 'content-type': JSON_TYPE });
    expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
    expect(await receiver.traces.traceById(traceId)).toHaveLength(spans);
  });

  test('300 requests of another year, many at a time', async () => {
    const lines = gunzipSync(fixture('nezha_trainticket_otlp_traces.jsonl.gz')).toString().trim().split('\n');
    const answers: Answer[] = [];
    const next = lines.values();
    const sender = async () => {
      for (const line of next) answers.push(await post(receiver.url, line, { 'content-type': JSON_TYPE }));
    };
    await Promise.all(Array.from({ length: 16 }, sender));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const ids = lines.map((line) => JSON.parse(line).resourceSpans[0].scopeSpans[0].spans[0].traceId);
    expect(await receiver.traces.spansOfTraces(ids, { limit: 10_000 })).toHaveLength(20_997);
  });

  test('a request that is no request is refused', async () => {
    for (const line of fixture('duckdb_otlp_edge_cases/malformed.jsonl').toString().trim().split('\n')) {
      const { status } = await post(receiver.url, line, { 'content-type': JSON_TYPE });
      expect(status).toBe(line.startsWith('{"') ? 200 : 400);
    }
  });
});

describe('what is stored', () => {
  test('a span sent twice is read once and counted as a repeat', async () => {
    const body = requestOf(span());
    const before = await receiver.traces.countSpans();
    for (let i = 0; i < 2; i++) expect((await post(receiver.url, body)).status).toBe(200);
    expect(await receiver.traces.traceById(hexOf(body))).toHaveLength(1);
    expect(await receiver.traces.countSpans()).toEqual({
      spans: before.spans + 1,
      repeats: before.repeats + 1,
    });
  });

  test('an insert with the same token is stored once, of however many days it is', async () => {
    const days = [0n, 1n, 2n].map((day) => String(1_700_000_000_000_000_000n + day * 86_400_000_000_000n));
    const body = requestOf(...days.map((time) => span({ startTimeUnixNano: time, endTimeUnixNano: time })));
    const blocks: Parameters<TelemetryStore['insert']>[] = [];
    const [, url] = await receiver.serve({}, { insert: async (...block) => void blocks.push(block) });
    await post(url, body, {});
    expect(blocks).toHaveLength(1);
    const block = blocks[0] as (typeof blocks)[0];
    const before = await receiver.traces.countSpans();
    for (let i = 0; i < 3; i++) await receiver.telemetry.insert(...block);
    expect(await receiver.traces.countSpans()).toEqual({ spans: before.spans + 3, repeats: before.repeats });
  });

  test('spans of 250 days in one request: more than an insert may have partitions', async () => {
    const { traceId } = span();
    const spans = Array.from({ length: 250 }, (_, day) => {
      const time = String(BigInt(day) * 86_400_000_000_000n + 5n);
      return span({ traceId, startTimeUnixNano: time, endTimeUnixNano: time });
    });
    expect((await post(receiver.url, requestOf(...spans))).status).toBe(200);
    const found = await receiver.traces.traceById(traceId.toString('hex'));
    expect(found.map(({ startNs }) => startNs)).toEqual(spans.map((one) => one.startTimeUnixNano));
  });

  test('the last nanosecond of a second is inside of the window that finds a trace', async () => {
    const time = '1699999999999999999';
    const body = requestOf(span({ startTimeUnixNano: time, endTimeUnixNano: time }));
    await post(receiver.url, body);
    expect(await receiver.traces.traceById(hexOf(body))).toMatchObject([{ startNs: time }]);
  });

  test('times of 0 are 1970; an end before the start is a Duration of 0', async () => {
    const before = receiver.handler.counts.spansReversed;
    const body = requestOf(
      span({ startTimeUnixNano: '0', endTimeUnixNano: '0' }),
      span({ endTimeUnixNano: '1600000000000000000' }),
    );
    await post(receiver.url, body);
    expect(await receiver.traces.traceById(hexOf(body))).toMatchObject([{ startNs: '0', durationNs: '0' }]);
    expect(await receiver.traces.traceById(hexOf(body, 1))).toMatchObject([{ durationNs: '0' }]);
    expect(receiver.handler.counts.spansReversed).toBe(before + 1);
  });

  test('a trace that the id table has lost is found all the same', async () => {
    const body = requestOf(span());
    await post(receiver.url, body);
    await receiver.clickhouse.command('TRUNCATE TABLE otel_traces_trace_id_ts');
    expect(await receiver.traces.traceById(hexOf(body))).toHaveLength(1);
  });

  test('texts with quotes, line ends, zeros and statements are only texts', async () => {
    const value = "'); DROP TABLE otel_traces;\n\n\0DROP TABLE otel_traces;\n\n\\'\u{1f4b6}";
    const body = requestOf(
      span({ name: value, attributes: [{ key: value, value: { stringValue: value } }] }),
    );
    expect((await post(receiver.url, body)).status).toBe(200);
    expect(await receiver.traces.traceById(hexOf(body))).toMatchObject([
      { name: value, attributes: { [value]: value } },
    ]);
  });

  test('bytes that are no UTF-8 become U+FFFD', async () => {
    const body = requestOf(span({ name: 'MARK' }));
    const traceId = hexOf(body);
    body.set([0xff, 0xfe, 0x41, 0xc3], body.indexOf('MARK'));
    await post(receiver.url, body);
    expect(await receiver.traces.traceById(traceId)).toMatchObject([{ name: '\ufffd\ufffdA\ufffd' }]);
  });
});
