import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClosewatchError } from '../../model/errors.ts';
import { type ClickHouse, connectClickHouse } from '../../store/clickhouse/client.ts';
import { migrate } from '../../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../../store/clickhouse/testing/temporary.ts';
import { openTraces, type Span, type TraceStore } from '../../store/clickhouse/traces.ts';
import { decodeRequest, encodeRequest, RpcStatus, rowsOf, TraceResponse } from '../../test/otlp-proto.ts';
import { otlpConfig } from './config.ts';
import { createOtlpHandler, type OtlpHandler } from './handler.ts';

const FIXTURES = process.env.CLOSEWATCH_FIXTURES ?? resolve(import.meta.dirname, '../../../shared/fixtures');
const TOKEN = 'cw_test-token';
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

const logged: string[] = [];
const log = (fields: object, message: string) => {
  logged.push(JSON.stringify([message, fields]));
};
const logger = { error: log, warn: log, info: log, debug: log };

let engine: Awaited<ReturnType<typeof temporaryEngine>>;
let clickhouse: ClickHouse;
let traces: TraceStore;
let handler: OtlpHandler;
let base: string;
const servers: Server[] = [];

async function serve(
  settings: object,
  store: Pick<TraceStore, 'insertSpans'>,
): Promise<[OtlpHandler, string]> {
  const made = createOtlpHandler(otlpConfig.parse(settings), {
    traces: store,
    logger,
    async authenticate(req) {
      if (!req.headers.authorization) throw new ClosewatchError('auth.missing', 'a token is needed');
      if (req.headers.authorization !== `Bearer ${TOKEN}`)
        throw new ClosewatchError('auth.invalid', 'the token is unknown');
      return { source: 'test', tokenId: '1' };
    },
  });
  const server = createServer((req, res) => void made(req, res));
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return [made, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  traces = openTraces(clickhouse);
  [handler, base] = await serve({}, traces);
});

afterAll(async () => {
  await handler?.close();
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await clickhouse?.close();
  await engine?.remove();
});

interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

function post(body: Uint8Array | string, headers: Record<string, string> = {}, url = `${base}/v1/traces`) {
  const all = { authorization: `Bearer ${TOKEN}`, 'content-type': PROTOBUF, ...headers };
  return send(url, 'POST', all, body);
}

function send(url: string, method: string, headers: Record<string, string>, body?: Uint8Array | string) {
  return new Promise<Answer>((done, fail) => {
    const req = request(url, { method, headers }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('end', () =>
        done({ status: res.statusCode ?? 0, headers: res.headers, body: Buffer.concat(chunks) }),
      );
    });
    req.on('error', fail);
    req.end(body);
  });
}

const statusOf = ({ body, headers }: Answer): unknown =>
  headers['content-type'] === JSON_TYPE ? JSON.parse(body.toString()) : RpcStatus.decode(body).toJSON();

let lastId = 0;
/** A span of a trace of its own, unless told otherwise. */
function span(fields: object = {}): { traceId: Buffer; spanId: Buffer } & Record<string, unknown> {
  const traceId = Buffer.alloc(16, 0xab);
  traceId.writeUInt32BE(++lastId, 12);
  const spanId = Buffer.alloc(8, 0xcd);
  spanId.writeUInt32BE(lastId, 4);
  const start = '1700000000123456789';
  return { traceId, spanId, name: 'a span', startTimeUnixNano: start, endTimeUnixNano: start, ...fields };
}
const requestOf = (...spans: object[]) => encodeRequest({ resourceSpans: [{ scopeSpans: [{ spans }] }] });

