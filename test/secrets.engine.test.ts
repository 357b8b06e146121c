import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { credentials, Metadata, makeGenericClientConstructor } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { readRunFile } from '../store/run-file.ts';
import {
  ADMIN_TOKEN,
  closewatch,
  environment,
  INGEST_TOKEN,
  temporaryFolder,
  type Up,
  until,
  up,
} from './harness.ts';

/**
 * What must never be told: it is sent by every way in, right and wrong, to a process that logs everything, and looked for in
 * all that the process says: its log, its metrics, its own spans, its answers.
 */
const CANARIES = {
  wrongToken: 'cw_wr0ngt0ken-canary',
  password: 'pa55w0rd-canary',
  bearer: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl',
  cookie: 'session-canary-77',
  iban: 'DE89370400440532013000',
  card: '4111111111111111',
  email: 'canary.person@example.org',
  signature: 'c2lnbmF0dXJlLWNhbmFyeQ==',
};
const SECRETS = [...Object.values(CANARIES), ADMIN_TOKEN, INGEST_TOKEN];
const HIDDEN = Object.values(CANARIES).filter((value) => value !== CANARIES.signature);

const folder = temporaryFolder();
const flows = join(folder.path, 'flows');
const env = environment(join(folder.path, 'data'), {
  CLOSEWATCH_LOG_LEVEL: 'debug',
  CLOSEWATCH_FLOWS_DIR: flows,
  OTEL_BSP_SCHEDULE_DELAY: '50',
});
const exported: Buffer[] = [];
const standIn = createServer((request, response) => {
  request.on('data', (chunk: Buffer) => exported.push(chunk));
  request.on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
});
const answers: string[] = [];
let running: Up;

