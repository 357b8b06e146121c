import { type IncomingMessage, request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClosewatchError } from '../../model/errors.ts';
import { connectClickHouse } from '../../store/clickhouse/client.ts';
import { migrate } from '../../store/clickhouse/migrate.ts';
import { openTelemetry } from '../../store/clickhouse/telemetry.ts';
import { temporaryEngine } from '../../store/clickhouse/testing/temporary.ts';
import { encodeRequest, TraceResponse } from '../../test/otlp-proto.ts';
import {
  hexOf,
  JSON_TYPE,
  type OtlpReceiver,
  PROTOBUF,
  post,
  requestOf,
  send,
  span,
  startReceiver,
  statusOf,
  TOKEN,
} from '../../test/otlp-receiver.ts';

const SOON = { timeout: 30_000 };

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver?.stop());

describe('answers', () => {
  test('an empty request succeeds, in both encodings', async () => {
    for (const headers of [{}, { 'content-encoding': 'gzip' }, { 'content-encoding': 'identity' }]) {
      const answer = await post(receiver.url, '', headers);
      expect([answer.status, answer.headers['content-type'], answer.body.length]).toEqual([200, PROTOBUF, 0]);
    }
    const answer = await post(receiver.url, '{}', { 'content-type': 'application/json; charset=utf-8' });
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
    const answer = await post(receiver.url, body);
    expect(answer.status).toBe(200);
    expect(TraceResponse.decode(answer.body).toJSON()).toEqual({
      partialSuccess: {
        rejectedSpans: '8',
        errorMessage:
          '5 with an id that is missing, zero or of a wrong length, 3 with a time in the future or after 2262',
      },
    });
    expect(await receiver.traces.traceById(good.traceId.toString('hex'))).toHaveLength(1);
    const json = { resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: 'ABC', spanId: 'DEF' }] }] }] };
    const inJson = await post(receiver.url, JSON.stringify(json), { 'content-type': JSON_TYPE });
    expect(JSON.parse(inJson.body.toString())).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
  });

  test('a span with its ids alone: no resource, no scope, no end', async () => {
    const ids = { traceId: 'ab'.repeat(15), spanId: 'cd'.repeat(7) };
    const asJson = { traceId: `${ids.traceId}01`, spanId: `${ids.spanId}01` };
    const inJson = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [asJson] }] }] });
    const json = await post(receiver.url, inJson, { 'content-type': 'application/json; charset=utf-8' });
    expect([json.status, json.body.toString()]).toEqual([200, '{}']);
    const asBytes = {
      traceId: Buffer.from(`${ids.traceId}02`, 'hex'),
      spanId: Buffer.from(`${ids.spanId}02`, 'hex'),
      startTimeUnixNano: '1700000000000000000',
    };
    expect((await post(receiver.url, requestOf(asBytes))).status).toBe(200);
    const empty = { parentSpanId: '', service: '', scopeName: '', resourceAttributes: {}, durationNs: '0' };
    expect(await receiver.traces.traceById(asJson.traceId)).toMatchObject([
      { ...asJson, ...empty, startNs: '0' },
    ]);
    expect(await receiver.traces.traceById(`${ids.traceId}02`)).toMatchObject([
      { ...empty, startNs: '1700000000000000000' },
    ]);
  });

  test('nothing of a malformed request is stored', async () => {
    const good = span();
    const body = Buffer.concat([requestOf(good), Buffer.from([0x0a, 0x7f, 0x01])]);
    const answer = await post(receiver.url, body);
    expect(answer.status).toBe(400);
    expect(statusOf(answer)).toEqual({ code: 3, message: expect.stringContaining('only 1') });
    expect(await receiver.traces.traceById(good.traceId.toString('hex'))).toEqual([]);
    const inJson = await post(receiver.url, '{"resourceSpans":[{"scopeSpans":{}}]}', {
      'content-type': JSON_TYPE,
    });
    expect(inJson.status).toBe(400);
    expect(statusOf(inJson)).toEqual({ code: 3, message: 'resourceSpans[0].scopeSpans must be an array' });
    expect((await post(receiver.url, 'no gzip', { 'content-encoding': 'gzip' })).status).toBe(400);
  });

  test('who has no token, or a wrong one, is refused', async () => {
    const body = requestOf(span());
    const anonymous = await send(`${receiver.url}/v1/traces`, 'POST', { 'content-type': JSON_TYPE }, '{}');
    expect([anonymous.status, anonymous.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    expect(statusOf(anonymous)).toEqual({ code: 16, message: 'a token is needed' });
    const wrong = await post(receiver.url, body, { authorization: 'Bearer wrong' });
    expect([wrong.status, statusOf(wrong)]).toEqual([401, { code: 16, message: 'the token is unknown' }]);
    expect(receiver.logged.join()).not.toMatch(/wrong"|cw_test/);
    expect(receiver.lost.filter(({ reason }) => reason === 'unauthenticated')).toEqual(
      [1, 2].map(() => ({
        source: '(unknown)',
        stream: 'traces',
        reason: 'unauthenticated',
        records: 1,
        detail: 'a request, 401',
      })),
    );
  });

  test('other methods, types, encodings and signals', async () => {
    const get = await send(`${receiver.url}/v1/traces`, 'GET', {});
    expect([get.status, get.headers.allow, get.headers['content-type']]).toEqual([
      405,
      'POST',
      'text/plain; charset=utf-8',
    ]);
    const type = await post(receiver.url, 'a=b', { 'content-type': 'application/x-www-form-urlencoded' });
    expect([type.status, type.headers['content-type']]).toEqual([415, 'text/plain; charset=utf-8']);
    const encoding = await post(receiver.url, '', { 'content-encoding': 'br' });
    expect([encoding.status, statusOf(encoding)]).toEqual([415, { code: 3, message: expect.any(String) }]);
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': JSON_TYPE };
    const path = await send(`${receiver.url}/v1/profiles`, 'POST', headers, '{}');
    expect([path.status, statusOf(path)]).toEqual([404, { code: 12, message: expect.any(String) }]);
  });

  test('every signal has its own answer; records of another signal are refused, not dropped in silence', async () => {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': JSON_TYPE };
    const record = {
      traceId: 'ab'.repeat(16),
      timeUnixNano: '1700000000000000000',
      body: { stringValue: 'x' },
    };
    const logs = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record, record] }] }] });
    const rejected = { traces: 'rejectedSpans', metrics: 'rejectedDataPoints' };
    for (const [signal, name] of Object.entries(rejected)) {
      const answer = await send(`${receiver.url}/v1/${signal}`, 'POST', headers, logs);
      expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
        200,
        { partialSuccess: { [name]: '2', errorMessage: expect.stringContaining('another signal') } },
      ]);
    }
    const told = receiver.lost.filter(({ reason }) => reason === 'unsupported');
    expect(told.slice(-2)).toEqual([
      { source: 'test', stream: 'traces', reason: 'unsupported', records: 2 },
      { source: 'test', stream: 'metrics', reason: 'unsupported', records: 2 },
    ]);
    const empty = await send(`${receiver.url}/v1/logs`, 'POST', headers, '{}');
    expect([empty.status, empty.body.toString()]).toEqual([200, '{}']);
    const future = { ...record, timeUnixNano: `${BigInt(Date.now() + 25 * 3_600_000) * 1_000_000n}` };
    const late = JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [record, future] }] }] });
    const partly = await send(`${receiver.url}/v1/logs`, 'POST', headers, late);
    expect(JSON.parse(partly.body.toString())).toMatchObject({ partialSuccess: { rejectedLogRecords: '1' } });
  });
});

