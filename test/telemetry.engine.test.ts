import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixtures, INGEST_TOKEN, temporaryFolder, type Up, up } from './harness.ts';
import type { Row } from './native-block.ts';
import { decodeRequest, encodeRequest, rowsOf } from './otlp-proto.ts';

/** Spans of real systems through the real ports: in by OTLP/HTTP, back by GraphQL, compared with what protobufjs reads. */
const folder = temporaryFolder();
let running: Up;
beforeAll(async () => {
  running = await up(folder.path);
});
afterAll(async () => {
  await running.kill();
  folder.remove();
});

const SPAN = `spanId parentSpanId traceState name kind service startNs durationNs statusCode statusMessage scopeName scopeVersion
  attributes { key value } resourceAttributes { key value }
  events { timeNs name attributes { key value } }
  links { traceId spanId traceState attributes { key value } }`;

interface KeyValue {
  key: string;
  value: string;
}
interface Span extends Record<string, unknown> {
  spanId: string;
  attributes: KeyValue[];
}

async function send(body: Uint8Array<ArrayBuffer> | string, type: string): Promise<void> {
  const response = await fetch(`${running.collectorUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': type, authorization: `Bearer ${INGEST_TOKEN}` },
    body,
  });
  expect([response.status, await response.text()]).toEqual([200, type.endsWith('json') ? '{}' : '']);
}

const pairs = (entries: unknown): KeyValue[] =>
  (entries as [string, string][]).map(([key, value]) => ({ key, value }));
const bySpan = <T extends { spanId: string }>(spans: T[]): T[] =>
  spans.sort((a, b) => (a.spanId < b.spanId ? -1 : 1));

/** A row of `otel_traces` as the API has it. */
function spanOf(row: Row): Span {
  const list = (name: string) => row[name] as unknown[];
  return {
    spanId: row.SpanId as string,
    parentSpanId: row.ParentSpanId || null,
    traceState: row.TraceState,
    name: row.SpanName,
    kind: row.SpanKind,
    service: row.ServiceName,
    startNs: `${row.Timestamp}`,
    durationNs: `${row.Duration}`,
    statusCode: row.StatusCode,
    statusMessage: row.StatusMessage,
    scopeName: row.ScopeName,
    scopeVersion: row.ScopeVersion,
    attributes: pairs(row.SpanAttributes),
    resourceAttributes: pairs(row.ResourceAttributes),
    events: list('Events.Timestamp').map((time, i) => ({
      timeNs: `${time}`,
      name: list('Events.Name')[i],
      attributes: pairs(list('Events.Attributes')[i]),
    })),
    links: list('Links.TraceId').map((traceId, i) => ({
      traceId,
      spanId: list('Links.SpanId')[i],
      traceState: list('Links.TraceState')[i],
      attributes: pairs(list('Links.Attributes')[i]),
    })),
  };
}

/** Asks for every trace of the rows, several to a query, and compares each span whole. Returns how many spans there were. */
async function expectAllBack(rows: readonly Row[]): Promise<number> {
  const expected = new Map<string, Map<string, Span>>();
  for (const row of rows) {
    const spans = expected.get(row.TraceId as string) ?? new Map();
    expected.set(row.TraceId as string, spans.set(row.SpanId as string, spanOf(row)));
  }
  const ids = [...expected.keys()];
  let count = 0;
  for (let at = 0; at < ids.length; at += 10) {
    const some = ids.slice(at, at + 10);
    const query = some.map((id, i) => `t${i}: trace(id: "${id}") { spans { ...whole } }`).join('\n');
    const answer = await running.graphql<Record<string, { spans: Span[] }>>(
      `{ ${query} } fragment whole on Span { ${SPAN} }`,
    );
    for (const [i, id] of some.entries()) {
      const spans = answer[`t${i}`]?.spans ?? [];
      expect(bySpan(spans)).toEqual(bySpan([...(expected.get(id)?.values() ?? [])]));
      count += spans.length;
    }
  }
  return count;
}

test.skipIf(!fixtures)('the 2,621 spans of the OpenTelemetry demo, as protobuf', async () => {
  const body = readFileSync(join(fixtures ?? '', 'otlp/otlp2records_pb/testdata_traces_large.pb'));
  const rows = rowsOf(decodeRequest(body));
  expect(rows).toHaveLength(2621);
  await send(new Uint8Array(body), 'application/x-protobuf');
  const distinct = new Set(rows.map((row) => `${row.TraceId} ${row.SpanId}`)).size;
  expect(await expectAllBack(rows)).toBe(distinct);
});

test.skipIf(!fixtures)('traces of a shop of microservices, as JSON, sent twice and read once', async () => {
  const file = join(fixtures ?? '', 'otlp/nezha_trainticket_otlp_traces.jsonl.gz');
  const lines = gunzipSync(readFileSync(file)).toString().trimEnd().split('\n').slice(0, 20);
  for (const line of lines) await send(line, 'application/json');
  for (const line of lines) await send(line, 'application/json');
  const ids = lines.flatMap((line) => [...new Set(line.match(/(?<="traceId":")[0-9a-f]{32}/g))]);
  for (const id of new Set(ids)) {
    const sent = new Set(
      lines
        .flatMap((line) => [...line.matchAll(/"traceId":"([0-9a-f]{32})","spanId":"([0-9a-f]{16})"/g)])
        .filter(([, trace]) => trace === id)
        .map(([, , span]) => span),
    );
    const { trace } = await running.graphql<{ trace: { spans: Span[] } }>(
      'query($id: ID!) { trace(id: $id) { spans { spanId } } }',
      { id },
    );
    expect(trace.spans.map(({ spanId }) => spanId).sort()).toEqual([...sent].sort());
  }
});

test('a span with everything in it', async () => {
  const id = (byte: number, size: number) => Buffer.alloc(size, byte);
  const request = {
    resourceSpans: [
      {
        resource: { attributes: [{ key: 'service.name', value: { stringValue: 'ocr' } }] },
        scopeSpans: [
          {
            scope: { name: 'scope', version: '1' },
            spans: [
              {
                traceId: id(1, 16),
                spanId: id(2, 8),
                parentSpanId: id(3, 8),
                name: 'capture\n\nDROP TABLE otel_traces;',
                kind: 2,
                startTimeUnixNano: '1700000000000000001',
                endTimeUnixNano: '1700000000000000003',
                attributes: [
                  { key: 'b', value: { intValue: '9223372036854775807' } },
                  { key: 'a', value: { doubleValue: 0.1 } },
                  {
                    key: 'list',
                    value: { arrayValue: { values: [{ boolValue: true }, { stringValue: 'x' }] } },
                  },
                ],
                events: [{ timeUnixNano: '1700000000000000002', name: 'exception', attributes: [] }],
                links: [{ traceId: id(4, 16), spanId: id(5, 8), attributes: [] }],
                status: { code: 2, message: 'it; failed' },
              },
            ],
          },
        ],
      },
    ],
  };
  const body = encodeRequest(request);
  await send(new Uint8Array(body), 'application/x-protobuf');
  expect(await expectAllBack(rowsOf(decodeRequest(body)))).toBe(1);
});
