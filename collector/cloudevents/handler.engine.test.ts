import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { CloudEvent, HTTP } from 'cloudevents';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCounters } from '../../store/counters.ts';
import { createForwarder } from '../../store/forwarder.ts';
import { openPostgres } from '../../store/postgres/database.ts';
import { type Inbox, openInbox } from '../../store/postgres/inbox.ts';
import { listSources } from '../../store/postgres/sources.ts';
import { createIngestAuth, createToken, revokeToken } from '../../store/postgres/tokens.ts';
import { temporaryFolder } from '../../test/harness.ts';
import { type TemporaryStores, temporaryStores } from '../../test/temporary-stores.ts';
import { cloudEventsConfig } from './config.ts';
import { createCloudEventsHandler } from './handler.ts';

let stores: TemporaryStores;
let inbox: Inbox;
let server: Server;
let url: string;
let token: string;
let clock = 0;
const counters = createCounters();

beforeAll(async () => {
  stores = await temporaryStores();
  const { postgres, logger } = stores;
  inbox = openInbox(postgres);
  ({ token } = await createToken(postgres, { name: 'test', source: '/shop', createdBy: 'test' }));
  const { authenticate } = createIngestAuth(postgres, { now: () => Date.now() + clock });
  const config = cloudEventsConfig.parse({});
  const handle = createCloudEventsHandler(config, { postgres, inbox, authenticate, counters, logger });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await stores?.remove();
});

const eventOf = (id: string, more: object = {}) => ({
  specversion: '1.0',
  id,
  source: '/shop/eu',
  type: 'closewatch.order.paid.v1',
  time: '2026-05-31T17:00:00Z',
  subject: `order/${id}`,
  data: {
    object: { kind: 'order' },
    org: { companyKey: 'acme' },
    money: { amount: '10.10', currency: 'EUR' },
    keys: [{ type: 'extid', value: id }],
  },
  ...more,
});

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/cloudevents+json', ...headers },
    body,
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as never };
}
const postOne = (event: object) => post(JSON.stringify(event));
const postBatch = (events: readonly object[]) =>
  post(JSON.stringify(events), { 'content-type': 'application/cloudevents-batch+json' });
const letters = () => stores.postgres.db.selectFrom('dead_letters').selectAll().orderBy('id').execute();

