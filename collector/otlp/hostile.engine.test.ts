import { type ClientRequest, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
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
  TOKEN,
} from '../../test/otlp-receiver.ts';
import { SIGNAL_CASES } from '../../test/otlp-signals.ts';

/** Senders that mean harm, or are broken, against the receiver with its default limits. */
const MALFORMED = 10_000;
const SEED = 20_261;
const MIB = 1 << 20;
const SOON = { timeout: 60_000 };

let receiver: OtlpReceiver;
beforeAll(async () => {
  receiver = await startReceiver();
});
afterAll(() => receiver?.stop());

/** The receiver still takes what is sound, and holds nothing of what was not. */
async function isWell(): Promise<void> {
  const body = requestOf(span());
  expect((await post(receiver.url, body)).status).toBe(200);
  expect(await receiver.traces.traceById(hexOf(body))).toHaveLength(1);
  await expect.poll(() => receiver.handler.pendingBytes(), SOON).toBe(0);
}

const change = fc.record({ at: fc.nat(), drop: fc.nat(4), put: fc.uint8Array({ maxLength: 4 }) });

test(`${MALFORMED} changed, cut and random bodies are answered 200 or 400, each by an account of its own`, async () => {
  const before = receiver.lost.length;
  const share = MALFORMED / SIGNAL_CASES.length / 2;
  const bodies = SIGNAL_CASES.flatMap(({ signal, request: requests, encode }) => {
    const changed = fc.sample(fc.tuple(requests, fc.array(change, { minLength: 1, maxLength: 3 })), {
      numRuns: Math.ceil(share),
      seed: SEED,
    });
    const random = fc.sample(fc.uint8Array({ maxLength: 200 }), { numRuns: Math.ceil(share), seed: SEED });
    return [
      ...changed.map(([one, changes]) => {
        let body = encode(one);
        for (const { at, drop, put } of changes) {
          const from = at % (body.length + 1);
          body = Buffer.concat([body.subarray(0, from), put, body.subarray(from + drop)]);
        }
        return { signal, body };
      }),
      ...random.map((bytes) => ({ signal, body: Buffer.from(bytes) })),
    ];
  });
  const statuses = new Map<number, number>();
  let next = 0;
  const sender = async () => {
    for (let i = next++; i < bodies.length; i = next++) {
      const { signal, body } = bodies[i] as (typeof bodies)[0];
      const headers = {
        authorization: `Bearer ${TOKEN}`,
        'content-type': i % 5 === 4 ? JSON_TYPE : PROTOBUF,
        ...(i % 3 === 0 ? { 'content-encoding': 'gzip' } : {}),
      };
      // Every ninth says gzip and is none.
      const sent = i % 3 === 0 && i % 9 !== 0 ? gzipSync(body) : body;
      const { status } = await send(`${receiver.url}/v1/${signal}`, 'POST', headers, sent);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: 16 }, sender));
  expect([...statuses.keys()].sort()).toEqual([200, 400]);
  const malformed = receiver.lost.slice(before).filter(({ reason }) => reason === 'malformed');
  expect(malformed).toHaveLength(statuses.get(400) ?? 0);
  expect(statuses.get(400)).toBeGreaterThan(MALFORMED / 2);
  await isWell();
}, 180_000);

test('bombs: 64 MiB and more out of a few bytes, and values nested without end', async () => {
  const headers = { 'content-encoding': 'gzip' };
  const inflating = gzipSync(Buffer.alloc(64 * MIB + 1));
  expect(inflating.length).toBeLessThan(100_000);
  const many = await Promise.all(Array.from({ length: 8 }, () => post(receiver.url, inflating, headers)));
  expect(many.map(({ status }) => status)).toEqual(Array(8).fill(413));
  const twice = await post(receiver.url, gzipSync(inflating), headers);
  expect(twice.status).toBe(400);
  const json = { ...headers, 'content-type': JSON_TYPE };
  for (const text of [
    '['.repeat(8 * MIB),
    '{"a":'.repeat(4 * MIB),
    `{"resourceSpans":${'['.repeat(4 * MIB)}`,
  ])
    expect((await post(receiver.url, gzipSync(text), json)).status).toBe(400);
  // An array in an array in an array … as protobuf: each level is a tag and a length.
  let nested: Buffer = Buffer.alloc(0);
  for (let i = 0; i < 2_000; i++) nested = field(0x2a, field(0x0a, nested));
  const attribute = Buffer.concat([Buffer.from([0x0a, 0x01, 0x6b]), field(0x12, nested)]);
  // KeyValue in Span in ScopeSpans in ResourceSpans in the request.
  const wrapped = [0x4a, 0x12, 0x12, 0x0a].reduce<Buffer>((inner, tag) => field(tag, inner), attribute);
  expect((await post(receiver.url, wrapped)).status).toBe(400);
  await isWell();
}, 120_000);

/** A protobuf field with this content. */
function field(tag: number, content: Buffer): Buffer {
  const head = [tag];
  let rest = content.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) head.push((rest & 0x7f) | 0x80);
  return Buffer.concat([Buffer.from([...head, rest]), content]);
}

test('200 senders that never finish take nothing from the others', async () => {
  const slow: (Socket | ClientRequest)[] = [];
  const { hostname, port } = new URL(receiver.url);
  for (let i = 0; i < 100; i++) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write('POST /v1/traces HTTP/1.1\r\nhost: x\r\nx-a: ');
    const headers = {
      authorization: `Bearer ${TOKEN}`,
      'content-type': PROTOBUF,
      'content-length': '1000000',
    };
    const open = request(`${receiver.url}/v1/traces`, { method: 'POST', headers });
    open.on('error', () => {});
    open.write('x');
    slow.push(socket, open);
  }
  for (let i = 0; i < 20; i++) expect((await post(receiver.url, requestOf(span()))).status).toBe(200);
  for (const one of slow) one.destroy();
  await isWell();
});

test('1,000 connections at once are all answered, and everything is stored', async () => {
  const bodies = Array.from({ length: 1_000 }, () => requestOf(span()));
  const answers = await Promise.all(bodies.map((body) => post(receiver.url, body)));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  const found = await receiver.traces.spansOfTraces(bodies.map((body) => hexOf(body)));
  expect(found).toHaveLength(1_000);
  await isWell();
}, 120_000);
