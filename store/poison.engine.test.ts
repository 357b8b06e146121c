import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { keepingLogger, type TemporaryStores, temporaryStores } from '../test/temporary-stores.ts';
import type { FinanceEventStore } from './clickhouse/finance-events.ts';
import { createCounters } from './counters.ts';
import { forwardBatch } from './forward-batch.ts';
import { createForwarder, type Forwarder } from './forwarder.ts';
import { createLetterReplay } from './letter-replay.ts';
import { type Inbox, openInbox } from './postgres/inbox.ts';
import { findInInbox } from './postgres/inbox-queries.ts';
import { sendOn } from './postgres/inbox-replay.ts';
import { asExecutor } from './postgres/proposals.ts';
import { acceptedEvent as eventOf } from './postgres/testing/accepted-event.ts';

/** Events that ClickHouse refuses for what is in them: here because a constraint of its table says so. */
let stores: TemporaryStores;
let inbox: Inbox;
let forwarder: Forwarder | undefined;
const logger = keepingLogger();
const counters = createCounters();

beforeAll(async () => {
  stores = await temporaryStores();
  inbox = openInbox(stores.postgres);
});
afterAll(() => stores?.remove());
afterEach(async () => {
  await forwarder?.stop();
  await healed();
});

const poisoned = () =>
  stores.clickhouse.command(
    "ALTER TABLE finance_events ADD CONSTRAINT no_poison CHECK Subject NOT LIKE 'poison%'",
  );
const keysPoisoned = () =>
  stores.clickhouse.command(
    "ALTER TABLE event_keys ADD CONSTRAINT no_poison CHECK Subject NOT LIKE 'poison%'",
  );
async function healed(): Promise<void> {
  for (const table of ['finance_events', 'event_keys'])
    await stores.clickhouse.command(`ALTER TABLE ${table} DROP CONSTRAINT IF EXISTS no_poison`);
}
const poison = (id: string) => eventOf(id, { subject: `poison/${id}` });
const many = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => eventOf(`${name}-${i}`));
const start = (): Forwarder => {
  forwarder = createForwarder({ ...stores, inbox, logger, counters });
  return forwarder;
};
const stateOf = async (id: string) => (await findInInbox(stores.postgres, { source: '/shop', id }))?.state;
/** How often each of the events is in ClickHouse, and found by its key. */
async function stored(ids: readonly string[]): Promise<number[][]> {
  const rows: string[] = [];
  for await (const { id } of stores.events.inBatches(0n, 1n << 62n)) rows.push(id);
  const found = await stores.events.byJoinKeys(ids.map((id) => `extid:/shop:${id}`));
  return ids.map((id) => [
    rows.filter((row) => row === id).length,
    found.filter((event) => event.id === id).length,
  ]);
}
const openLetters = () =>
  stores.postgres.db
    .selectFrom('dead_letters')
    .selectAll()
    .where('state', '=', 'open')
    .orderBy('id')
    .execute();

