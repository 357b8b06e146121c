import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { openLogs } from './logs.ts';
import { migrate } from './migrate.ts';
import { type TemporaryEngine, temporaryEngine } from './testing/temporary.ts';

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

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const SPAN = '1'.repeat(16);
const record = (fields: object) => ({
  Timestamp: '2026-05-31 10:00:00.000000001',
  TraceId: A,
  SpanId: SPAN,
  SeverityText: 'ERROR',
  SeverityNumber: 17,
  ServiceName: 'ocr',
  Body: 'no text on page 1',
  LogAttributes: { page: '1' },
  ...fields,
});

describe('log records of traces', () => {
  beforeAll(async () => {
    const span = {
      Timestamp: '2026-05-31 10:00:00',
      TraceId: A,
      SpanId: SPAN,
      SpanName: 'read',
      ServiceName: 'ocr',
    };
    await clickhouse.insertRows('otel_traces', [span], { token: 'span' });
    const sent = [
      record({}),
      record({ Timestamp: '2026-05-31 10:00:00.000000002', Body: 'later' }),
      record({ Timestamp: '2026-05-31 10:00:00.000000002', Body: 'elsewhere', SpanId: '2'.repeat(16) }),
      record({ Body: 'of no trace', TraceId: '', SpanId: '' }),
    ];
    await clickhouse.insertRows('otel_logs', sent, { token: 'logs' });
    // A sender that sends again gathers other records into the same request: another block.
    await clickhouse.insertRows(
      'otel_logs',
      [...sent.slice(0, 2), record({ LogAttributes: { page: '2' } })],
      {
        token: 'logs again',
      },
    );
    const alone = { Timestamp: '2018-06-01 00:00:00', TraceId: B, SpanId: '', LogAttributes: {} };
    await clickhouse.insertRows('otel_logs', [record(alone)], { token: 'alone' });
  });

  test('are read once, in the order of time', async () => {
    const found = await openLogs(clickhouse).logsOfTraces([A.toUpperCase(), A]);
    expect(found.map(({ body, attributes }) => [body, attributes.page])).toEqual([
      ['no text on page 1', expect.any(String)],
      ['no text on page 1', expect.any(String)],
      ['later', '1'],
      ['elsewhere', '1'],
    ]);
    expect(new Set(found.slice(0, 2).map(({ attributes }) => attributes.page))).toEqual(new Set(['1', '2']));
    expect(found[3]).toEqual({
      traceId: A,
      spanId: '2'.repeat(16),
      timeNs: '1780221600000000002',
      severityText: 'ERROR',
      severityNumber: 17,
      service: 'ocr',
      body: 'elsewhere',
      eventName: '',
      identity: expect.stringMatching(/^\d+$/),
      resourceAttributes: {},
      scopeName: '',
      scopeVersion: '',
      attributes: { page: '1' },
    });
  });

  test('of traces without spans too, several at once, at most so many of each', async () => {
    const found = await openLogs(clickhouse).logsOfTraces([B, A, 'c'.repeat(32), ''], { limit: 2 });
    expect(found.map(({ traceId }) => traceId)).toEqual([A, A, B]);
    expect(await openLogs(clickhouse).logsOfTraces([])).toEqual([]);
  });

  test('of one span', async () => {
    const logs = openLogs(clickhouse);
    expect(await logs.logsOfSpan(A, '2'.repeat(16))).toMatchObject([{ body: 'elsewhere' }]);
    expect(await logs.logsOfSpan(A, '3'.repeat(16))).toEqual([]);
  });

  test('are found in the first hours of 1970', async () => {
    const TRACE = 'd'.repeat(32);
    const at = { Timestamp: '1970-01-01 00:00:00', TraceId: TRACE };
    await clickhouse.insertRows('otel_traces', [{ ...at, SpanId: SPAN }], { token: 'span 1970' });
    await clickhouse.insertRows('otel_logs', [record(at)], { token: 'log 1970' });
    expect(await openLogs(clickhouse).logsOfTraces([TRACE])).toHaveLength(1);
  });
});
