import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import type { Postgres } from '../postgres/database.ts';
import { keepingLogger } from '../postgres/testing/back-ends.ts';
import { within } from '../within.ts';
import { openQueues } from './queues.ts';

const PORT = 6379;
const redis = new Redis(`redis://127.0.0.1:${PORT}`, { lazyConnect: true, retryStrategy: () => null });
redis.on('error', () => {});
const hasRedis = await redis.connect().then(
  () => true,
  () => false,
);
const prefix = `closewatch-test-${randomBytes(6).toString('hex')}`;
afterAll(async () => {
  if (hasRedis) {
    const keys = await redis.keys(`${prefix}*`);
    if (keys.length > 0) await redis.del(keys);
  }
  redis.disconnect();
});

/** A way to Redis that can be cut. */
async function way(): Promise<{ url: string; cut(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = connect(PORT, '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.once('close', () => other.destroy());
      socket.pipe(other);
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

// With Redis no statement goes to PostgreSQL, so none is there.
const postgres = undefined as unknown as Postgres;

test('a Redis that is not there is named so', async () => {
  const redisUrl = 'redis://127.0.0.1:1';
  await expect(openQueues({ postgres, redisUrl, prefix }, { logger: keepingLogger() })).rejects.toMatchObject(
    {
      code: 'store.unavailable',
      message: expect.stringMatching(/Redis does not answer: .*ECONNREFUSED/),
    },
  );
});

test.skipIf(!hasRedis)('queues close also when Redis has gone away', async () => {
  const redisUrl = await way();
  const queues = await openQueues({ postgres, redisUrl: redisUrl.url, prefix }, { logger: keepingLogger() });
  const done = Promise.withResolvers<void>();
  await queues.work('plain', async () => done.resolve());
  await queues.queue('plain').add('one', {});
  await done.promise;
  redisUrl.cut();
  expect(await within(60_000, queues.close({ deadlineMs: 100 }))).toBe(true);
});
