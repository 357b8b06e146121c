import { Client, credentials, Metadata, status as Status } from '@grpc/grpc-js';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ClosewatchError } from '../../model/errors.ts';
import { TraceResponse } from '../../test/otlp-proto.ts';
import { hexOf, type OtlpReceiver, requestOf, span, startReceiver, TOKEN } from '../../test/otlp-receiver.ts';
import { type OtlpGrpc, serveOtlpGrpc } from './grpc.ts';
import type { OtlpReceiver as Receiver } from './receiver.ts';

const PATH = '/opentelemetry.proto.collector.trace.v1.TraceService/Export';
const SOON = { timeout: 30_000 };

let receiver: OtlpReceiver;
const servers: OtlpGrpc[] = [];
const clients: Client[] = [];

const authenticate = async ({ headers }: { headers: { authorization?: string | undefined } }) => {
  if (!headers.authorization) throw new ClosewatchError('auth.missing', 'a token is needed');
  if (headers.authorization !== `Bearer ${TOKEN}`)
    throw new ClosewatchError('auth.invalid', 'the token is unknown');
  return { source: 'test', tokenId: '1' };
};

async function serve(handler: Receiver): Promise<Client> {
  const server = await serveOtlpGrpc(handler, authenticate, { host: '127.0.0.1', port: 0 });
  servers.push(server);
  const client = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    'grpc.max_send_message_length': -1,
  });
  clients.push(client);
  return client;
}

interface Answer {
  readonly code: number;
  readonly details: string;
  readonly body: Buffer | undefined;
  readonly retry: Buffer | undefined;
}

function call(client: Client, body: Buffer, headers: Record<string, string> = {}): Promise<Answer> {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries({ authorization: `Bearer ${TOKEN}`, ...headers }))
    if (value !== '') metadata.set(name, value);
  const asIs = (bytes: Buffer) => bytes;
  return new Promise((resolve) => {
    client.makeUnaryRequest(PATH, asIs, asIs, body, metadata, (error, answer) => {
      const [retry] = error?.metadata?.get('grpc-status-details-bin') ?? [];
      resolve({
        code: error?.code ?? Status.OK,
        details: error?.details ?? '',
        body: answer,
        retry: retry as Buffer | undefined,
      });
    });
  });
}

let client: Client;
beforeAll(async () => {
  receiver = await startReceiver();
  client = await serve(receiver.handler);
});
afterAll(async () => {
  for (const one of clients) one.close();
  for (const server of servers) await server.close(0);
  await receiver?.stop();
});

test('spans of the SDK, gzip or not, are stored', async () => {
  for (const compression of ['none', 'gzip'] as const) {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${TOKEN}`);
    const exporter = new OTLPTraceExporter({
      url: `http://127.0.0.1:${servers[0]?.port}`,
      metadata,
      compression: compression as never,
    });
    const provider = new BasicTracerProvider({
      resource: resourceFromAttributes({ 'service.name': `over-grpc-${compression}` }),
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    const made = provider.getTracer('test').startSpan('read a bill', { attributes: { pages: 3 } });
    made.end();
    await provider.forceFlush();
    await provider.shutdown();
    expect(await receiver.traces.traceById(made.spanContext().traceId)).toMatchObject([
      { name: 'read a bill', service: `over-grpc-${compression}`, attributes: { pages: '3' } },
    ]);
  }
});

test('an empty request succeeds; refused spans are told', async () => {
  expect(await call(client, Buffer.alloc(0))).toMatchObject({ code: Status.OK, body: Buffer.alloc(0) });
  const body = requestOf(span(), span({ traceId: Buffer.alloc(16) }));
  const answer = await call(client, body);
  expect(answer.code).toBe(Status.OK);
  expect(TraceResponse.decode(answer.body as Buffer).toJSON()).toEqual({
    partialSuccess: { rejectedSpans: '1', errorMessage: expect.stringContaining('id') },
  });
  expect(await receiver.traces.traceById(hexOf(body))).toHaveLength(1);
});

test('bytes that are no request are an invalid argument, without a retry', async () => {
  const before = receiver.handler.counts.failed[400] ?? 0;
  const answer = await call(client, Buffer.from([0x0a, 0x7f, 0x01]));
  expect(answer).toMatchObject({ code: Status.INVALID_ARGUMENT, retry: undefined });
  expect(answer.details).toContain('only 1');
  expect(receiver.handler.counts.failed[400]).toBe(before + 1);
});

test('who has no token, or a wrong one, is refused before a message is read', async () => {
  const before = receiver.handler.counts.failed[401] ?? 0;
  for (const authorization of ['', 'Bearer wrong'])
    expect(await call(client, requestOf(span()), { authorization })).toMatchObject({
      code: Status.UNAUTHENTICATED,
    });
  expect(receiver.handler.counts.failed[401]).toBe(before + 2);
});

test('a message beyond the limit is refused, plain or inflated, and counted', async () => {
  const [small] = await receiver.serve(
    { maxBodyBytes: 50_000, maxPendingBytes: 100_000 },
    receiver.telemetry,
  );
  const limited = await serve(small);
  const large = requestOf(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(60_000) } }] }));
  expect(await call(limited, large)).toMatchObject({ code: Status.RESOURCE_EXHAUSTED, retry: undefined });
  expect(await call(limited, large, { 'grpc-internal-encoding-request': 'gzip' })).toMatchObject({
    code: Status.RESOURCE_EXHAUSTED,
  });
  await expect.poll(() => small.counts.failed[413], SOON).toBe(2);
  expect((await call(limited, requestOf(span()))).code).toBe(Status.OK);
});

test('too much at once, and a store that fails, say when to come back', async () => {
  const gate = Promise.withResolvers<void>();
  gate.promise.catch(() => {});
  const settings = { maxBodyBytes: 100_000, maxPendingBytes: 100_000 };
  const [held] = await receiver.serve(settings, { insert: () => gate.promise });
  const busy = await serve(held);
  const body = requestOf(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(70_000) } }] }));
  const first = call(busy, body);
  await expect.poll(() => held.pendingBytes(), SOON).toBeGreaterThan(70_000);
  const second = await call(busy, body);
  expect(second.code).toBe(Status.RESOURCE_EXHAUSTED);
  expect(second.retry?.toString('latin1')).toContain('type.googleapis.com/google.rpc.RetryInfo');
  gate.reject(new ClosewatchError('engine.failed', 'secret details'));
  const failed = await first;
  expect(failed).toMatchObject({ code: Status.UNAVAILABLE, details: expect.not.stringContaining('secret') });
  // google.rpc.Status {14, message, Any {type, RetryInfo {Duration {5 s}}}}: the last bytes are the delay.
  expect(failed.retry?.subarray(-2)).toEqual(Buffer.from([0x08, 5]));
});
