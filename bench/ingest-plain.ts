/**
 * The same way with usual means, as the peer of `bench/ingest.ts`: protobufjs makes objects, a row is an array, a block is
 * `JSONCompactEachRow`. The batching is the same: requests that come while an insert runs share the next one.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { type ClickHouseClient, createClient } from '@clickhouse/client';
import { joinKey } from '../model/key.ts';
import { type AnyValue, type KeyValue, type OtlpRequest, TraceRequest } from '../test/otlp-proto.ts';

const COLUMNS = [
  ...['Timestamp', 'TraceId', 'SpanId', 'ParentSpanId', 'TraceState', 'SpanName', 'SpanKind', 'ServiceName'],
  ...['ResourceAttributes', 'ScopeName', 'ScopeVersion', 'SpanAttributes', 'Duration', 'StatusCode'],
  ...['StatusMessage', 'Events.Timestamp', 'Events.Name', 'Events.Attributes'],
  ...['Links.TraceId', 'Links.SpanId', 'Links.TraceState', 'Links.Attributes'],
] as const;
const KEY_COLUMNS = ['JoinKey', 'KeyType', 'Company', 'Timestamp', 'TraceId', 'SpanId'] as const;
const KINDS = ['Unspecified', 'Internal', 'Server', 'Client', 'Producer', 'Consumer'];
const STATUS_CODES = ['Unset', 'Ok', 'Error'];
const GATHER_MS = 10;
const inflate = promisify(gunzip);

export interface PlainReceiver {
  readonly port: number;
  close(): Promise<void>;
}

const textOf = (value: AnyValue | null | undefined): string => {
  if (value?.stringValue !== undefined) return value.stringValue;
  const other = value?.intValue ?? value?.doubleValue ?? value?.boolValue;
  return other === undefined ? JSON.stringify(value ?? '') : String(other);
};
const mapOf = (attributes: readonly KeyValue[] | undefined): Record<string, string> =>
  Object.fromEntries(
    (attributes ?? [])
      .map(({ key, value }) => [key, textOf(value)] as const)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
  );
const hex = (bytes: Uint8Array | undefined): string =>
  bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex') : '';
const nanos = (time: unknown): string => {
  const text = String(time ?? 0).padStart(10, '0');
  return `${text.slice(0, -9)}.${text.slice(-9)}`;
};

function rowsOf(body: Buffer): unknown[][] {
  const request = TraceRequest.decode(body) as unknown as OtlpRequest;
  const rows: unknown[][] = [];
  for (const { resource, scopeSpans } of request.resourceSpans ?? []) {
    const resourceAttributes = mapOf(resource?.attributes);
    for (const { scope, spans } of scopeSpans ?? [])
      for (const span of spans ?? [])
        rows.push([
          nanos(span.startTimeUnixNano),
          hex(span.traceId),
          hex(span.spanId),
          hex(span.parentSpanId),
          span.traceState ?? '',
          span.name ?? '',
          KINDS[span.kind ?? 0] ?? '',
          resourceAttributes['service.name'] ?? '',
          resourceAttributes,
          scope?.name ?? '',
          scope?.version ?? '',
          mapOf(span.attributes),
          String(BigInt(String(span.endTimeUnixNano)) - BigInt(String(span.startTimeUnixNano))),
          STATUS_CODES[span.status?.code ?? 0] ?? '',
          span.status?.message ?? '',
          (span.events ?? []).map(({ timeUnixNano }) => nanos(timeUnixNano)),
          (span.events ?? []).map(({ name }) => name),
          (span.events ?? []).map(({ attributes }) => mapOf(attributes)),
          (span.links ?? []).map(({ traceId }) => hex(traceId)),
          (span.links ?? []).map(({ spanId }) => hex(spanId)),
          (span.links ?? []).map(({ traceState }) => traceState),
          (span.links ?? []).map(({ attributes }) => mapOf(attributes)),
        ]);
  }
  return rows;
}

/** The correlation keys of spans that are rows already: the benchmark's have one each. */
const keysOf = (spans: readonly unknown[][]): unknown[][] =>
  spans.flatMap(([time, traceId, spanId, ...rest]) => {
    const attributes = rest[8] as Record<string, string>;
    const [company, value] = [attributes['closewatch.company'], attributes['document.number']];
    if (company === undefined || value === undefined) return [];
    return [
      [joinKey({ type: 'docno', value }, { company, source: '' }), 'docno', company, time, traceId, spanId],
    ];
  });

/** Groups what comes while an insert runs. */
function createWriter(client: ClickHouseClient) {
  let waiting: unknown[][] = [];
  let next = Promise.withResolvers<void>();
  let running = false;
  const insert = (table: string, columns: readonly string[], values: unknown[][]): Promise<unknown> =>
    client.insert({
      table,
      values,
      columns: [...columns] as [string, ...string[]],
      format: 'JSONCompactEachRow',
      clickhouse_settings: { insert_deduplication_token: randomUUID(), async_insert: 0 },
    });
  const run = async (): Promise<void> => {
    running = true;
    await sleep(GATHER_MS);
    while (waiting.length > 0) {
      const [values, stored] = [waiting, next];
      waiting = [];
      next = Promise.withResolvers<void>();
      await Promise.all([
        insert('otel_traces', COLUMNS, values),
        insert('span_keys', KEY_COLUMNS, keysOf(values)),
      ]);
      stored.resolve();
    }
    running = false;
  };
  return (rows: readonly unknown[][]): Promise<void> => {
    for (const row of rows) waiting.push(row);
    const stored = next.promise;
    if (!running) void run();
    return stored;
  };
}

export async function servePlain(engine: {
  url: string;
  username: string;
  password: string;
  database: string;
}): Promise<PlainReceiver> {
  const client = createClient({ ...engine, application: 'bench' });
  const store = createWriter(client);
  const server = createServer(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    await store(rowsOf(await inflate(Buffer.concat(chunks))));
    res.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await client.close();
    },
  };
}