describe('what is sent', () => {
  test('structured, batch and binary, as the SDK sends them: the same event is known in every mode', async () => {
    const event = new CloudEvent(eventOf('modes'));
    const structured = HTTP.structured(event);
    expect(await post(structured.body as string, structured.headers as never)).toMatchObject({
      status: 202,
      body: { accepted: 1, known: 0, refused: [] },
    });
    const binary = HTTP.binary(event);
    expect(await post(binary.body as string, binary.headers as never)).toMatchObject({
      status: 202,
      body: { accepted: 0, known: 1 },
    });
    expect(await postBatch([event, eventOf('modes-2'), eventOf('modes-2')])).toMatchObject({
      status: 202,
      body: { accepted: 1, known: 2 },
    });
    const zipped = await post(new Uint8Array(gzipSync(JSON.stringify(eventOf('modes-3')))), {
      'content-encoding': 'gzip',
    });
    expect(zipped).toMatchObject({ status: 202, body: { accepted: 1 } });
  });

  test('the same id with another body is a conflict and a dead letter', async () => {
    await postOne(eventOf('twice'));
    const other = eventOf('twice', { subject: 'order/other' });
    expect(await postOne(other)).toMatchObject({
      status: 409,
      body: { refused: [{ id: 'twice', reason: 'conflict' }] },
    });
    expect((await letters()).at(-1)).toMatchObject({
      source: '/shop/eu',
      company: 'acme',
      reason_code: 'conflict',
      event_id: 'twice',
    });
  });

  test('of a batch the valid ones are accepted, the others told and kept', async () => {
    const bad = eventOf('bad', { time: 'soon' });
    const answer = await postBatch([eventOf('good-1'), bad, eventOf('good-2')]);
    expect(answer).toMatchObject({
      status: 202,
      body: { accepted: 2, known: 0, refused: [{ index: 1, id: 'bad', problems: [{ where: 'time' }] }] },
    });
    const last = (await letters()).at(-1);
    expect(last).toMatchObject({ reason_code: 'invalid', event_id: 'bad', state: 'open' });
    expect(JSON.parse(last?.body ?? '')).toEqual(bad);
    expect(JSON.stringify(last)).not.toContain(token);
  });

  test.each([
    ['no event is valid', () => postBatch([eventOf('x', { time: 'soon' })]), 422],
    ['the source is another', () => postOne(eventOf('x', { source: '/bank' })), 403],
    ['the body is no JSON', () => post('{"specversion":'), 400],
    [
      'the batch is no array',
      () => post('{}', { 'content-type': 'application/cloudevents-batch+json' }),
      400,
    ],
    ['the media type is another', () => post('{}', { 'content-type': 'text/plain' }), 415],
    ['the encoding is another', () => post('{}', { 'content-encoding': 'br' }), 415],
    ['the gzip is broken', () => post('no gzip', { 'content-encoding': 'gzip' }), 400],
    ['the token is wrong', () => post('{}', { authorization: 'Bearer cw_no' }), 401],
    ['there is no token', () => post('{}', { authorization: '' }), 401],
    [
      'an event is too large',
      () => post(JSON.stringify(eventOf('x', { subject: 'x'.repeat(1 << 20) }))),
      413,
    ],
    [
      'it inflates beyond the limit',
      () => post(new Uint8Array(gzipSync(Buffer.alloc(2 << 20))), { 'content-encoding': 'gzip' }),
      413,
    ],
    ['a batch has too many', () => postBatch(Array.from({ length: 1001 }, (_, i) => eventOf(`m${i}`))), 413],
  ])('refused: %s', async (_, send, status) => {
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).not.toContain(token);
  });

  test('what is refused as a whole is a dead letter too', async () => {
    const batch = { 'content-type': 'application/cloudevents-batch+json' };
    const odd: [string, number, string, string | Uint8Array<ArrayBuffer>, Record<string, string>][] = [
      ['too-large', 413, '[1,1,', `[${'1,'.repeat(1000)}1]`, batch],
      ['too-large', 413, '', gzipSync(Buffer.alloc(2 << 20, ' ')), { 'content-encoding': 'gzip' }],
      ['media-type', 415, '', '{}', { 'content-type': 'text/plain' }],
      ['media-type', 415, '', '{}', { 'content-encoding': 'br' }],
      ['malformed', 400, '', 'no gzip', { 'content-encoding': 'gzip' }],
      ['malformed', 400, '{nope', '{nope', {}],
      ['malformed', 400, 'not j', 'not json: NL91ABNA0417164300', {}],
    ];
    for (const [reason, status, start, body, headers] of odd) {
      const before = (await letters()).length;
      const answer = await post(body, headers);
      expect([reason, answer.status]).toEqual([reason, status]);
      const after = await letters();
      expect(after.length).toBe(before + 1);
      expect(after.at(-1)).toMatchObject({ source: '/shop', company: null, reason_code: reason });
      expect(after.at(-1)?.body?.slice(0, 5)).toBe(start);
      expect(JSON.stringify(after.at(-1)?.problems)).toContain((answer.body.error as Error).message);
      // Who may see the problem may not always read the body.
      expect(JSON.stringify(after.at(-1)?.problems)).not.toMatch(/nope|NL91/);
    }
  });

  test('poison is refused as invalid and kept, once and for all, and takes nobody with it', async () => {
    const hidden = (id: string) =>
      eventOf(id, {
        data: undefined,
        data_base64: Buffer.from(JSON.stringify({ ...eventOf(id).data, attributes: { a: 'x\0' } })).toString(
          'base64',
        ),
      });
    const deep = JSON.stringify(eventOf('deep')).replace(
      '"keys"',
      `"lines":[{"a":${'['.repeat(3_500)}${']'.repeat(3_500)}}],"keys"`,
    );
    const [first, second, third, fourth, fifth] = await Promise.all([
      postOne(eventOf('near-1')),
      postOne(hidden('hidden')),
      post(
        JSON.stringify(eventOf('huge', { orderno: 0 })).replace(
          '"orderno":0',
          '"orderno":12345678901234567890',
        ),
      ),
      post(deep),
      postBatch([eventOf('near-2'), hidden('hidden-2'), eventOf('odd\ud800'), eventOf('near-3')]),
    ]);
    expect([first?.status, second?.status, third?.status, fourth?.status]).toEqual([202, 422, 422, 422]);
    expect(fifth).toMatchObject({
      status: 202,
      body: { accepted: 2, refused: [{ index: 1 }, { index: 2 }] },
    });
    const kept = (await letters()).slice(-5);
    expect(kept.map((row) => row.reason_code)).toEqual(Array(5).fill('invalid'));
    expect(kept.map((row) => row.event_id).sort()).toEqual([
      'deep',
      'hidden',
      'hidden-2',
      'huge',
      'odd\ufffd',
    ]);
  });

  test('an extension that is an object is refused, not taken for another', async () => {
    await postOne(eventOf('extended', { foo: 'a' }));
    expect(await postOne(eventOf('extended', { foo: { a: 2 } }))).toMatchObject({ status: 422 });
    expect(await postOne(eventOf('extended', { foo: 'b' }))).toMatchObject({ status: 409 });
  });

  test('refused events count under the source and company that they name; a mended one settles its letter', async () => {
    const errors = async () =>
      await stores.postgres.db
        .selectFrom('sources')
        .select(['company', 'errors'])
        .where('source', '=', '/shop/count')
        .where('stream', '=', '')
        .orderBy('company')
        .execute();
    const ofBeta = { ...eventOf('beta').data, org: { companyKey: 'beta' } };
    await postBatch([
      eventOf('acme', { source: '/shop/count' }),
      eventOf('beta', { source: '/shop/count', data: ofBeta }),
    ]);
    await postOne(eventOf('mended', { source: '/shop/count', data: ofBeta, time: 'soon' }));
    expect(await errors()).toEqual([
      { company: 'acme', errors: '0' },
      { company: 'beta', errors: '1' },
    ]);
    expect((await letters()).at(-1)).toMatchObject({ source: '/shop/count', company: 'beta', state: 'open' });
    await postOne(eventOf('mended', { source: '/shop/count', data: ofBeta }));
    expect((await letters()).at(-1)).toMatchObject({ event_id: 'mended', state: 'replayed' });
  });

  test('only POST', async () => {
    const response = await fetch(url);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  });

  test('a revoked token is refused within five seconds', async () => {
    const made = await createToken(stores.postgres, { name: 'gone', source: '/shop', createdBy: 'test' });
    const send = () => post(JSON.stringify(eventOf(randomUUID())), { authorization: `Bearer ${made.token}` });
    expect((await send()).status).toBe(202);
    await revokeToken(stores.postgres, made.id, 'test', new Date());
    clock += 5_001;
    expect((await send()).status).toBe(401);
  });

  test('sources: arrivals are summed, heartbeats declare', async () => {
    await postOne(
      eventOf('beat', {
        type: 'closewatch.flow.heartbeat.v1',
        source: '/shop/us',
        companyid: 'acme',
        data: { completeUpTo: '2026-05-31T16:00:00Z' },
      }),
    );
    const sources = await listSources(stores.postgres);
    expect(sources.find(({ source }) => source === '/shop/eu')).toMatchObject({
      kind: 'assumed',
      company: 'acme',
      types: ['order.paid'],
    });
    expect(sources.find(({ source }) => source === '/shop/us')).toMatchObject({
      kind: 'declared',
      completeUpTo: BigInt(Date.parse('2026-05-31T16:00:00Z')) * 1_000_000n,
    });
    const counted = counters.snapshot().find(({ name }) => name === 'closewatch_events_accepted');
    expect(counted?.value).toBeGreaterThan(5);
  });
});