beforeAll(async () => {
  cpSync(resolve(import.meta.dirname, '../flows'), flows, { recursive: true });
  writeFileSync(
    join(flows, 'collector.yaml'),
    'privacy:\n  scan: [secret, email, iban, card]\nretention:\n  traces: 30d\n  holds:\n    - of: [logs]\n      reason: dispute with the bank\n',
  );
  mkdirSync(join(folder.path, 'data'));
  await new Promise<void>((listening) => void standIn.listen(0, '127.0.0.1', listening));
  env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${(standIn.address() as AddressInfo).port}`;
  running = await up(join(folder.path, 'data'), env);
});
afterAll(async () => {
  await running?.kill();
  standIn.closeAllConnections();
  standIn.close();
  folder.remove();
});

async function post(
  path: string,
  body: string | Buffer,
  headers: Record<string, string> = {},
): Promise<number> {
  const response = await fetch(`${running.collectorUrl}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${INGEST_TOKEN}`, ...headers },
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  answers.push(await response.text());
  return response.status;
}

const attributes = (given: Record<string, string>) =>
  Object.entries(given).map(([key, stringValue]) => ({ key, value: { stringValue } }));
const EVERY = {
  'http.request.header.authorization': `Bearer ${CANARIES.bearer}`,
  'http.request.header.cookie': CANARIES.cookie,
  'db.password': CANARIES.password,
  'bank.iban': CANARIES.iban,
  'card.number': CANARIES.card,
  'user.email': CANARIES.email,
  'url.full': `https://api.example/pay?access_token=${CANARIES.bearer}&api_key=${CANARIES.password}`,
};
const TEXT = `password=${CANARIES.password} of ${CANARIES.email}, card ${CANARIES.card}, ${CANARIES.iban}, Bearer ${CANARIES.bearer}, Cookie: session=${CANARIES.cookie}, token=${CANARIES.wrongToken}`;
const time = `${Date.now()}000000`;
const ids = { traceId: '5b8aa5a2d2c872e8321cf37308d69df2', spanId: '051581bf3cb55c13' };
const traces = {
  resourceSpans: [
    {
      resource: { attributes: attributes(EVERY) },
      scopeSpans: [
        {
          spans: [
            {
              ...ids,
              name: 'pay',
              startTimeUnixNano: time,
              endTimeUnixNano: time,
              attributes: attributes(EVERY),
              status: { code: 2, message: TEXT },
              events: [
                {
                  timeUnixNano: time,
                  name: 'exception',
                  attributes: attributes({ 'exception.message': TEXT }),
                },
              ],
              links: [{ ...ids, attributes: attributes(EVERY) }],
            },
          ],
        },
      ],
    },
  ],
};
const record = { timeUnixNano: time, body: { stringValue: TEXT }, attributes: attributes(EVERY) };
const logs = { resourceLogs: [{ scopeLogs: [{ logRecords: [record] }] }] };
const point = { timeUnixNano: time, asDouble: 1, attributes: attributes(EVERY) };
const metrics = {
  resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', gauge: { dataPoints: [point] } }] }] }],
};
const event = (id: string) => ({
  specversion: '1.0',
  id,
  source: '/erp',
  type: 'closewatch.bill.received.v1',
  time: new Date().toISOString(),
  subject: 'bill/1',
  data: {
    object: { kind: 'bill' },
    org: { companyKey: 'acme' },
    keys: [{ type: 'docno', value: 'BILL/1' }],
    attributes: { 'sftp.password': CANARIES.password, authorization: `Bearer ${CANARIES.bearer}` },
    control: { cookie: CANARIES.cookie, deep: [{ api_key: CANARIES.wrongToken }] },
  },
});

const callGrpc = (path: string, message: Buffer, token: string): Promise<string> => {
  const bytes = (value: Buffer): Buffer => value;
  const method = { path, requestStream: false, responseStream: false };
  const codec = {
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  };
  const Client = makeGenericClientConstructor({ call: { ...method, ...codec } }, 'any');
  const port = readRunFile(join(folder.path, 'data'))?.ports.grpc;
  const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return new Promise((done) => {
    (client.call as (...args: unknown[]) => void)(
      message,
      metadata,
      (error: Error | null, answer?: Buffer) => {
        client.close();
        done(`${error?.message ?? ''}${answer?.toString('latin1') ?? ''}`);
      },
    );
  });
};

describe('what is secret', () => {
  test('goes in by every way, right and wrong', async () => {
    const { stringify } = JSON;
    expect(await post('/v1/traces', stringify(traces))).toBe(200);
    expect(await post('/v1/logs', stringify(logs))).toBe(200);
    expect(await post('/v1/metrics', stringify(metrics))).toBe(200);
    const cloud = { 'content-type': 'application/cloudevents+json' };
    expect(await post('/v1/events', stringify(event('e1')), cloud)).toBe(202);
    // The same id with another body; one that breaks the model; one that is no JSON; one of an unknown type.
    expect(await post('/v1/events', stringify({ ...event('e1'), subject: TEXT }), cloud)).toBe(409);
    expect(
      await post('/v1/events', stringify({ ...event('e2'), data: { note: TEXT, ...EVERY } }), cloud),
    ).toBe(422);
    expect(await post('/v1/events', `{"data": "${TEXT}`, cloud)).toBe(400);
    expect(await post('/v1/events', stringify({ ...event('e3'), type: TEXT }), cloud)).toBe(422);
    expect(
      await post('/v1/events', stringify({ ...event('e4'), source: `/erp/${TEXT}` }), cloud),
    ).toBeLessThan(500);
    const signed = {
      ...cloud,
      'webhook-id': 'm1',
      'webhook-timestamp': '1',
      'webhook-signature': `v1,${CANARIES.signature}`,
    };
    expect(await post('/v1/events', stringify(event('e5')), signed)).toBeLessThan(500);
    for (const path of ['/v1/traces', '/v1/logs', '/v1/metrics']) {
      expect(await post(path, `{"resourceSpans": "${TEXT}`)).toBe(400);
      expect(await post(path, Buffer.from(TEXT), { 'content-type': 'application/x-protobuf' })).toBe(400);
      expect(await post(path, TEXT, { 'content-type': `text/${CANARIES.password}` })).toBe(415);
      expect(await post(path, TEXT, { 'content-encoding': CANARIES.password })).toBe(415);
      expect(
        await post(`${path}?token=${CANARIES.wrongToken}`, stringify(traces), { authorization: '' }),
      ).toBe(401);
      expect(await post(path, '{}', { authorization: `Bearer ${CANARIES.wrongToken}` })).toBe(401);
      expect(await post(path, '{}', { authorization: `Basic ${CANARIES.password}` })).toBe(401);
    }
    expect(await post(`/odoo/${CANARIES.password}`, TEXT)).toBe(404);
    const trace = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
    answers.push(await callGrpc(trace, Buffer.from(TEXT), INGEST_TOKEN));
    answers.push(await callGrpc(trace, Buffer.alloc(0), CANARIES.wrongToken));
  });

  test('goes to the API with wrong tokens, in queries and in variables', async () => {
    const ask = async (path: string, init: RequestInit): Promise<number> => {
      const response = await fetch(`${running.apiUrl}${path}`, { redirect: 'manual', ...init });
      answers.push(await response.text());
      return response.status;
    };
    const graphql = (body: object, token: string) =>
      ask('/graphql', {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify(body),
      });
    expect(await graphql({ query: '{ me { id } }' }, CANARIES.wrongToken)).toBe(401);
    const search = { query: 'query Q($key: ID!) { trace(id: $key) { spans { name } } }' };
    expect(await graphql({ ...search, variables: { key: CANARIES.password } }, ADMIN_TOKEN)).toBe(200);
    await ask(`/signin?token=${CANARIES.wrongToken}`, {});
    await ask(`/metrics?token=${CANARIES.wrongToken}`, {
      headers: { cookie: `closewatch=${CANARIES.cookie}` },
    });
  });

  test('is not told: not in the log, the metrics, its own spans or the answers', async () => {
    await until(async () => (exported.length > 5 ? true : undefined));
    const metricsPage = await fetch(`${running.apiUrl}/metrics`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const said = {
      log: running.output(),
      metrics: await metricsPage.text(),
      spans: Buffer.concat(exported).toString('latin1'),
      answers: answers.join('\n'),
    };
    // It did speak: what is looked through is not empty.
    expect(said.log).toMatch(/"level":(20|"debug")/);
    expect(said.metrics).toContain('closewatch_otlp_requests');
    expect(said.spans).toContain('inbox.commit');
    for (const [where, text] of Object.entries(said))
      for (const secret of SECRETS) {
        const at = text.indexOf(secret);
        expect(at === -1 ? '' : text.slice(Math.max(0, at - 300), at + 100), `${where}: ${secret}`).toBe('');
      }
  });

  test('is not stored with telemetry and events', async () => {
    const run = readRunFile(join(folder.path, 'data'));
    if (!run) throw new Error('it does not run');
    const clickhouse = connectClickHouse({ ...run.engine, database: 'closewatch' });
    const any = z.record(z.string(), z.unknown());
    const ask = (sql: string) =>
      clickhouse.query(defineQuery({ name: 'test.all', sql, params: z.object({}), row: any }), {});
    await until(async () =>
      (await ask('SELECT EventId FROM finance_events')).length > 0 ? true : undefined,
    );
    const tables = [
      'otel_traces',
      'otel_logs',
      'otel_metrics_gauge',
      'finance_events',
      'span_keys',
      'event_keys',
    ];
    for (const table of tables) {
      const text = JSON.stringify(await ask(`SELECT * FROM ${table}`));
      if (!table.endsWith('_keys')) expect(text, table).toContain('[redacted]');
      for (const secret of [...HIDDEN, INGEST_TOKEN]) expect(text, table).not.toContain(secret);
    }
    await clickhouse.close();
  });
});

test('closewatch retention says what is kept, and the tables are kept to it', async () => {
  const shown = await until(async () => {
    const { stdout } = await closewatch(
      ['retention', '--json', '--data-dir', join(folder.path, 'data')],
      env,
    );
    return stdout ? (JSON.parse(stdout) as { tables: Record<string, unknown>[]; inbox: object }) : undefined;
  });
  const of = (name: string) => shown.tables.find(({ table }) => table === name);
  expect(of('otel_traces')).toMatchObject({ keptFor: 30 * 86_400_000, rows: 1, over: 0, hold: null });
  expect(of('otel_logs')).toMatchObject({
    keptFor: null,
    rows: 1,
    hold: { reason: 'dispute with the bank' },
  });
  expect(shown.inbox).toEqual({ payloads: 7 * 86_400_000, settledLetters: 30 * 86_400_000 });
  const run = readRunFile(join(folder.path, 'data'));
  const clickhouse = connectClickHouse({ ...(run?.engine ?? { url: '' }), database: 'closewatch' });
  const engine = defineQuery({
    name: 'test.engine',
    sql: "SELECT engine_full AS engine FROM system.tables WHERE database = 'closewatch' AND name = 'otel_traces'",
    params: z.object({}),
    row: z.object({ engine: z.string() }),
  });
  await until(async () =>
    (await clickhouse.query(engine, {}))[0]?.engine.includes('toIntervalSecond(2592000)') ? true : undefined,
  );
  await clickhouse.close();
  const printed = await closewatch(['retention', '--data-dir', join(folder.path, 'data')], env);
  expect(printed.stdout).toMatch(/^otel_traces +30 d +1 /m);
});
