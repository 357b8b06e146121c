import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { keepingLogger, type TemporaryStores, temporaryStores } from '../test/temporary-stores.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { keepDeadLetters } from './postgres/dead-letters.ts';
import { takeImportBatch } from './postgres/imports.ts';
import { type Inbox, openInbox } from './postgres/inbox.ts';
import { findInInbox } from './postgres/inbox-queries.ts';
import { acceptedEvent as eventOf } from './postgres/testing/accepted-event.ts';

/** Generous, for a busy machine. */
const SOON = { timeout: 30_000 };
const DAY_MS = 86_400_000;

let stores: TemporaryStores;
let inbox: Inbox;
let forwarder: Forwarder | undefined;
let serial = 0;
beforeAll(async () => {
  stores = await temporaryStores();
});
afterAll(() => stores?.remove());
beforeEach(() => {
  inbox = openInbox(stores.postgres);
});
afterEach(() => forwarder?.stop());

const acceptOne = () => inbox.accept([eventOf(`event-${++serial}`)]);
const start = (
  more: { events?: FinanceEventStore; now?: () => Date; logger?: TemporaryStores['logger'] } = {},
) => {
  forwarder = createForwarder({ ...stores, inbox, ...more });
  return forwarder;
};
/** Old payloads, as so many events stored ten days ago. */
async function storedLongAgo(rows: number): Promise<void> {
  await sql`WITH old AS (INSERT INTO batches (kind, source, rows, state, accepted_at, stored_at)
      VALUES ('inbox', '/old', 1, 'stored', now() - interval '10 days', now() - interval '10 days') RETURNING batch)
    INSERT INTO inbox (source, id, body_hash, body, state, company, type, batch, received_at)
    SELECT '/old', 'old-' || n, 'hash', '{}', 'stored', 'acme', 'order.paid', batch, now() - interval '10 days'
    FROM old, generate_series(1, ${sql.lit(rows)}) AS n`.execute(stores.postgres.db);
}
const payloads = async (): Promise<number> => {
  const { rows } = await sql<{ n: string }>`SELECT count(*) AS n FROM inbox WHERE source = '/old'
    AND body IS NOT NULL`.execute(stores.postgres.db);
  return Number(rows[0]?.n);
};

test('while events keep coming it drains, closes what dead imports left, and drops old payloads', async () => {
  await storedLongAgo(10_001);
  const orphan = await takeImportBatch(stores.postgres, { source: '/log', rows: 1 });
  const loading = new AbortController();
  await acceptOne();
  const load = async (): Promise<void> => {
    while (!loading.signal.aborted) await acceptOne();
  };
  // A turn never finds nothing: whenever a batch is confirmed, another was accepted before.
  const busy: Inbox = {
    ...inbox,
    async confirm(batch, dead) {
      if (!loading.signal.aborted) await acceptOne();
      await inbox.confirm(batch, dead);
    },
  };
  forwarder = createForwarder({ ...stores, inbox: busy });
  const loads = load();
  try {
    await forwarder.drain();
    await expect.poll(payloads, SOON).toBe(0);
    await expect.poll(() => inbox.storedUpTo(), SOON).toBeGreaterThan(orphan);
  } finally {
    loading.abort();
    await loads;
  }
});

test('drain waits for what was accepted before it', async () => {
  start();
  for (let round = 0; round < 10; round++) {
    await acceptOne();
    const newest = await inbox.newestBatch();
    await forwarder?.drain();
    const first = await inbox.firstPending();
    expect(first === undefined || first > newest).toBe(true);
  }
  await forwarder?.stop();
  await forwarder?.drain();
});

test('a failure that lasts is told again, with its batch; the next one is told anew; new events wake it after', async () => {
  let away = true;
  let at = Date.now();
  const logger = keepingLogger();
  const told = () => logger.lines.filter(({ message }) => message.startsWith('accepted events wait')).length;
  let attempts = 0;
  const events: FinanceEventStore = {
    ...stores.events,
    async insert(rows, token) {
      attempts++;
      if (away) throw new Error('away');
      await stores.events.insert(rows, token);
    },
  };
  start({ events, logger, now: () => new Date(at) });
  await acceptOne();
  await expect.poll(() => attempts, SOON).toBeGreaterThan(2);
  expect(told()).toBe(1);
  at += 6 * 60_000;
  await expect.poll(told, SOON).toBe(2);
  away = false;
  await forwarder?.drain();
  away = true;
  await acceptOne();
  await expect.poll(told, SOON).toBe(3);
  away = false;
  await forwarder?.drain();
});

test('a failure of tidying is told as what it is and stops nothing', async () => {
  const logger = keepingLogger();
  const broken: Inbox = { ...inbox, purgePayloads: () => Promise.reject(new Error('no')) };
  forwarder = createForwarder({
    ...stores,
    inbox: broken,
    logger,
    now: () => new Date(Date.now() + 8 * DAY_MS),
  });
  await acceptOne();
  await forwarder.drain();
  await expect
    .poll(() => logger.lines.map(({ message }) => message), SOON)
    .toEqual(['blocks of dead imports and old payloads could not be tidied away']);
});

test('payloads and settled letters go when their time is over, by the given settings and clock', async () => {
  const { postgres } = stores;
  await acceptOne();
  await start().drain();
  await forwarder?.stop();
  const id = `event-${serial}`;
  const letter = { source: '/retention', reason: 'invalid', problems: [], body: '{}' };
  await keepDeadLetters(postgres, '/retention', [
    { ...letter, eventId: 'settled' },
    { ...letter, eventId: 'open' },
  ]);
  await postgres.db
    .updateTable('dead_letters')
    .set({ state: 'discarded', decided_at: new Date() })
    .where('event_id', '=', 'settled')
    .execute();
  const kept = async () => [
    (await findInInbox(postgres, { source: '/shop', id }))?.hasPayload,
    ...(
      await postgres.db
        .selectFrom('dead_letters')
        .select('event_id')
        .where('source', '=', '/retention')
        .orderBy('id')
        .execute()
    ).map((row) => row.event_id),
  ];
  /** A forwarder that has tidied as of so many days from now. */
  async function tidiedAfter(days: number): Promise<void> {
    const at = new Date(Date.now() + days * DAY_MS);
    const purges = Promise.withResolvers<void>();
    const watched: Inbox = {
      ...inbox,
      async purgePayloads(before, limit) {
        const purged = await inbox.purgePayloads(before, limit);
        purges.resolve();
        return purged;
      },
    };
    forwarder = createForwarder({
      ...stores,
      inbox: watched,
      retention: { payloadsMs: 2 * DAY_MS, settledLettersMs: 4 * DAY_MS },
      now: () => at,
    });
    await purges.promise;
    await forwarder.stop();
  }
  await tidiedAfter(1.9);
  expect(await kept()).toEqual([true, 'settled', 'open']);
  await tidiedAfter(2.1);
  expect(await kept()).toEqual([false, 'settled', 'open']);
  await tidiedAfter(4.1);
  expect(await kept()).toEqual([false, 'open']);
  expect(await inbox.accept([eventOf(id)])).toEqual(['known']);
});
