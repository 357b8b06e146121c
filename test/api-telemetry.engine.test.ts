import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatInstant, nanosOf } from '../model/time.ts';
import { type ApiHouse, apiHouse, TOKEN_OF_ACME, TOKEN_OF_ACME_SUPPORT } from './api-house.ts';
import { seedLandscape, TRACE_A, TRACE_B } from './seed.ts';

/** Logs and metrics by GraphQL: what is shown, to whom, and how much of it. */
let house: ApiHouse;
const now = nanosOf(new Date());
const SPAN_OF_A = '1111111111111111';
const ALONE = 'e'.repeat(32);
const MANY = 'f'.repeat(32);
const at = (ns: bigint) => formatInstant(ns).replace('T', ' ').replace('Z', '');

beforeAll(async () => {
  house = await apiHouse();
  await seedLandscape(house.postgres, house.clickhouse, now);
  const start = now - 600n * 60_000_000_000n;
  const record = (fields: object) => ({
    Timestamp: at(start + 9n),
    ServiceName: 'ocr-capture',
    SeverityText: 'ERROR',
    SeverityNumber: 17,
    Body: 'the tax engine answers 503',
    LogAttributes: { bill: 'BILL/2026/05/0012' },
    ResourceAttributes: { 'service.name': 'ocr-capture' },
    ...fields,
  });
  const records = [
    record({ TraceId: TRACE_A, SpanId: SPAN_OF_A }),
    record({ TraceId: TRACE_A, SpanId: '', Timestamp: at(start + 10n), Body: 'gave up' }),
    record({ TraceId: TRACE_B, SpanId: '' }),
    record({ TraceId: ALONE, SpanId: '', EventName: 'capture.failed' }),
  ];
  await house.clickhouse.insertRows('otel_logs', records, { token: 'logs' });
  await house.clickhouse.insertRows('otel_logs', records.slice(0, 1), { token: 'logs again' });
  const many = Array.from({ length: 1001 }, (_, i) => record({ TraceId: MANY, Body: `line ${i}` }));
  await house.clickhouse.insertRows('otel_logs', many, { token: 'many' });
  const span = { Timestamp: at(start), TraceId: MANY, SpanId: SPAN_OF_A, SpanName: 'long' };
  await house.clickhouse.insertRows('otel_traces', [span], { token: 'span of many' });
  const point = (seconds: number, Value: number) => ({
    ServiceName: 'ocr-capture',
    MetricName: 'queue.length',
    MetricUnit: '{bill}',
    MetricDescription: 'Bills that wait',
    TimeUnix: 1_780_000_020 + seconds,
    Value,
  });
  await house.clickhouse.insertRows('otel_metrics_gauge', [point(0, 3), point(59, 5), point(60, 9)], {
    token: 'points',
  });
});
afterAll(() => house?.close());

const WHOLE = `at timeNs traceId spanId service severityNumber severityText body eventName scopeName scopeVersion
  resourceAttributes { key value } attributes { key value }`;

