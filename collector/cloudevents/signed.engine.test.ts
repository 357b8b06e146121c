import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCounters } from '../../store/counters.ts';
import { openPostgres, type Postgres } from '../../store/postgres/database.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import {
  createSigningSecret,
  listSigningSecrets,
  type NewSecret,
  openSigningSecrets,
  revokeSigningSecret,
  rotateSigningSecret,
} from '../../store/postgres/signing-secrets.ts';
import {
  keepingLogger,
  type TemporaryPlace,
  temporaryFolder,
} from '../../store/postgres/testing/back-ends.ts';
import { createIngestAuth, createToken } from '../../store/postgres/tokens.ts';
import { createSealer } from '../../store/sealed.ts';
import { cloudEventsConfig } from './config.ts';
import { createCloudEventsHandler } from './handler.ts';

let temporary: TemporaryPlace;
let postgres: Postgres;
let server: Server;
let url: string;
const tokens: Record<string, string> = {};
const counters = createCounters();
const sealer = createSealer(() => 'the key of a test');
/** How far the clock of the intake is ahead: what it has read it believes for five seconds. */
let ahead = 0;
const later = (): void => {
  ahead += 5_001;
};

beforeAll(async () => {
  temporary = temporaryFolder();
  const logger = keepingLogger();
  postgres = await openPostgres(temporary.place, { logger });
  for (const source of ['*', '/psp', '/shop'])
    tokens[source] = (await createToken(postgres, { name: source, source, createdBy: 'test' })).token;
  const handle = createCloudEventsHandler(cloudEventsConfig.parse({}), {
    postgres,
    inbox: openInbox(postgres),
    authenticate: createIngestAuth(postgres).authenticate,
    secrets: openSigningSecrets(postgres, sealer, { now: () => Date.now() + ahead }),
    counters,
    logger,
  });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await postgres?.close();
  await temporary?.remove();
});

let made = 0;
const eventOf = (source: string, more: object = {}) => ({
  specversion: '1.0',
  id: `e-${++made}`,
  source,
  type: 'closewatch.payment.settled.v1',
  time: '2026-05-31T17:00:00Z',
  data: { object: { kind: 'payment' }, org: { companyKey: 'acme' }, keys: [{ type: 'psp', value: 'x' }] },
  ...more,
});

/** The headers of a sender that follows the specification by its own library. */
function signature(body: string, secrets: readonly string[], at = new Date(), id = `msg_${made}`) {
  return {
    'webhook-id': id,
    'webhook-timestamp': `${Math.floor(at.getTime() / 1000)}`,
    'webhook-signature': secrets.map((secret) => new Webhook(secret).sign(id, at, body)).join(' '),
  };
}