test('it stands alone, is told of and holds nobody up; healed, it is taken through once', async () => {
  await poisoned();
  await inbox.accept([...many('beside', 20), poison('p-1'), ...many('besides', 20), poison('p-2')]);
  await inbox.accept(many('after', 3));
  await start().drain();
  expect(await inbox.storedUpTo()).toBe(await inbox.newestBatch());
  const ids = [...many('beside', 20), ...many('besides', 20), ...many('after', 3)].map(
    ({ event }) => event.id,
  );
  expect(await stored(ids)).toEqual(ids.map(() => [1, 1]));
  expect(await stored(['p-1', 'p-2'])).toEqual([
    [0, 0],
    [0, 0],
  ]);
  expect([await stateOf('p-1'), await stateOf('beside-0')]).toEqual(['dead', 'stored']);
  expect(counters.snapshot().find(({ name }) => name === 'closewatch_events_dead')?.value).toBe(2);
  expect(logger.lines.map(({ message }) => message)).toEqual([
    'accepted events were set aside: ClickHouse does not take them (closewatch inbox list)',
  ]);
  const [letter, second] = await openLetters();
  expect(letter).toMatchObject({
    source: '/shop',
    company: 'acme',
    event_id: 'p-1',
    event_type: 'order.paid',
    reason_code: 'poison',
    problems: [{ what: expect.stringMatching(/ClickHouse 469 VIOLATED_CONSTRAINT$/) }],
  });
  expect(JSON.parse(letter?.body ?? '')).toMatchObject({ id: 'p-1', subject: 'poison/p-1' });
  // Its payload is kept while somebody has to decide on it.
  const soon = new Date(Date.now() + 60_000);
  await inbox.purgePayloads(soon);
  expect(await findInInbox(stores.postgres, { source: '/shop', id: 'p-1' })).toMatchObject({
    hasPayload: true,
  });
  // Sent again by its sender it is known; it does not come back by itself.
  expect(await inbox.accept([poison('p-1')])).toEqual(['known']);

  const letters = createLetterReplay({
    ...stores,
    inbox,
    counters,
    judge: () => ({ refused: 'no', problems: [] }),
  });
  const ask = () => letters.replay([letter?.id ?? ''], { by: 'sam' });
  expect(await ask()).toMatchObject([{ outcome: 'sent-on' }]);
  await forwarder?.drain();
  expect(await stateOf('p-1')).toBe('dead');
  const [, again] = await openLetters();
  expect(again).toMatchObject({ event_id: 'p-1', reason_code: 'poison' });
  await healed();
  expect(await letters.replay([again?.id ?? '', second?.id ?? ''], { by: 'sam' })).toMatchObject([
    { outcome: 'sent-on' },
    { outcome: 'sent-on' },
  ]);
  await forwarder?.drain();
  expect(await stored(['p-1', 'p-2'])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(await stateOf('p-1')).toBe('replayed');
  expect(await openLetters()).toEqual([]);
});

test('broken off in the middle and healed meanwhile, each is stored once', async () => {
  await poisoned();
  await inbox.accept([...many('broken', 10), poison('q-1'), ...many('rest', 10)]);
  let inserts = 0;
  const breaking: FinanceEventStore = {
    ...stores.events,
    async insertEvents(events, token) {
      if (++inserts > 3) throw new Error('killed');
      await stores.events.insertEvents(events, token);
    },
  };
  const [pending] = await inbox.pendingBatches(1);
  if (!pending) throw new Error('nothing is pending');
  await expect(forwardBatch({ inbox, events: breaking }, pending)).rejects.toThrow('killed');
  expect((await inbox.pendingBatches(1))[0]).toEqual({ ...pending, apart: true });
  await healed();
  await start().drain();
  const ids = ['q-1', ...[...many('broken', 10), ...many('rest', 10)].map(({ event }) => event.id)];
  expect(await stored(ids)).toEqual(ids.map(() => [1, 1]));
  expect(await openLetters()).toEqual([]);
});

test('keys that are refused set their event aside too', async () => {
  await keysPoisoned();
  await inbox.accept([poison('k-1'), eventOf('k-2')]);
  await start().drain();
  expect([await stateOf('k-1'), await stateOf('k-2')]).toEqual(['dead', 'stored']);
  expect(await stored(['k-2'])).toEqual([[1, 1]]);
});

test('what is no fault of the events sets nobody aside', async () => {
  await stores.clickhouse.command('RENAME TABLE finance_events TO elsewhere');
  await inbox.accept([eventOf('waits')]);
  start();
  await expect
    .poll(() => logger.lines.some(({ message }) => message.startsWith('accepted events wait')), {
      timeout: 30_000,
    })
    .toBe(true);
  await stores.clickhouse.command('RENAME TABLE elsewhere TO finance_events');
  await forwarder?.drain();
  expect(await stateOf('waits')).toBe('stored');
});

test('accepted events are sent on again: what ClickHouse has lost comes back, the rest is not doubled', async () => {
  await inbox.accept([eventOf('lost'), eventOf('kept')]);
  await start().drain();
  await stores.clickhouse.command(
    "ALTER TABLE finance_events DELETE WHERE EventId = 'lost' SETTINGS mutations_sync = 2",
  );
  await inbox.accept([eventOf('gone')]);
  await forwarder?.drain();
  await stores.postgres.db.updateTable('inbox').set({ body: null }).where('id', '=', 'gone').execute();
  const refs = ['lost', 'kept', 'gone', 'never'].map((id) => ({ source: '/shop', id }));
  const wish = { by: 'sam', at: new Date() };
  const before = await inbox.newestBatch();
  expect(
    await sendOn(stores.postgres, refs, wish, (work) => asExecutor(stores.postgres, work)),
  ).toMatchObject({
    sent: [{ id: 'kept' }, { id: 'lost' }],
    pending: [],
    gone: [{ id: 'gone' }],
  });
  expect((await sendOn(stores.postgres, refs, wish)).pending.length).toBeLessThanOrEqual(2);
  await forwarder?.drain();
  expect(await stored(['lost', 'kept'])).toEqual([
    [1, 1],
    [1, 1],
  ]);
  expect(await stateOf('lost')).toBe('replayed');
  expect(await inbox.storedUpTo()).toBe(await inbox.newestBatch());
  expect(await inbox.newestBatch()).toBeGreaterThan(before);
  const changes = await stores.postgres.db
    .selectFrom('change_log')
    .selectAll()
    .where('entity', '=', 'inbox')
    .where('change', '=', 'sent-on')
    .execute();
  const of = { company: 'acme', actor: 'sam', data: { events: 2 } };
  expect(changes.filter(({ entity_id }) => BigInt(entity_id) > before)).toContainEqual(
    expect.objectContaining(of),
  );
});