describe('logs', () => {
  test('of a trace and of its spans, each once', async () => {
    const { data, errors } = await house.graphql(
      `{ trace(id: "${TRACE_A}") { logs { ${WHOLE} } spans { spanId logs { body } } } }`,
    );
    expect(errors).toBeUndefined();
    expect(data.trace.logs).toHaveLength(2);
    expect(data.trace.logs[0]).toEqual({
      at: formatInstant(now - 600n * 60_000_000_000n + 9n),
      timeNs: `${now - 600n * 60_000_000_000n + 9n}`,
      traceId: TRACE_A,
      spanId: SPAN_OF_A,
      service: 'ocr-capture',
      severityNumber: 17,
      severityText: 'ERROR',
      body: 'the tax engine answers 503',
      eventName: null,
      scopeName: '',
      scopeVersion: '',
      resourceAttributes: [{ key: 'service.name', value: 'ocr-capture' }],
      attributes: [{ key: 'bill', value: 'BILL/2026/05/0012' }],
    });
    expect(data.trace.logs[1]).toMatchObject({ spanId: null, body: 'gave up' });
    for (const span of data.trace.spans)
      expect(span.logs).toEqual(span.spanId === SPAN_OF_A ? [{ body: 'the tax engine answers 503' }] : []);
  });

  test('by the id of a trace, also of one without spans, and by that of a span', async () => {
    const { data } = await house.graphql(`{
      alone: logs(traceId: "${ALONE.toUpperCase()}") { body eventName }
      span: logs(traceId: "${TRACE_A}", spanId: "${SPAN_OF_A}") { body }
      one: logs(traceId: "${TRACE_A}", first: 1) { body }
    }`);
    expect(data.alone).toEqual([{ body: 'the tax engine answers 503', eventName: 'capture.failed' }]);
    expect(data.span).toEqual([{ body: 'the tax engine answers 503' }]);
    expect(data.one).toEqual([{ body: 'the tax engine answers 503' }]);
  });

  test('1,000 at most of a trace, and 10,000 in one request', async () => {
    const { data } = await house.graphql(`{ trace(id: "${MANY}") { logs { body } } }`);
    expect(data.trace.logs).toHaveLength(1000);
    const wrong = await house.graphql(`{ logs(traceId: "${MANY}", first: 1001) { body } }`);
    expect(wrong.errors?.[0]?.extensions?.code).toBe('request.malformed');
    const many = Array.from({ length: 11 }, (_, i) => `m${i}: logs(traceId: "${MANY}") { body }`).join(' ');
    const tooMany = await house.graphql(`{ ${many} }`);
    expect(tooMany.errors?.[0]?.extensions?.code).toBe('request.too-complex');
  });

  test('of traces that one may not read there are none', async () => {
    const query = `{ a: logs(traceId: "${TRACE_A}") { body } b: logs(traceId: "${TRACE_B}") { body }
      span: logs(traceId: "${TRACE_B}", spanId: "") { body } alone: logs(traceId: "${ALONE}") { body } }`;
    expect((await house.graphql(query)).data.b).toHaveLength(1);
    const { data, errors } = await house.graphql(query, {}, TOKEN_OF_ACME);
    expect(errors).toBeUndefined();
    expect(data.a).toHaveLength(2);
    expect(data).toMatchObject({ b: [], span: [], alone: [] });
  });

  test('two that differ in their attributes alone keep their own in a timeline', async () => {
    const start = now - 600n * 60_000_000_000n;
    const twin = (attempt: string) => ({
      Timestamp: at(start + 11n),
      TraceId: TRACE_A,
      ServiceName: 'ocr-capture',
      Body: 'trying again',
      LogAttributes: { attempt },
    });
    await house.clickhouse.insertRows('otel_logs', [twin('1'), twin('2')], { token: 'twins' });
    const { data } =
      await house.graphql(`{ caseOf(company: "acme", source: "/odoo/prod/1", subject: "account.move/1") {
      timeline { log { body attributes { value } } } } }`);
    const shown = data.caseOf.timeline.flatMap(
      ({ log }: { log?: { body: string; attributes: { value: string }[] } }) =>
        log?.body === 'trying again' ? log.attributes.map(({ value }) => value) : [],
    );
    expect(shown.sort()).toEqual(['1', '2']);
  });
});

describe('metrics', () => {
  const query = `query($step: Int!, $service: String) {
    metric(name: "queue.length", service: $service, since: "2026-05-28T20:27:00Z", until: "2026-05-28T20:30:00Z", stepSeconds: $step) {
      name kind description unit truncated buckets { at points value min max count p50 p95 p99 } } }`;

  test('over time', async () => {
    const { data, errors } = await house.graphql(query, { step: 60, service: 'ocr-capture' });
    expect(errors).toBeUndefined();
    const none = { count: null, p50: null, p95: null, p99: null };
    expect(data.metric).toEqual([
      {
        name: 'queue.length',
        kind: 'gauge',
        description: 'Bills that wait',
        unit: '{bill}',
        truncated: false,
        buckets: [
          { at: '2026-05-28T20:27:00Z', points: 2, value: 5, min: 3, max: 5, ...none },
          { at: '2026-05-28T20:28:00Z', points: 1, value: 9, min: 9, max: 9, ...none },
        ],
      },
    ]);
    expect((await house.graphql(query, { step: 60, service: 'another' })).data.metric).toEqual([]);
  });

  test('need the role and every company, and have a bound', async () => {
    for (const token of [TOKEN_OF_ACME, TOKEN_OF_ACME_SUPPORT]) {
      const { errors } = await house.graphql(query, { step: 60 }, token);
      expect(errors?.[0]?.extensions?.code).toBe('auth.forbidden');
    }
    const { errors } = await house.graphql(query, { step: 0 });
    expect(errors?.[0]?.extensions?.code).toBe('request.malformed');
  });
});
