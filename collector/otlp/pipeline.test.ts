import { afterEach, expect, test } from 'vitest';
import { ClosewatchError } from '../../model/errors.ts';
import type { TelemetryStore } from '../../store/clickhouse/telemetry.ts';
import { encodeRequest } from '../../test/otlp-proto.ts';
import { requestOf, span } from '../../test/otlp-receiver.ts';
import { otlpConfig } from './config.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { DecodingThread, type SentRequest } from './thread.ts';

const SOON = { timeout: 30_000 };
const nothingLogged = { error() {} };

const opened: Pipeline[] = [];
afterEach(async () => {
  for (const pipeline of opened.splice(0)) await pipeline.close();
});

function openPipeline(
  settings: object,
  telemetry: TelemetryStore,
  more: Partial<Parameters<typeof createPipeline>[1]> = {},
): Pipeline {
  const pipeline = createPipeline(otlpConfig.parse(settings), { telemetry, logger: nothingLogged, ...more });
  opened.push(pipeline);
  return pipeline;
}

const sent = (body: Buffer): SentRequest => ({
  sender: { source: 'ocr' },
  signal: 'traces',
  encoding: 'application/x-protobuf',
  gzip: false,
  body: new Uint8Array(body),
});
const stores = (): TelemetryStore & { readonly tokens: string[] } => {
  const tokens: string[] = [];
  return { tokens, insert: async (_table, _blocks, token) => void tokens.push(token) };
};

test('requests that come while an insert is under way share the next one', async () => {
  const gate = Promise.withResolvers<void>();
  let inserts = 0;
  const pipeline = openPipeline(
    { gatherMs: 0 },
    {
      async insert() {
        if (inserts++ === 0) await gate.promise;
      },
    },
  );
  const first = pipeline.take(sent(requestOf(span())));
  await expect.poll(() => inserts, SOON).toBe(1);
  let decoded = 0;
  const others = Array.from({ length: 20 }, () =>
    pipeline.take(sent(requestOf(span(), span())), () => decoded++),
  );
  await expect.poll(() => decoded, SOON).toBe(20);
  gate.resolve();
  const results = await Promise.all([first, ...others]);
  expect(results.reduce((sum, { decoded: made }) => sum + made.accepted, 0)).toBe(41);
  expect(inserts).toBe(2);
  expect(pipeline.pendingBytes).toBe(0);
});

test('rows are closed when they have grown to the size of a block', async () => {
  const store = stores();
  const pipeline = openPipeline({ maxBlockBytes: 30_000, gatherMs: 50 }, store);
  const value = { key: 'k', value: { stringValue: 'x'.repeat(20_000) } };
  await Promise.all(
    Array.from({ length: 6 }, () => pipeline.take(sent(requestOf(span({ attributes: [value] }))))),
  );
  expect(store.tokens.length).toBeGreaterThan(2);
  expect(new Set(store.tokens).size).toBe(store.tokens.length);
  expect(pipeline.pendingBytes).toBe(0);
});

test('a failed insert fails the requests in it, and none after it', async () => {
  let failing = true;
  const pipeline = openPipeline(
    {},
    {
      async insert() {
        if (failing) throw new ClosewatchError('engine.failed', 'broken');
      },
    },
  );
  await expect(pipeline.take(sent(requestOf(span())))).rejects.toMatchObject({
    code: 'engine.failed',
  });
  failing = false;
  expect((await pipeline.take(sent(requestOf(span())))).decoded.accepted).toBe(1);
  expect(pipeline.pendingBytes).toBe(0);
});

test('while an insert does not come back, new requests are refused at once', async () => {
  const gate = Promise.withResolvers<void>();
  const pipeline = openPipeline({ maxStoreMs: 50, gatherMs: 0 }, { insert: () => gate.promise });
  const first = pipeline.take(sent(requestOf(span())));
  await expect
    .poll(
      () =>
        pipeline.take(sent(Buffer.alloc(0))).then(
          () => 'taken',
          (error) => error.code,
        ),
      SOON,
    )
    .toBe('store.unavailable');
  gate.resolve();
  expect((await first).decoded.accepted).toBe(1);
  expect((await pipeline.take(sent(requestOf(span())))).decoded.accepted).toBe(1);
});

test('when the thread dies, what it held fails, and the next request has a new one', async () => {
  const threads: DecodingThread[] = [];
  const config = otlpConfig.parse({});
  const gate = Promise.withResolvers<void>();
  let inserts = 0;
  const pipeline = openPipeline(
    { gatherMs: 0 },
    {
      async insert() {
        inserts++;
        await gate.promise;
      },
    },
    {
      startThread(died) {
        const thread = new DecodingThread(config, died);
        threads.push(thread);
        return thread;
      },
    },
  );
  const inserting = pipeline.take(sent(requestOf(span())));
  await expect.poll(() => inserts, SOON).toBe(1);
  let decoded = 0;
  const gathered = pipeline.take(sent(requestOf(span())), () => decoded++);
  await expect.poll(() => decoded, SOON).toBe(1);
  const lost = expect(gathered).rejects.toMatchObject({ code: 'store.unavailable' });
  await threads[0]?.stop();
  await lost;
  gate.resolve();
  expect((await inserting).decoded.accepted).toBe(1);
  expect((await pipeline.take(sent(requestOf(span())))).decoded.accepted).toBe(1);
  expect([threads.length, pipeline.pendingBytes]).toEqual([2, 0]);
});

test('buffered: answered when read, stored when the store is back, and given up only for what it will never take', async () => {
  const gate = Promise.withResolvers<void>();
  let away = 2;
  const kept: number[] = [];
  const dropped: number[] = [];
  const pipeline = openPipeline(
    { ack: 'buffered', gatherMs: 0 },
    {
      async insert(_table, blocks) {
        await gate.promise;
        if (away-- > 0) throw new ClosewatchError('engine.unavailable', 'away');
        if (blocks.length > 50_000) throw new ClosewatchError('engine.failed', 'never');
        kept.push(blocks.length);
      },
    },
    { dropped: (_source, _signal, records) => void dropped.push(records) },
  );
  expect((await pipeline.take(sent(requestOf(span())))).decoded.accepted).toBe(1);
  expect(pipeline.pendingBytes).toBeGreaterThan(0);
  gate.resolve();
  await expect.poll(() => kept.length, SOON).toBe(1);
  const large = { key: 'k', value: { stringValue: 'x'.repeat(60_000) } };
  await pipeline.take(
    sent(
      encodeRequest({
        resourceSpans: [{ resource: { attributes: [large] }, scopeSpans: [{ spans: [span(), span()] }] }],
      }),
    ),
  );
  await expect.poll(() => dropped, SOON).toEqual([2]);
  expect(pipeline.pendingBytes).toBe(0);
});

test('closing stores what was taken', async () => {
  const store = stores();
  const pipeline = openPipeline({ gatherMs: 60_000 }, store);
  let decoded = 0;
  const taken = pipeline.take(sent(requestOf(span())), () => decoded++);
  await expect.poll(() => decoded, SOON).toBe(1);
  await pipeline.close();
  expect((await taken).decoded.accepted).toBe(1);
  expect(store.tokens).toHaveLength(1);
  await expect(pipeline.take(sent(requestOf(span())))).rejects.toMatchObject({
    code: 'store.unavailable',
  });
});