test('50 posts at once: each accepted once, batches numbered without a gap and few', async () => {
  const pending = async () => (await inbox.pendingBatches(1000)).map(({ batch }) => batch);
  await Promise.all((await pending()).map((batch) => inbox.eventsOf(batch)));
  const before = await pending();
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => postOne(eventOf(`many-${i}`))));
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(202));
  const batches = (await pending()).filter((batch) => !before.includes(batch));
  const first = batches[0] ?? 0n;
  expect(batches).toEqual(batches.map((_, i) => first + BigInt(i)));
  expect(batches.length).toBeLessThan(50);
  const rows = await Promise.all(batches.map((batch) => inbox.eventsOf(batch)));
  expect(new Set(rows.flat().map((event) => event.id)).size).toBe(50);
});

test('what was accepted comes to ClickHouse once, also when the confirmation was lost', async () => {
  const { postgres, events, logger } = stores;
  const batch = await inbox.firstPending();
  if (batch === undefined) throw new Error('nothing is pending');
  await events.insert(await inbox.eventsOf(batch), `inbox:${batch}`);
  expect(await inbox.storedUpTo()).toBe(batch - 1n);
  const forwarder = createForwarder({ postgres, inbox, events, logger });
  await forwarder.drain();
  await forwarder.stop();
  expect(await inbox.pendingBatches(1)).toEqual([]);
  const accepted = await postgres.db.selectFrom('inbox').select(['source', 'id']).execute();
  const copied: string[] = [];
  for await (const event of events.inBatches(0n, await inbox.storedUpTo()))
    copied.push(`${event.source} ${event.id}`);
  expect(copied.sort()).toEqual(accepted.map(({ source, id }) => `${source} ${id}`).sort());
  expect(await events.byJoinKeys(['extid:/shop/eu:many-7', 'subject:/shop/eu:order/many-7'])).toHaveLength(1);
  expect(await inbox.purgePayloads(new Date(Date.now() + 1000))).toBe(accepted.length);
});