describe('the OpenTelemetry SDK', () => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  test.each([
    ['protobuf', () => new ProtobufExporter({ url: `${base}/v1/traces`, headers })],
    [
      'protobuf, gzip',
      () => new ProtobufExporter({ url: `${base}/v1/traces`, headers, compression: 'gzip' as never }),
    ],
    ['JSON', () => new JsonExporter({ url: `${base}/v1/traces`, headers })],
    [
      'JSON, gzip',
      () => new JsonExporter({ url: `${base}/v1/traces`, headers, compression: 'gzip' as never }),
    ],
  ])('exports by %s, and the spans come back whole', async (_name, exporter) => {
    const before = handler.counts.spans;
    const [root, child] = await exportTwo(exporter());
    expect(handler.counts.spans).toBe(before + 2);
    const found = await traces.traceById(root.traceId.toUpperCase());
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

describe.skipIf(!existsSync(FIXTURES))('fixtures (skipped where there are none)', () => {
  const fixture = (name: string) => readFileSync(resolve(FIXTURES, 'otlp', name));

  test('every span of the OpenTelemetry demo is stored and read back as it was', async () => {
    const body = fixture('otlp2records_pb/testdata_traces_large.pb');
    const answer = await post(gzipSync(body), { 'content-encoding': 'gzip' });
    expect([answer.status, answer.body.length]).toEqual([200, 0]);
    const rows = rowsOf(decodeRequest(body));
    const found = await traces.spansOfTraces(
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
    const answer = await post(fixture(name), { 'content-type': JSON_TYPE });
    expect([answer.status, answer.body.toString()]).toEqual([200, '{}']);
    expect(await traces.traceById(traceId)).toHaveLength(spans);
  });

  test('300 requests of another year, many at a time', async () => {
    const lines = gunzipSync(fixture('nezha_trainticket_otlp_traces.jsonl.gz')).toString().trim().split('\n');
    const answers: Answer[] = [];
    const next = lines.values();
    const sender = async () => {
      for (const line of next) answers.push(await post(line, { 'content-type': JSON_TYPE }));
    };
    await Promise.all(Array.from({ length: 16 }, sender));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    const ids = lines.map((line) => JSON.parse(line).resourceSpans[0].scopeSpans[0].spans[0].traceId);
    expect(await traces.spansOfTraces(ids, { limit: 10_000 })).toHaveLength(20_997);
  });

  test('a request that is no request is refused', async () => {
    for (const line of fixture('duckdb_otlp_edge_cases/malformed.jsonl').toString().trim().split('\n')) {
      const { status } = await post(line, { 'content-type': JSON_TYPE });
      expect(status).toBe(line.startsWith('{"') ? 200 : 400);
    }
  });
});

describe('what is stored', () => {
  test('a span sent twice is read once and counted as a repeat', async () => {
    const body = requestOf(span());
    const before = await traces.countSpans();
    for (let i = 0; i < 2; i++) expect((await post(body)).status).toBe(200);
    expect(await traces.traceById(hexOf(body))).toHaveLength(1);
    expect(await traces.countSpans()).toEqual({ spans: before.spans + 1, repeats: before.repeats + 1 });
  });

  test('an insert with the same token is stored once, of however many days it is', async () => {
    const days = [0n, 1n, 2n].map((day) => String(1_700_000_000_000_000_000n + day * 86_400_000_000_000n));
    const body = requestOf(...days.map((time) => span({ startTimeUnixNano: time, endTimeUnixNano: time })));
    const blocks: [Uint8Array, string][] = [];
    const [, url] = await serve(
      {},
      { insertSpans: async (block, token) => void blocks.push([block, token]) },
    );
    await post(body, {}, `${url}/v1/traces`);
    expect(blocks).toHaveLength(1);
    const [block, token] = blocks[0] as [Uint8Array, string];
    const before = await traces.countSpans();
    for (let i = 0; i < 3; i++) await traces.insertSpans(block, token);
    expect(await traces.countSpans()).toEqual({ spans: before.spans + 3, repeats: before.repeats });
  });

  test('spans of 250 days in one request: more than an insert may have partitions', async () => {
    const { traceId } = span();
    const spans = Array.from({ length: 250 }, (_, day) => {
      const time = String(BigInt(day) * 86_400_000_000_000n + 5n);
      return span({ traceId, startTimeUnixNano: time, endTimeUnixNano: time });
    });
    expect((await post(requestOf(...spans))).status).toBe(200);
    const found = await traces.traceById(traceId.toString('hex'));
    expect(found.map(({ startNs }) => startNs)).toEqual(spans.map((one) => one.startTimeUnixNano));
  });

  test('the last nanosecond of a second is inside of the window that finds a trace', async () => {
    const time = '1699999999999999999';
    const body = requestOf(span({ startTimeUnixNano: time, endTimeUnixNano: time }));
    await post(body);
    expect(await traces.traceById(hexOf(body))).toMatchObject([{ startNs: time }]);
  });

  test('times of 0 are 1970; an end before the start is a Duration of 0', async () => {
    const before = handler.counts.spansReversed;
    const body = requestOf(
      span({ startTimeUnixNano: '0', endTimeUnixNano: '0' }),
      span({ endTimeUnixNano: '1600000000000000000' }),
    );
    await post(body);
    expect(await traces.traceById(hexOf(body))).toMatchObject([{ startNs: '0', durationNs: '0' }]);
    expect(await traces.traceById(hexOf(body, 1))).toMatchObject([{ durationNs: '0' }]);
    expect(handler.counts.spansReversed).toBe(before + 1);
  });

  test('a trace that the id table has lost is found all the same', async () => {
    const body = requestOf(span());
    await post(body);
    await clickhouse.command('TRUNCATE TABLE otel_traces_trace_id_ts');
    expect(await traces.traceById(hexOf(body))).toHaveLength(1);
  });

  test('texts with quotes, line ends, zeros and statements are only texts', async () => {
    const value = "'); DROP TABLE otel_traces;\n\n\0DROP TABLE otel_traces;\n\n\\'\u{1f4b6}";
    const body = requestOf(
      span({ name: value, attributes: [{ key: value, value: { stringValue: value } }] }),
    );
    expect((await post(body)).status).toBe(200);
    expect(await traces.traceById(hexOf(body))).toMatchObject([
      { name: value, attributes: { [value]: value } },
    ]);
  });

  test('bytes that are no UTF-8 become U+FFFD', async () => {
    const body = requestOf(span({ name: 'MARK' }));
    const traceId = hexOf(body);
    body.set([0xff, 0xfe, 0x41, 0xc3], body.indexOf('MARK'));
    await post(body);
    expect(await traces.traceById(traceId)).toMatchObject([{ name: '\ufffd\ufffdA\ufffd' }]);
  });
});

/** The trace id of the span `index` of a request. */
const hexOf = (body: Buffer, index = 0): string => rowsOf(decodeRequest(body))[index]?.TraceId as string;

describe('answers', () => {
  test('an empty request succeeds, in both encodings', async () => {
    for (const headers of [{}, { 'content-encoding': 'gzip' }, { 'content-encoding': 'identity' }]) {
      const answer = await post('', headers);
      expect([answer.status, answer.headers['content-type'], answer.body.length]).toEqual([200, PROTOBUF, 0]);
    }
    const answer = await post('{}', { 'content-type': 'application/json; charset=utf-8' });
    expect([answer.status, answer.headers['content-type'], answer.body.toString()]).toEqual([
      200,
      JSON_TYPE,
      '{}',
    ]);
  });

  test('spans that cannot be kept are refused one by one', async () => {
    const future = String(BigInt(Date.now() + 25 * 3_600_000) * 1_000_000n);
    const good = span();
    const body = requestOf(
      good,
      span({ traceId: Buffer.alloc(16) }),
      span({ traceId: Buffer.alloc(15, 1) }),
      span({ spanId: Buffer.alloc(0) }),
      span({ parentSpanId: Buffer.alloc(7, 1) }),
      span({ links: [{ traceId: Buffer.alloc(3, 1) }] }),
      span({ startTimeUnixNano: future, endTimeUnixNano: future }),
      span({ endTimeUnixNano: '18446744073709551615' }),
      span({ events: [{ timeUnixNano: '9223372036854775808' }] }),
    );
    const answer = await post(body);
    expect(answer.status).toBe(200);
    expect(TraceResponse.decode(answer.body).toJSON()).toEqual({
      partialSuccess: {
        rejectedSpans: '8',
        errorMessage:
          '5 with an id that is missing, zero or of a wrong length, 3 with a time in the future or after 2262',
      },
    });
    expect(await traces.traceById(good.traceId.toString('hex'))).toHaveLength(1);
    const json = { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 'ABC', spanId: 'DEF' }] }] }] };
    const inJson = await post(JSON.stringify(json), { 'content-type': JSON_TYPE });
    expect(JSON.parse(inJson.body.toString())).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
  });

  test('nothing of a malformed request is stored', async () => {
    const good = span();
    const body = Buffer.concat([requestOf(good), Buffer.from([0x0a, 0x7f, 0x01])]);
    const answer = await post(body);
    expect(answer.status).toBe(400);
    expect(statusOf(answer)).toEqual({ code: 3, message: expect.stringContaining('only 1') });
    expect(await traces.traceById(good.traceId.toString('hex'))).toEqual([]);
    const inJson = await post('{"resourceSpans":[{"scopeSpans":{}}]}', { 'content-type': JSON_TYPE });
    expect(inJson.status).toBe(400);
    expect(statusOf(inJson)).toEqual({ code: 3, message: 'resourceSpans[0].scopeSpans must be an array' });
    expect((await post('no gzip', { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  test('who has no token, or a wrong one, is refused', async () => {
    const body = requestOf(span());
    const anonymous = await send(`${base}/v1/traces`, 'POST', { 'content-type': JSON_TYPE }, '{}');
    expect([anonymous.status, anonymous.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    expect(statusOf(anonymous)).toEqual({ code: 16, message: 'a token is needed' });
    const wrong = await post(body, { authorization: 'Bearer wrong' });
    expect([wrong.status, statusOf(wrong)]).toEqual([401, { code: 16, message: 'the token is unknown' }]);
    expect(logged.join()).not.toMatch(/wrong"|cw_test/);
  });

  test('other methods, types, encodings and signals', async () => {
    const get = await send(`${base}/v1/traces`, 'GET', {});
    expect([get.status, get.headers.allow, get.headers['content-type']]).toEqual([
      405,
      'POST',
      'text/plain; charset=utf-8',
    ]);
    const type = await post('a=b', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([type.status, type.headers['content-type']]).toEqual([415, 'text/plain; charset=utf-8']);
    const encoding = await post('', { 'content-encoding': 'br' });
    expect([encoding.status, statusOf(encoding)]).toEqual([415, { code: 3, message: expect.any(String) }]);
    for (const signal of ['logs', 'metrics']) {
      const answer = await post('{}', { 'content-type': JSON_TYPE }, `${base}/v1/${signal}`);
      expect([answer.status, statusOf(answer)]).toEqual([
        404,
        { code: 12, message: expect.stringContaining(signal) },
      ]);
    }
  });
});

describe('limits', () => {
  const small = { maxBodyBytes: 100_000, maxPendingBytes: 200_000 };

  test('a body that is too large is refused with 413, plain, inflated, with and without a length', async () => {
    const [, url] = await serve(small, traces);
    const to = `${url}/v1/traces`;
    const large = Buffer.alloc(3_000_000, 1);
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
      const answer = await post(large, headers, to);
      expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
    }
    const bomb = gzipSync(Buffer.alloc(80_000_000));
    expect(bomb.length).toBeLessThan(small.maxBodyBytes);
    const answer = await post(bomb, { 'content-encoding': 'gzip' }, to);
    expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
    expect((await post(requestOf(span()), {}, to)).status).toBe(200);
  });

  test('a small body whose spans would repeat a large resource many times is refused with 413', async () => {
    const [, url] = await serve({ maxRowBytes: 10_000_000 }, traces);
    const attributes = [{ key: 'k', value: { stringValue: 'x'.repeat(100_000) } }];
    const spans = Array.from({ length: 1000 }, () => span());
    const body = encodeRequest({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
    const answer = await post(body, {}, `${url}/v1/traces`);
    expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
  });

  test('when the store is slow and memory is used up, 429 with Retry-After; nothing that was taken is lost', async () => {
    const gate = Promise.withResolvers<void>();
    const [held, url] = await serve(small, {
      async insertSpans(block, token) {
        await gate.promise;
        await traces.insertSpans(block, token);
      },
    });
    const statuses: number[] = [];
    const bodies = Array.from({ length: 12 }, () =>
      requestOf(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(40_000) } }] })),
    );
    const sent = bodies.map(async (body) => {
      const answer = await post(body, {}, `${url}/v1/traces`);
      statuses.push(answer.status);
      if (answer.status === 429) expect(answer.headers['retry-after']).toBe('1');
      return answer.status === 200 ? hexOf(body) : undefined;
    });
    await expect.poll(() => statuses.filter((status) => status === 429).length).toBeGreaterThan(0);
    expect(held.pendingBytes()).toBeLessThan(400_000);
    gate.resolve();
    const stored = (await Promise.all(sent)).filter((id) => id !== undefined);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(await traces.spansOfTraces(stored)).toHaveLength(stored.length);
  });

  test('when the store fails, 503 with Retry-After and no word of why', async () => {
    const [failing, url] = await serve(
      {},
      {
        async insertSpans() {
          throw new ClosewatchError('engine.failed', 'secret details of the engine');
        },
      },
    );
    const answer = await post(requestOf(span()), {}, `${url}/v1/traces`);
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    expect(statusOf(answer)).toEqual({ code: 14, message: expect.not.stringContaining('secret') });
    expect(failing.counts).toMatchObject({ spans: 0, failed: { 503: 1 } });
    expect(failing.pendingBytes()).toBe(0);
  });

  test('closing stores what was taken and refuses the rest', async () => {
    const [closing, url] = await serve({ gatherMs: 200 }, traces);
    const body = requestOf(span());
    const answer = post(body, {}, `${url}/v1/traces`);
    await expect.poll(() => closing.pendingBytes()).toBeGreaterThan(0);
    await closing.close();
    expect(await traces.traceById(hexOf(body))).toHaveLength(1);
    expect((await answer).status).toBe(200);
    expect((await post(body, {}, `${url}/v1/traces`)).status).toBe(503);
  });

  test('a sender that breaks off leaves nothing behind', async () => {
    const before = handler.pendingBytes();
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': PROTOBUF, 'content-length': '50000' };
    const req = request(`${base}/v1/traces`, { method: 'POST', headers });
    req.on('error', () => {});
    req.write(Buffer.alloc(20_000));
    await expect.poll(() => handler.pendingBytes()).toBeGreaterThan(before);
    req.destroy();
    await expect.poll(() => handler.pendingBytes()).toBe(before);
  });
});
