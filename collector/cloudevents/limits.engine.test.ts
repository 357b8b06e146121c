import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { createCounters } from '../../store/counters.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import type { Inbox } from '../../store/postgres/inbox.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { cloudEventsConfig } from './config.ts';
import { createCloudEventsHandler } from './handler.ts';

const SOON = { timeout: 30_000 };
const BATCH = 'application/cloudevents-batch+json';
const sender: Sender = { tokenId: 't', source: '/shop' };

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

/** A handler before an inbox that takes everything when the gate opens, and how many of its requests are settled. */
async function start(settings: object, authenticate: (req: IncomingMessage) => Promise<Sender>, share = 1) {
  const gate = Promise.withResolvers<void>();
  const inbox = {
    shareOf: () => share,
    async accept(events: readonly unknown[]) {
      await gate.promise;
      return events.map(() => 'accepted');
    },
  } as unknown as Inbox;
  const handle = createCloudEventsHandler(cloudEventsConfig.parse(settings), {
    postgres: undefined as unknown as Postgres,
    inbox,
    authenticate,
    counters: createCounters(),
    logger: { error() {}, warn() {}, info() {}, debug() {} },
  });
  const counted = { settled: 0 };
  server = createServer((req, res) => void handle(req, res).finally(() => counted.settled++));
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return { gate, counted, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events` };
}

const eventOf = (id: string, size: number) => ({
  specversion: '1.0',
  id,
  source: '/shop/eu',
  type: 'closewatch.order.paid.v1',
  time: '2026-05-31T17:00:00Z',
  data: {
    object: { kind: 'order' },
    org: { companyKey: 'acme' },
    keys: [{ type: 'extid', value: id }],
    lines: [{ padding: 'x'.repeat(size) }],
  },
});

test.each([
  ['all of the room', 1, 5],
  ['their share of it', 0.6, 3],
])('batches that inflate to more than %s are sent back until others are answered', async (_, share, fit) => {
  const settings = { maxEventBytes: 100_000, maxBatchBytes: 200_000, maxPendingBytes: 500_000 };
  const { gate, url } = await start(settings, async () => sender, share);
  const statuses: number[] = [];
  const post = async (id: string) => {
    const headers = { 'content-type': BATCH, 'content-encoding': 'gzip' };
    const body = new Uint8Array(gzipSync(JSON.stringify([eventOf(id, 90_000)])));
    const answer = await fetch(url, { method: 'POST', headers, body });
    if (answer.status === 429) expect(answer.headers.get('retry-after')).toBe('5');
    statuses.push(answer.status);
  };
  const sent = Array.from({ length: 20 }, (_, i) => post(`${i}`));
  await expect.poll(() => statuses.length, SOON).toBe(20 - fit);
  expect(new Set(statuses)).toEqual(new Set([429]));
  gate.resolve();
  await Promise.all(sent);
  expect(statuses.slice(20 - fit)).toEqual(Array(fit).fill(202));
  await post('later');
  expect(statuses.at(-1)).toBe(202);
});

test.each(['identity', 'gzip'])(
  'a sender that breaks off while it is authenticated; %s',
  async (encoding) => {
    const asked = Promise.withResolvers<IncomingMessage>();
    const known = Promise.withResolvers<Sender>();
    const { counted, url } = await start({}, (req) => {
      asked.resolve(req);
      return known.promise;
    });
    const headers = { 'content-type': BATCH, 'content-encoding': encoding, 'content-length': 1000 };
    const client = request(url, { method: 'POST', headers }).on('error', () => {});
    client.write('[');
    const req = await asked.promise;
    const closed = new Promise((done) => req.once('close', done));
    client.destroy();
    await closed;
    known.resolve(sender);
    await expect.poll(() => counted.settled, SOON).toBe(1);
  },
);
