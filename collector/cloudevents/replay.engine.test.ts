import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCounters } from '../../store/counters.ts';
import { createForwarder } from '../../store/forwarder.ts';
import { createLetterReplay, type LetterReplay } from '../../store/letter-replay.ts';
import { keepDeadLetters } from '../../store/postgres/dead-letters.ts';
import { type Inbox, openInbox } from '../../store/postgres/inbox.ts';
import { findInInbox, inboxCursor, listInbox } from '../../store/postgres/inbox-queries.ts';
import { listSources } from '../../store/postgres/sources.ts';
import { createIngestAuth, createToken } from '../../store/postgres/tokens.ts';
import { type TemporaryStores, temporaryStores } from '../../test/temporary-stores.ts';
import { cloudEventsConfig } from './config.ts';
import { createCloudEventsHandler } from './handler.ts';
import { letterJudge } from './letter.ts';
import type { Version, Versions } from './versions.ts';

let stores: TemporaryStores;
let inbox: Inbox;
let server: Server;
let url: string;
let token: string;
let today: LetterReplay;
/** The replay of a later program, which knows a second version of bills. */
let later: LetterReplay;
const counters = createCounters();
const LATER: Versions = new Map([
  ['*', new Map<number, Version>([[1, {}]])],
  [
    'bill.posted',
    new Map<number, Version>([
      [1, {}],
      [2, { upgrade: (data) => ({ ...(data as { v1: object }).v1 }) }],
    ]),
  ],
]);

