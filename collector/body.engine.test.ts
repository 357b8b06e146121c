import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { errorCode } from '../model/errors.ts';
import { BodyBudget, BodyHold, BrokenOff, readBody } from './body.ts';

const LIMIT = 100_000;
let server: Server;
let received: IncomingMessage[];
beforeEach(async () => {
  received = [];
  server = createServer((req) => {
    received.push(req);
    server.emit('received');
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** The server's side of a request with this body; the client sends its end only if it is whole. */
async function send(body: Uint8Array, headers: Record<string, string> = {}, whole = true) {
  const arrived = once(server, 'received');
  const { port } = server.address() as AddressInfo;
  const client = request({ port, method: 'POST', headers });
  client.on('error', () => {});
  client.write(body);
  if (whole) client.end();
  await arrived;
  return { client, req: received.at(-1) as IncomingMessage };
}
const codeOf = (reading: Promise<Buffer>) => reading.then(String, errorCode);

test('what is inflated is held until it is released, what was sent no longer', async () => {
  const budget = new BodyBudget(LIMIT);
  const hold = new BodyHold(budget);
  const { req } = await send(gzipSync(Buffer.alloc(60_000, 'a')), { 'content-encoding': ' GZIP ' });
  expect(await readBody(req, LIMIT, hold)).toHaveLength(60_000);
  expect(budget.bytes).toBe(60_000);
  const second = new BodyHold(budget);
  const again = await send(gzipSync(Buffer.alloc(60_000, 'b')), { 'content-encoding': 'gzip' });
  expect(await codeOf(readBody(again.req, LIMIT, second))).toBe('request.overloaded');
  second.release();
  expect(budget.bytes).toBe(60_000);
  hold.release();
  hold.release();
  expect(budget.bytes).toBe(0);
});

test('what others take is not there for bodies', async () => {
  let others = LIMIT - 10;
  const budget = new BodyBudget(LIMIT, () => others);
  const large = await send(Buffer.alloc(11));
  expect(await codeOf(readBody(large.req, LIMIT, new BodyHold(budget)))).toBe('request.overloaded');
  others = LIMIT + 1;
  const empty = await send(Buffer.alloc(0));
  expect(await codeOf(readBody(empty.req, LIMIT, new BodyHold(budget)))).toBe('request.overloaded');
});

test.each([
  ['a length beyond the limit', Buffer.alloc(1), { 'content-length': `${LIMIT + 1}` }, 'request.too-large'],
  ['more bytes than the limit', Buffer.alloc(LIMIT + 1), {}, 'request.too-large'],
  [
    'more bytes when inflated',
    gzipSync(Buffer.alloc(LIMIT + 1)),
    { 'content-encoding': 'gzip' },
    'request.too-large',
  ],
  ['an encoding that is not known', Buffer.alloc(1), { 'content-encoding': 'br' }, 'request.media-type'],
  ['no gzip', Buffer.from('no gzip'), { 'content-encoding': 'gzip' }, 'request.malformed'],
  [
    'gzip that is cut off',
    gzipSync('x'.repeat(1000)).subarray(0, 20),
    { 'content-encoding': 'gzip' },
    'request.malformed',
  ],
  ['as many bytes as the limit', Buffer.alloc(LIMIT, 'a'), {}, 'a'.repeat(LIMIT)],
  ['nothing', Buffer.alloc(0), { 'content-encoding': 'gzip' }, ''],
])('%s', async (_name, body, headers, expected) => {
  const { req } = await send(body, headers as Record<string, string>);
  const hold = new BodyHold(new BodyBudget(2 * LIMIT));
  expect(await codeOf(readBody(req, LIMIT, hold))).toBe(expected);
});

test.each([
  ['none', {}],
  ['gzip', { 'content-encoding': 'gzip' }],
])('a body that breaks off before or while it is read; encoding %s', async (_name, headers) => {
  const budget = new BodyBudget(LIMIT);
  for (const early of [true, false]) {
    const { client, req } = await send(gzipSync('x'.repeat(1000)).subarray(0, 20), headers, false);
    const hold = new BodyHold(budget);
    const reading = early ? undefined : readBody(req, LIMIT, hold);
    reading?.catch(() => {});
    const closed = new Promise((done) => req.once('close', done));
    client.destroy();
    await closed;
    await expect(reading ?? readBody(req, LIMIT, hold)).rejects.toBeInstanceOf(BrokenOff);
    hold.release();
    expect(budget.bytes).toBe(0);
  }
});
