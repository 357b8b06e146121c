import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { COUNTERS } from '../store/counters.ts';
import { GAUGES } from '../store/gauges.ts';
import { readRunFile } from '../store/run-file.ts';
import { ADMIN_TOKEN, environment, INGEST_TOKEN, temporaryFolder, type Up, until, up } from './harness.ts';
import type { Row } from './native-block.ts';
import { decodeRequest, rowsOf } from './otlp-proto.ts';

/** The spans that `closewatch up` makes of its own work, where they go, and that they do not beget further ones. */
const folder = temporaryFolder();
const received: { headers: Record<string, unknown>; rows: Row[] }[] = [];
const standIn = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk) => chunks.push(chunk));
  request.on('end', () => {
    received.push({ headers: request.headers, rows: rowsOf(decodeRequest(Buffer.concat(chunks))) });
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
});
const ports = (server: typeof standIn) => (server.address() as AddressInfo).port;
let running: Up | undefined;
beforeAll(() => new Promise<void>((resolve) => void standIn.listen(0, '127.0.0.1', resolve)));
afterEach(async () => {
  await running?.kill();
  running = undefined;
});
afterAll(() => {
  standIn.closeAllConnections();
  standIn.close();
  folder.remove();
});

const IBAN = 'DE89370400440532013000';
const EVENT = {
  specversion: '1.0',
  id: 'canary-event-1',
  source: '/ocr/canary',
  type: 'closewatch.bill.received.v1',
  time: '2026-05-31T17:00:00Z',
  subject: 'BILL/CANARY/0012',
  data: {
    object: { kind: 'bill' },
    org: { companyKey: 'acme' },
    money: { amount: '10.10', currency: 'EUR' },
    keys: [{ type: 'docno', value: 'BILL/CANARY/0012' }],
    attributes: { iban: IBAN },
  },
};
const SPAN = {
  traceId: 'ca0a51ca0a51ca0a51ca0a51ca0a51ca',
  spanId: 'ca0a51ca0a51ca0a',
  name: `capture BILL/CANARY/0012 ${IBAN}`,
  startTimeUnixNano: '1700000000000000001',
  endTimeUnixNano: '1700000000000000003',
};

async function send(path: string, body: object, type: string): Promise<number> {
  const response = await fetch(`${running?.collectorUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${INGEST_TOKEN}` },
    body: JSON.stringify(body),
  });
  await response.arrayBuffer();
  return response.status;
}