describe('limits', () => {
  const small = { maxBodyBytes: 100_000, maxPendingBytes: 200_000 };

  test('a body that is too large is refused with 413, plain, inflated, with and without a length', async () => {
    const [, url] = await receiver.serve(small, receiver.telemetry);
    const large = Buffer.alloc(3_000_000, 1);
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }] as Record<string, string>[]) {
      const answer = await post(url, large, headers);
      expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
    }
    const bomb = gzipSync(Buffer.alloc(80_000_000));
    expect(bomb.length).toBeLessThan(small.maxBodyBytes);
    const answer = await post(url, bomb, { 'content-encoding': 'gzip' });
    expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
    expect((await post(url, requestOf(span()))).status).toBe(200);
  });

  test('a small body whose spans would repeat a large resource many times is refused with 413', async () => {
    const [, url] = await receiver.serve({ maxRowBytes: 10_000_000 }, receiver.telemetry);
    const attributes = [{ key: 'k', value: { stringValue: 'x'.repeat(100_000) } }];
    const spans = Array.from({ length: 1000 }, () => span());
    const body = encodeRequest({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans }] }] });
    const answer = await post(url, body);
    expect([answer.status, statusOf(answer)]).toEqual([413, { code: 8, message: expect.any(String) }]);
  });

  test('when the store is slow and memory is used up, 429 with Retry-After; nothing that was taken is lost', async () => {
    const gate = Promise.withResolvers<void>();
    const [held, url] = await receiver.serve(small, {
      async insert(...block) {
        await gate.promise;
        await receiver.telemetry.insert(...block);
      },
    });
    const statuses: number[] = [];
    const bodies = Array.from({ length: 12 }, () =>
      requestOf(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(40_000) } }] })),
    );
    const sent = bodies.map(async (body) => {
      const answer = await post(url, body);
      statuses.push(answer.status);
      if (answer.status === 429) expect(answer.headers['retry-after']).toBe('1');
      return answer.status === 200 ? hexOf(body) : undefined;
    });
    await expect.poll(() => statuses.filter((status) => status === 429).length, SOON).toBeGreaterThan(0);
    expect(held.pendingBytes()).toBeLessThan(400_000);
    gate.resolve();
    const stored = (await Promise.all(sent)).filter((id) => id !== undefined);
    expect(new Set(statuses)).toEqual(new Set([200, 429]));
    expect(await receiver.traces.spansOfTraces(stored)).toHaveLength(stored.length);
  });

  test('when the store fails, 503 with Retry-After and no word of why', async () => {
    const [failing, url] = await receiver.serve(
      {},
      {
        async insert() {
          throw new ClosewatchError('engine.failed', 'secret details of the engine');
        },
      },
    );
    const answer = await post(url, requestOf(span()));
    expect([answer.status, answer.headers['retry-after']]).toEqual([503, '5']);
    expect(statusOf(answer)).toEqual({ code: 14, message: expect.not.stringContaining('secret') });
    expect(failing.counts).toMatchObject({ stored: { traces: 0 }, failed: { 503: 1 } });
    expect(failing.pendingBytes()).toBe(0);
  });

  test('spans that the store does not take at once are refused with 413; of requests stored together, each is asked again', async () => {
    const engine = await temporaryEngine({ maxBodyBytes: 300_000 });
    const clickhouse = connectClickHouse(engine);
    await migrate(clickhouse);
    const gate = Promise.withResolvers<void>();
    let inserts = 0;
    const telemetry = openTelemetry(clickhouse);
    const [held, url] = await receiver.serve(
      { gatherMs: 0 },
      {
        async insert(...block) {
          inserts++;
          await gate.promise;
          await telemetry.insert(...block);
        },
      },
    );
    const large = (size: number) =>
      requestOf(span({ attributes: [{ key: 'k', value: { stringValue: 'x'.repeat(size) } }] }));
    const alone = post(url, large(400_000));
    await expect.poll(() => inserts, SOON).toBe(1);
    const together = [post(url, large(200_000)), post(url, large(200_000))];
    await expect.poll(() => held.pendingBytes(), SOON).toBeGreaterThan(800_000);
    gate.resolve();
    expect(statusOf(await alone)).toEqual({ code: 8, message: expect.stringContaining('at once') });
    for (const answer of await Promise.all(together)) expect(answer.status).toBe(503);
    expect((await post(url, large(200_000))).status).toBe(200);
    await clickhouse.close();
    await engine.remove();
  });

  test('a request whose body comes while the collector closes is asked again later', async () => {
    const [closing, url] = await receiver.serve({}, receiver.telemetry);
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': PROTOBUF };
    const req = request(`${url}/v1/traces`, { method: 'POST', headers });
    const answered = new Promise<IncomingMessage>((done) => req.once('response', done));
    const body = requestOf(span());
    req.write(body.subarray(0, 10));
    await expect.poll(() => closing.pendingBytes(), SOON).toBeGreaterThan(0);
    await closing.close();
    req.end(body.subarray(10));
    const { statusCode, headers: answer } = await answered;
    expect([statusCode, answer['retry-after']]).toEqual([503, '5']);
  });

  test('bodies that inflate to more than there is room for are sent back with 429 until others are answered', async () => {
    const gate = Promise.withResolvers<void>();
    const tight = { ...small, maxPendingBytes: 130_000 };
    const [held, url] = await receiver.serve(tight, { insert: () => gate.promise });
    const attributes = [{ key: 'k', value: { stringValue: 'x'.repeat(60_000) } }];
    const zipped = () => post(url, gzipSync(requestOf(span({ attributes }))), { 'content-encoding': 'gzip' });
    const first = zipped();
    await expect.poll(() => held.pendingBytes(), SOON).toBeGreaterThan(60_000);
    const second = await zipped();
    expect([second.status, second.headers['retry-after']]).toEqual([429, '1']);
    gate.resolve();
    expect((await first).status).toBe(200);
    expect(held.pendingBytes()).toBe(0);
    expect((await zipped()).status).toBe(200);
  });

  test('closing stores what was taken and refuses the rest', async () => {
    const [closing, url] = await receiver.serve({ gatherMs: 60_000 }, receiver.telemetry);
    const body = requestOf(span());
    const answer = post(url, body);
    await expect.poll(() => closing.pendingBytes(), SOON).toBeGreaterThan(0);
    await closing.close();
    expect(await receiver.traces.traceById(hexOf(body))).toHaveLength(1);
    expect((await answer).status).toBe(200);
    expect((await post(url, body)).status).toBe(503);
  });

  test('a sender that breaks off leaves nothing behind', async () => {
    const before = receiver.handler.pendingBytes();
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': PROTOBUF, 'content-length': '50000' };
    const req = request(`${receiver.url}/v1/traces`, { method: 'POST', headers });
    req.on('error', () => {});
    req.write(Buffer.alloc(20_000));
    await expect.poll(() => receiver.handler.pendingBytes(), SOON).toBeGreaterThan(before);
    req.destroy();
    await expect.poll(() => receiver.handler.pendingBytes(), SOON).toBe(before);
  });
});
