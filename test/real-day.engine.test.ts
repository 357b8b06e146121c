import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { openLogs } from '../store/clickhouse/logs.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { fixtures } from './harness.ts';
import { encodeLogs, encodeRequest, TraceResponse } from './otlp-proto.ts';
import { type OtlpReceiver, PROTOBUF, send, startReceiver, TOKEN } from './otlp-receiver.ts';

/** A day of a real system of microservices, spans with their exact repeats and logs, over OTLP and back. */
const DAY = 'traces/trainticket_2023-01-30';
const A_REQUEST = 2_000;

type Line = Record<string, string>;
type Answered = { partialSuccess?: { rejectedSpans?: string } };
const linesOf = (name: string): Line[] =>
  parse(gunzipSync(readFileSync(resolve(fixtures ?? '', `${DAY}_${name}.csv.gz`))), { columns: true });
const bytes = (hex: string | undefined) => Buffer.from(hex ?? '', 'hex');
const serviceOf = (pod = '') => pod.replace(/-[0-9a-f]+-\w+$/, '');

/** Requests of so many lines, one resource a pod. */
function* requests(lines: readonly Line[], wrap: (byPod: Map<string, Line[]>) => Buffer) {
  for (let i = 0; i < lines.length; i += A_REQUEST)
    yield wrap(Map.groupBy(lines.slice(i, i + A_REQUEST), ({ PodName = '' }) => PodName));
}
const resource = (pod: string) => ({
  attributes: [
    { key: 'service.name', value: { stringValue: serviceOf(pod) } },
    { key: 'k8s.pod.name', value: { stringValue: pod } },
  ],
});
const spanRequest = (byPod: Map<string, Line[]>) =>
  encodeRequest({
    resourceSpans: [...byPod].map(([pod, lines]) => ({
      resource: resource(pod),
      scopeSpans: [
        {
          spans: lines.map((line) => ({
            traceId: bytes(line.TraceID),
            spanId: bytes(line.SpanID),
            parentSpanId: line.ParentID === 'root' ? Buffer.alloc(0) : bytes(line.ParentID),
            name: line.OperationName,
            kind: 2,
            startTimeUnixNano: line.StartTimeUnixNano,
            endTimeUnixNano: line.EndTimeUnixNano,
          })),
        },
      ],
    })),
  });
const logRequest = (byPod: Map<string, Line[]>) =>
  encodeLogs({
    resourceLogs: [...byPod].map(([pod, lines]) => ({
      resource: resource(pod),
      scopeLogs: [
        {
          logRecords: lines.map((line) => ({
            traceId: bytes(line.TraceID),
            spanId: bytes(line.SpanID),
            timeUnixNano: line.TimeUnixNano,
            body: { stringValue: line.Log },
          })),
        },
      ],
    })),
  });

const stored = defineQuery({
  name: 'test.day',
  sql: `SELECT (SELECT count() FROM otel_traces) AS spanRows, (SELECT uniqExact(TraceId) FROM otel_traces) AS traces,
    (SELECT count() FROM otel_logs) AS logRows, (SELECT countIf(ParentSpanId = '') FROM otel_traces) AS roots`,
  params: z.object({}),
  row: z.record(z.string(), z.coerce.number()),
});

describe.skipIf(!fixtures)('a day of real traces (skipped where there are no fixtures)', () => {
  let receiver: OtlpReceiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver?.stop());

  test('every span and log line is stored; repeats are told, and read once', {
    timeout: 180_000,
  }, async () => {
    const [spans, logs] = [linesOf('spans'), linesOf('logs')];
    expect([spans.length, logs.length]).toEqual([183_765, 97_188]);
    let refused = 0;
    const posted = async (signal: string, bodies: Iterable<Buffer>) => {
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        'content-type': PROTOBUF,
        'content-encoding': 'gzip',
      };
      for (const body of bodies) {
        const { status, body: answer } = await send(
          `${receiver.url}/v1/${signal}`,
          'POST',
          headers,
          gzipSync(body, { level: 1 }),
        );
        expect(status).toBe(200);
        // The responses of the signals have the same fields.
        const { partialSuccess } = TraceResponse.decode(answer).toJSON() as Answered;
        refused += Number(partialSuccess?.rejectedSpans ?? 0);
      }
    };
    await Promise.all([
      posted('traces', requests(spans, spanRequest)),
      posted('logs', requests(logs, logRequest)),
    ]);
    // Broken lines that the recording has: their time is a negative number.
    const timed = logs.filter(({ TimeUnixNano = '' }) => !TimeUnixNano.startsWith('-'));
    expect([logs.length - timed.length, refused]).toEqual([79, 79]);
    const distinct = new Set(spans.map(({ TraceID, SpanID }) => `${TraceID} ${SpanID}`)).size;
    expect(spans.length - distinct).toBe(1_014);
    expect(await receiver.traces.countSpans()).toEqual({ spans: distinct, repeats: 1_014 });
    const [counted] = await receiver.clickhouse.query(stored, {});
    expect(counted).toEqual({
      spanRows: spans.length,
      traces: new Set(spans.map(({ TraceID }) => TraceID)).size,
      logRows: timed.length,
      roots: spans.filter(({ ParentID }) => ParentID === 'root').length,
    });

    // Traces with repeated spans, with their logs, as they were.
    const seen = new Set<string>();
    const repeated = new Set<string>();
    for (const { TraceID = '', SpanID } of spans) {
      if (seen.has(`${TraceID} ${SpanID}`)) repeated.add(TraceID);
      seen.add(`${TraceID} ${SpanID}`);
    }
    const traceIds = [...repeated].slice(0, 20);
    const found = await receiver.traces.spansOfTraces(traceIds, { limit: 10_000 });
    for (const traceId of traceIds) {
      const own = spans.filter(({ TraceID }) => TraceID === traceId);
      const ids = [...new Set(own.map(({ SpanID }) => SpanID))].sort();
      expect(
        found
          .filter((span) => span.traceId === traceId)
          .map(({ spanId }) => spanId)
          .sort(),
      ).toEqual(ids);
      for (const span of found.filter((one) => one.traceId === traceId)) {
        const line = own.find(({ SpanID }) => SpanID === span.spanId);
        expect(BigInt(span.startNs)).toBe(BigInt(line?.StartTimeUnixNano ?? 0));
        expect(BigInt(span.durationNs) / 1000n).toBe(BigInt(line?.DurationUs ?? 0));
      }
    }
    const withLogs = [...new Set(timed.map(({ TraceID = '' }) => TraceID))].filter(Boolean).slice(0, 20);
    const lines = await openLogs(receiver.clickhouse).logsOfTraces(withLogs, { limit: 1_000 });
    for (const traceId of withLogs) {
      const own = timed.filter(({ TraceID }) => TraceID === traceId);
      const bodies = new Set(own.map(({ Log, TimeUnixNano, SpanID }) => `${TimeUnixNano} ${SpanID} ${Log}`));
      expect(lines.filter((line) => line.traceId === traceId)).toHaveLength(bodies.size);
    }
  });
});