test('a span arrives for each unit of work, and none holds what came in', async () => {
  running = await up(
    folder.path,
    environment(folder.path, {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports(standIn)}/`,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer of-the-stand-in',
      OTEL_BSP_SCHEDULE_DELAY: '100',
    }),
  );
  expect(await send('/v1/events', EVENT, 'application/cloudevents+json')).toBe(202);
  const refused = { ...EVENT, id: 'canary-event-2', data: { iban: IBAN } };
  expect(await send('/v1/events', refused, 'application/cloudevents+json')).toBe(422);
  const spans = { resourceSpans: [{ scopeSpans: [{ spans: [SPAN] }] }] };
  expect(await send('/v1/traces', spans, 'application/json')).toBe(200);
  await running.graphql('query CaseOf($key: ID!) { trace(id: $key) { spans { name } } }', {
    key: SPAN.traceId,
  });
  await running.graphql('query Broken { incident(id: "BILL/CANARY/0012") { id } }').catch(() => {});
  const names = () => new Set(received.flatMap(({ rows }) => rows.map(({ SpanName }) => SpanName)));
  const expected = [
    'POST /v1/events',
    'inbox.commit',
    'forwarder.batch',
    'insert.finance_events',
    'POST /v1/traces',
    'insert.otel_traces',
    'graphql query',
    'traces.spans',
    'detect.pass',
    'detect.write',
    'incidents.run',
    'triage.assess',
    'triage.ask',
    'alerts.run',
  ];
  await until(async () => expected.every((name) => names().has(name)) || undefined).catch(() => {
    expect([...names()].sort()).toEqual(expect.arrayContaining(expected));
  });
  const metrics = await fetch(`${running.apiUrl}/metrics`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  }).then((response) => response.text());
  const counted = [...metrics.matchAll(/^# TYPE (\w+) (?:counter|gauge)$/gm)].map(([, name]) => name);
  expect(Object.keys({ ...COUNTERS, ...GAUGES })).toEqual(expect.arrayContaining(counted));
  expect(metrics).toMatch(/^closewatch_events_refused\{reason="invalid",source="\*"\} 1$/m);
  expect(metrics).toMatch(/^closewatch_events_forwarded 1$/m);
  expect(metrics).toMatch(/^closewatch_detect_passes\{outcome="done"\} \d+$/m);
  expect(await running.stop()).toBe(0);
  running = undefined;

  const all = received.flatMap(({ rows }) => rows);
  const told = JSON.stringify(all, (_, value) => (typeof value === 'bigint' ? `${value}` : value));
  for (const canary of ['CANARY', 'canary', IBAN, ADMIN_TOKEN, INGEST_TOKEN, SPAN.traceId])
    expect(told.includes(canary), canary).toBe(false);
  expect(names().size).toBeLessThan(60);
  for (const row of all) {
    expect(row.ServiceName).toBe('closewatch');
    expect(JSON.stringify(row.ResourceAttributes)).not.toMatch(/process|host/);
  }
  const requests = all.filter(({ SpanName }) => SpanName === 'POST /v1/events');
  const statuses = requests.map(({ SpanAttributes }) =>
    Object.fromEntries(SpanAttributes as [string, string][]),
  );
  expect(statuses.map((attributes) => attributes['http.response.status_code']).sort()).toEqual([
    '202',
    '422',
  ]);
  const commit = all.find(({ SpanName }) => SpanName === 'inbox.commit');
  expect(requests.map(({ SpanId }) => SpanId)).toContain(commit?.ParentSpanId);
  expect(received[0]?.headers).toMatchObject({
    authorization: 'Bearer of-the-stand-in',
    'closewatch-own-telemetry': '1',
  });
});

const spansByName = defineQuery({
  name: 'test.spans-by-name',
  sql: 'SELECT SpanName AS name, count() AS count FROM otel_traces GROUP BY name',
  params: z.object({}),
  row: z.object({ name: z.string(), count: z.coerce.number() }),
});

test('its own collector may be the endpoint: storing our spans makes none', async () => {
  const own = temporaryFolder();
  const free = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => free.once('listening', resolve));
  const port = ports(free);
  await new Promise((resolve) => free.close(resolve));
  try {
    running = await up(
      own.path,
      environment(own.path, {
        CLOSEWATCH_COLLECTOR_PORT: `${port}`,
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${port}/v1/traces`,
        OTEL_EXPORTER_OTLP_HEADERS: `authorization=Bearer ${INGEST_TOKEN}`,
        OTEL_SERVICE_NAME: 'closewatch-of-acme',
        OTEL_BSP_SCHEDULE_DELAY: '100',
      }),
    );
    const engine = readRunFile(own.path)?.engine;
    if (!engine) throw new Error('there is no engine');
    const clickhouse = connectClickHouse({ ...engine, database: 'closewatch' });
    const stored = async () =>
      new Map((await clickhouse.query(spansByName, {})).map(({ name, count }) => [name, count]));
    const passes = async (least: number) =>
      await until(async () => {
        const names = await stored();
        return (names.get('detect.pass') ?? 0) >= least ? names : undefined;
      });
    const names = await passes(2);
    expect([...names.keys()].filter((name) => /traces/.test(name))).toEqual([]);

    // A request of anybody else is traced, in the middle of our own.
    const spans = { resourceSpans: [{ scopeSpans: [{ spans: [SPAN] }] }] };
    expect(await send('/v1/traces', spans, 'application/json')).toBe(200);
    const after = await passes((names.get('detect.pass') ?? 0) + 2);
    expect([after.get('POST /v1/traces'), after.get('insert.otel_traces')]).toEqual([1, 1]);
    await clickhouse.close();
    expect(await running.stop()).toBe(0);
    running = undefined;
  } finally {
    await running?.kill();
    own.remove();
  }
});