beforeAll(async () => {
  stores = await temporaryStores();
  const { postgres, logger } = stores;
  inbox = openInbox(postgres);
  ({ token } = await createToken(postgres, { name: 'erp', source: '/erp', createdBy: 'test' }));
  const { authenticate } = createIngestAuth(postgres);
  const config = cloudEventsConfig.parse({});
  const handle = createCloudEventsHandler(config, { postgres, inbox, authenticate, counters, logger });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`;
  today = createLetterReplay({ postgres, inbox, judge: letterJudge(), counters });
  later = createLetterReplay({ postgres, inbox, judge: letterJudge(LATER), counters });
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await stores?.remove();
});

const data = {
  object: { kind: 'bill' },
  org: { companyKey: 'acme' },
  keys: [{ type: 'docno', value: 'BILL/1' }],
};
const eventOf = (id: string, more: object = {}) => ({
  specversion: '1.0',
  id,
  source: '/erp/one',
  type: 'closewatch.bill.posted.v1',
  time: '2026-05-31T17:00:00Z',
  data,
  ...more,
});
const ofVersion2 = (id: string, more: object = {}) =>
  eventOf(id, { type: 'closewatch.bill.posted.v2', companyid: 'acme', data: { v1: data }, ...more });

async function post(body: string, headers: Record<string, unknown> = {}) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${token}`,
      'content-type': 'application/cloudevents+json',
      ...(headers as Record<string, string>),
    },
    body,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const send = (event: object) => post(JSON.stringify(event));
const letters = () => stores.postgres.db.selectFrom('dead_letters').selectAll().orderBy('id').execute();
const letterOf = async (id: string) => {
  const letter = (await letters()).find(({ event_id: event }) => event === id);
  if (!letter) throw new Error(`there is no letter of ${id}`);
  return letter;
};
const counted = (outcome: string): number =>
  counters
    .snapshot()
    .find(({ name, labels }) => name === 'closewatch_events_replayed' && labels.outcome === outcome)?.value ??
  0;
const history = async (letter: string) =>
  await stores.postgres.db
    .selectFrom('change_log')
    .select(['change', 'actor', 'company', 'state'])
    .where('entity', '=', 'dead-letter')
    .where('entity_id', '=', letter)
    .orderBy('seq')
    .execute();
const sam = { by: 'sam' };

test('an unknown version is put aside whole, and taken through when a later program knows it', async () => {
  // More than what is kept of others, and digits that no double has.
  const large = ofVersion2('early', {
    source: '/erp/early',
    data: { v1: { ...data, lines: [{ text: 'x'.repeat(200_000), qty: 1 }] } },
  });
  const body = JSON.stringify(large).replace('"qty":1', '"qty":9007199254740993');
  expect(await post(body)).toMatchObject({
    status: 422,
    body: { refused: [{ id: 'early', reason: 'unknown-version', problems: [{ where: 'type' }] }] },
  });
  const letter = await letterOf('early');
  expect(letter).toMatchObject({
    reason_code: 'unknown-version',
    event_type: 'bill.posted',
    company: 'acme',
    sender: '/erp',
    cut: false,
  });
  const refused = counters
    .snapshot()
    .find(({ labels }) => labels.source === '/erp' && labels.reason === 'unknown-version');
  expect(refused?.value).toBe(1);

  expect(await today.replay([letter.id], sam)).toMatchObject([
    { outcome: 'refused', reason: 'unknown-version', problems: [{ where: 'type' }] },
  ]);
  expect(await letterOf('early')).toMatchObject({ state: 'open', tried: 1 });
  expect(await later.replay([letter.id], { ...sam, dryRun: true })).toMatchObject([{ outcome: 'accepted' }]);
  expect(await letterOf('early')).toMatchObject({ state: 'open', tried: 1 });
  expect(await later.replay([letter.id], sam)).toMatchObject([{ id: letter.id, outcome: 'accepted' }]);
  expect(await letterOf('early')).toMatchObject({ state: 'replayed', decided_by: 'sam', tried: 2 });
  expect(await history(letter.id)).toMatchObject([
    { change: 'failed-again', actor: 'sam', company: 'acme', state: 'open' },
    { change: 'replayed', actor: 'sam', state: 'replayed' },
  ]);
  const event = await findInInbox(stores.postgres, { source: '/erp/early', id: 'early' });
  expect(event).toMatchObject({ state: 'pending', payload: { version: 2, ingestPath: 'push' } });
  expect(event?.payload?.data).toContain('9007199254740993');
  // It arrived when it was refused, not when somebody took it through.
  const source = (await listSources(stores.postgres)).find((one) => one.source === '/erp/early');
  expect(source?.lastArrivalAt).toBe(BigInt(letter.received_at.getTime()) * 1_000_000n);
  expect([counted('refused'), counted('accepted')]).toEqual([1, 1]);
  expect(await later.replay([letter.id], sam)).toMatchObject([{ outcome: 'settled' }]);
  await expect(later.replay(['999999'], sam)).rejects.toMatchObject({ code: 'not-found' });
});

test('what was accepted already is recognised and never doubled; what is another event stays', async () => {
  for (const event of [ofVersion2('twice'), ofVersion2('twice'), ofVersion2('other')]) await send(event);
  const [first, second, other] = (await letters()).slice(-3).map(({ id }) => id) as [string, string, string];
  await send(eventOf('other'));
  // The acceptance settled the letter of the same id: it is opened again, as one that came after it.
  await stores.postgres.db
    .updateTable('dead_letters')
    .set({ state: 'open' })
    .where('id', '=', other)
    .execute();
  const before = counted('known');
  const both = await Promise.all([later.replay([first, second], sam), later.replay([first, other], sam)]);
  expect(
    both
      .flat()
      .map(({ outcome }) => outcome)
      .sort(),
  ).toEqual(['accepted', 'conflict', 'known', 'settled']);
  expect(counted('known')).toBe(before + 1);
  const rows = await stores.postgres.db.selectFrom('inbox').select('id').where('id', '=', 'twice').execute();
  expect(rows).toHaveLength(1);
  const left = (await letters()).slice(-3).map(({ state, reason_code }) => `${state} ${reason_code}`);
  expect(left).toEqual(['replayed unknown-version', 'replayed unknown-version', 'open conflict']);
  // The sender's own replay of what is known counts as one.
  await send(eventOf('other', { ingestpath: 'replay' }));
  expect(counted('known')).toBe(before + 2);
});

test('the event and its settled letter are one commit: when the one fails, so does the other', async () => {
  await send(ofVersion2('atomic'));
  const letter = await letterOf('atomic');
  const run = (text: string) => stores.postgres.pool.query(text);
  await run(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'broken'; END $$`);
  await run('CREATE TRIGGER refuse BEFORE UPDATE ON dead_letters FOR EACH ROW EXECUTE FUNCTION refuse()');
  await expect(later.replay([letter.id], sam)).rejects.toMatchObject({ code: 'store.unavailable' });
  const event = () => findInInbox(stores.postgres, { source: '/erp/one', id: 'atomic' });
  expect(await event()).toBeUndefined();
  await run('DROP TRIGGER refuse ON dead_letters');
  expect(await letterOf('atomic')).toMatchObject({ state: 'open', tried: 0 });
  expect(await later.replay([letter.id], sam)).toMatchObject([{ outcome: 'accepted' }]);
  expect(await event()).toMatchObject({ type: 'bill.posted' });
});

test('what was not kept whole, was no event or was not signed stays where it is', async () => {
  const { postgres } = stores;
  const big = JSON.stringify(ofVersion2('cut', { data: { v1: data, more: 'x'.repeat(100_000) } }));
  const letter = { source: '/erp', problems: [], contentType: 'application/cloudevents+json' };
  await keepDeadLetters(
    postgres,
    '/small',
    [{ ...letter, reason: 'unknown-version', eventId: 'cut', body: big }],
    {
      bytes: 1_000,
    },
  );
  await keepDeadLetters(postgres, '/erp', [
    { ...letter, reason: 'unsigned', eventId: 'unsigned', body: JSON.stringify(eventOf('unsigned')) },
    { ...letter, reason: 'malformed', eventId: 'whole', body: `[${JSON.stringify(eventOf('whole'))}]` },
    { ...letter, reason: 'malformed', eventId: 'broken', body: '{"specversion":' },
    {
      ...letter,
      reason: 'source-denied',
      eventId: 'denied',
      body: JSON.stringify(eventOf('x', { source: '/bank' })),
    },
  ]);
  const [cut, unsigned, whole, broken, denied] = (await letters()).slice(-5);
  expect(cut).toMatchObject({ cut: true });
  expect(Buffer.byteLength(cut?.body ?? '')).toBe(64 * 1024);
  const ids = [cut, unsigned, whole, broken, denied].map((one) => one?.id ?? '');
  const outcomes = await later.replay(ids, sam);
  expect(outcomes.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
    'refused unknown-version',
    'refused unsigned',
    'refused malformed',
    'refused malformed',
    'refused source-denied',
  ]);
  expect((await letters()).slice(-5).map(({ state }) => state)).toEqual(Array(5).fill('open'));
});

test('an event is linked to its trace in all three modes', async () => {
  const traceparent = (n: number) => `00-${`${n}`.repeat(32)}-00f067aa0ba902b7-01`;
  const one = (n: number) => eventOf(`trace-${n}`, { traceparent: traceparent(n) });
  expect((await send(one(1))).status).toBe(202);
  const binary = HTTP.binary(new CloudEvent(one(2)));
  expect((await post(binary.body as string, binary.headers)).status).toBe(202);
  const batch = JSON.stringify([one(3), eventOf('trace-4', { traceparent: 'nonsense' })]);
  const type = { 'content-type': 'application/cloudevents-batch+json' };
  expect((await post(batch, type)).body).toMatchObject({ accepted: 2 });
  const without = counters.snapshot().find(({ name }) => name === 'closewatch_events_without_trace');
  expect(without).toMatchObject({ labels: { source: '/erp' }, value: 1 });
  const forwarder = createForwarder({ ...stores, inbox });
  await forwarder.drain();
  await forwarder.stop();
  const found = await stores.events.byIds(['trace-1', 'trace-2', 'trace-3', 'trace-4']);
  expect(found.map(({ id, traceId }) => [id, traceId ?? '']).sort()).toEqual([
    ['trace-1', '1'.repeat(32)],
    ['trace-2', '2'.repeat(32)],
    ['trace-3', '3'.repeat(32)],
    ['trace-4', ''],
  ]);
});

test('accepted events are listed by state, source, type, company and time, page by page', async () => {
  const { postgres } = stores;
  const list = (more: object, page = { limit: 100 }) =>
    listInbox(postgres, { companies: '*', ...more }, page);
  const all = await list({});
  expect(all.length).toBeGreaterThan(5);
  expect((await list({ states: ['stored'] })).length).toBe(all.length);
  expect(await list({ states: ['pending', 'dead', 'replayed'] })).toEqual([]);
  expect((await list({ source: '/erp/early' })).map(({ id }) => id)).toEqual(['early']);
  expect((await list({ source: '/erp' })).length).toBe(all.length);
  expect(await list({ source: '/er' })).toEqual([]);
  expect(await list({ type: 'bill.paid' })).toEqual([]);
  expect(await list({ company: 'beta' })).toEqual([]);
  expect(await listInbox(postgres, { companies: ['beta'] }, { limit: 9 })).toEqual([]);
  expect(await list({ since: new Date(Date.now() + 60_000) })).toEqual([]);
  const paged: string[] = [];
  let after: string | undefined;
  for (;;) {
    const rows = await listInbox(postgres, { companies: '*' }, { limit: 2, after });
    if (rows.length === 0) break;
    paged.push(...rows.map(({ id }) => id));
    after = inboxCursor(rows.at(-1) as (typeof rows)[number]);
  }
  expect(paged).toEqual(all.map(({ id }) => id));
});