async function post(body: string, headers: Record<string, string | undefined> = {}, query = '') {
  const given = Object.entries({ 'content-type': 'application/cloudevents+json', ...headers });
  const present = given.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const response = await fetch(`${url}${query}`, {
    method: 'POST',
    headers: Object.fromEntries(present),
    body,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}
const bearer = (source: string) => ({ authorization: `Bearer ${tokens[source]}` });
const secretFor = async (source: string, alone = false): Promise<NewSecret> => {
  const secret = await createSigningSecret(postgres, sealer, {
    source,
    alone,
    createdBy: 'test',
    at: new Date(),
  });
  later();
  return secret;
};
const refused = (source: string, reason: string): number =>
  counters
    .snapshot()
    .find(
      ({ name, labels }) =>
        name === 'closewatch_events_refused' && labels.source === source && labels.reason === reason,
    )?.value ?? 0;
const letters = () => postgres.db.selectFrom('dead_letters').selectAll().orderBy('id').execute();

test('a source with a secret takes what is signed with it, with its token, and nothing else', async () => {
  const body = JSON.stringify(eventOf('/psp/one'));
  expect((await post(body, bearer('/psp'))).status).toBe(202);
  const { secret } = await secretFor('/psp');
  const good = signature(body, [secret]);
  const old = new Date(Date.now() - 301_000);
  const soon = new Date(Date.now() + 330_000);
  const cases: [string, Record<string, string | undefined>, string][] = [
    ['unsigned', {}, body],
    ['unsigned', { ...good, 'webhook-id': undefined }, body],
    ['stale-signature', signature(body, [secret], old), body],
    ['stale-signature', signature(body, [secret], soon), body],
    ['stale-signature', { ...good, 'webhook-timestamp': 'now' }, body],
    ['wrong-signature', good, body.replace('acme', 'beta')],
    ['wrong-signature', { ...good, 'webhook-id': 'msg_other' }, body],
    ['wrong-signature', { ...good, 'webhook-signature': 'v1,bm8=' }, body],
    ['wrong-signature', { ...good, 'webhook-signature': 'v1' }, body],
    [
      'wrong-signature',
      { ...good, 'webhook-signature': good['webhook-signature'].replace('v1,', 'v1a,') },
      body,
    ],
    ['wrong-signature', signature(body, ['whsec_bm90IHRoZSBzZWNyZXQgb2YgdGhpcyBzb3VyY2U=']), body],
  ];
  const before = (await letters()).length;
  for (const [reason, headers, sent] of cases) {
    const counted = refused('/psp', reason);
    expect([reason, (await post(sent, { ...bearer('/psp'), ...headers })).status]).toEqual([reason, 401]);
    expect(refused('/psp', reason)).toBe(counted + 1);
  }
  // Whoever cannot sign fills no disk here.
  expect(await letters()).toHaveLength(before);
  const signed = { ...bearer('/psp'), ...good };
  expect(await post(body, signed)).toMatchObject({ status: 202, body: { known: 1 } });
  expect((await post(body, good)).status).toBe(401);
  // The same request once more is the same event once more.
  const fresh = JSON.stringify(eventOf('/psp/one'));
  const again = { ...bearer('/psp'), ...signature(fresh, ['whsec_bm8=', secret]) };
  expect((await post(fresh, again)).body).toMatchObject({ accepted: 1, known: 0 });
  expect((await post(fresh, again)).body).toMatchObject({ accepted: 0, known: 1 });
});

test('a token of everything does not speak for a source that signs: its events are refused, and stay so', async () => {
  const { secret } = await secretFor('/signs');
  const [mine, other] = [eventOf('/signs/a', { type: 'closewatch.payment.settled.v9' }), eventOf('/else')];
  const body = JSON.stringify([mine, other]);
  const batch = { ...bearer('*'), 'content-type': 'application/cloudevents-batch+json' };
  expect(await post(body, batch)).toMatchObject({
    status: 202,
    body: { accepted: 1, refused: [{ index: 0, reason: 'unsigned' }] },
  });
  expect((await letters()).at(-1)).toMatchObject({ reason_code: 'unsigned', event_id: mine.id });
  const one = JSON.stringify(eventOf('/signs'));
  expect(await post(one, bearer('*'))).toMatchObject({ status: 401 });
  expect(await post(one, { ...bearer('*'), ...signature(one, [secret]) })).toMatchObject({ status: 202 });
});

test('in binary mode the attributes are not signed, and so it is no way in', async () => {
  const { secret } = await secretFor('/binary', true);
  const { data, ...attributes } = eventOf('/binary');
  const ce = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]));
  const body = JSON.stringify(data);
  const headers = { 'content-type': 'application/json', ...ce, ...signature(body, [secret]) };
  expect(await post(body, headers, '?source=/binary')).toMatchObject({ status: 415 });
  expect(await post(body, { ...headers, ...bearer('*') })).toMatchObject({ status: 401 });
  expect(await post(body, { ...headers, ...bearer('*'), 'ce-source': '/free' })).toMatchObject({
    status: 202,
  });
});