test('with too much waiting: 429 and when to come back', async () => {
  const { postgres, logger } = stores;
  const handle = createCloudEventsHandler(cloudEventsConfig.parse({}), {
    postgres,
    inbox: openInbox(postgres, { maxWaiting: { events: 1, characters: 1 } }),
    authenticate: async () => ({ tokenId: 't', source: '*' }),
    counters: createCounters(),
    logger,
  });
  const small = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => small.listen(0, '127.0.0.1', resolve));
  const { port } = small.address() as AddressInfo;
  const send = (id: string) =>
    fetch(`http://127.0.0.1:${port}/`, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify(eventOf(id)),
    });
  const answers: Response[] = [];
  for (let round = 0; answers.every(({ status }) => status !== 429); round++) {
    if (round === 100) throw new Error('nothing was refused');
    answers.push(...(await Promise.all(Array.from({ length: 20 }, (_, i) => send(`wait-${round}-${i}`)))));
  }
  small.close();
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202, 429]));
  expect(answers.find(({ status }) => status === 429)?.headers.get('retry-after')).toBe('5');
});

test('without the database: 503 and when to come back', async () => {
  const folder = temporaryFolder();
  const { logger } = stores;
  const postgres = await openPostgres({ dataDir: folder.path }, { logger });
  const handle = createCloudEventsHandler(cloudEventsConfig.parse({}), {
    postgres,
    inbox: openInbox(postgres),
    authenticate: async () => ({ tokenId: 't', source: '*' }),
    counters: createCounters(),
    logger,
  });
  await postgres.close();
  folder.remove();
  const alone = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => alone.listen(0, '127.0.0.1', resolve));
  const response = await fetch(`http://127.0.0.1:${(alone.address() as AddressInfo).port}/`, {
    method: 'POST',
    headers: { 'content-type': 'application/cloudevents+json' },
    body: JSON.stringify(eventOf('lost')),
  });
  alone.close();
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
});