test('a secret that stands alone needs no token, for the source that it names only', async () => {
  const { secret } = await secretFor('/hooks/acme', true);
  const beside = await secretFor('/hooks');
  const body = JSON.stringify(eventOf('/hooks/acme/eu'));
  const headers = signature(body, [secret]);
  for (const query of ['', '?source=/hooks', '?source=/hooks/acme/eu', '?source=/hooks/other'])
    expect([query, (await post(body, headers, query)).status]).toEqual([query, 401]);
  const byTheOther = signature(body, [beside.secret]);
  expect((await post(body, byTheOther, '?source=/hooks/acme')).status).toBe(401);
  expect(await post(body, headers, '?source=/hooks/acme')).toMatchObject({
    status: 202,
    body: { accepted: 1 },
  });
  const elsewhere = JSON.stringify(eventOf('/hooks/other'));
  expect(await post(elsewhere, signature(elsewhere, [secret]), '?source=/hooks/acme')).toMatchObject({
    status: 401,
    body: { refused: [{ reason: 'unsigned' }] },
  });
  // A stranger's body is read up to the size of one event.
  const huge = `[${' '.repeat(1 << 20)}]`;
  const large = { ...signature(huge, [secret]), 'content-type': 'application/cloudevents-batch+json' };
  expect((await post(huge, large, '?source=/hooks/acme')).status).toBe(413);
});

test('rotated, both hold until the overlap is over; revoked, it ends at once', async () => {
  const first = await secretFor('/turns', true);
  const until = new Date(Date.now() + ahead + 3_600_000);
  const second = await rotateSigningSecret(postgres, sealer, {
    id: first.id,
    until,
    by: 'test',
    at: new Date(),
  });
  later();
  const send = async ({ secret }: { secret: string }): Promise<number> => {
    const body = JSON.stringify(eventOf('/turns'));
    return (await post(body, signature(body, [secret]), '?source=/turns')).status;
  };
  expect([await send(first), await send(second)]).toEqual([202, 202]);
  ahead += 3_600_000;
  expect([await send(first), await send(second)]).toEqual([401, 202]);
  await expect(
    rotateSigningSecret(postgres, sealer, {
      id: first.id,
      until,
      by: 'test',
      at: new Date(Date.now() + ahead),
    }),
  ).rejects.toMatchObject({ code: 'state.conflict' });
  const at = new Date(Date.now() + ahead);
  expect(await revokeSigningSecret(postgres, second.id, 'test', at)).toEqual({ source: '/turns', left: 0 });
  later();
  expect(await send(second)).toBe(401);
  expect(await revokeSigningSecret(postgres, 'none', 'test', at)).toBeUndefined();
  const listed = await listSigningSecrets(postgres);
  expect(listed.find(({ id }) => id === second.id)).toMatchObject({
    source: '/turns',
    alone: true,
    revokedAt: at,
  });
  expect(JSON.stringify(listed)).not.toContain('whsec_');
  const stored = await postgres.db.selectFrom('signing_secrets').selectAll().execute();
  expect(JSON.stringify(stored)).not.toContain(second.secret.slice('whsec_'.length));
});

test('a secret that cannot be opened lets nobody in, and says so to its sender as something that passes', async () => {
  const logger = keepingLogger();
  const handle = createCloudEventsHandler(cloudEventsConfig.parse({}), {
    postgres,
    inbox: openInbox(postgres),
    authenticate: createIngestAuth(postgres).authenticate,
    secrets: openSigningSecrets(
      postgres,
      createSealer(() => 'another key'),
    ),
    counters: createCounters(),
    logger,
  });
  const other = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const send = (source: string) =>
    fetch(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`, {
      method: 'POST',
      headers: { ...bearer(source), 'content-type': 'application/cloudevents+json' },
      body: JSON.stringify(eventOf(source)),
    });
  const [signs, free] = [await send('/psp'), await send('/shop')];
  other.close();
  expect([signs.status, signs.headers.get('retry-after'), free.status]).toEqual([503, '5', 202]);
  expect(logger.lines).toHaveLength(1);
});
