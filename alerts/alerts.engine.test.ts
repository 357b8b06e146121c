import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createIncidents } from '../analyzer/incidents/incidents.ts';
import { createTriage } from '../analyzer/triage/triage.ts';
import { type Counters, createCounters } from '../store/counters.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { noteFailed } from '../store/postgres/messages.ts';
import {
  acme,
  at,
  changeExceptions,
  emptied,
  exceptionRow,
  memoryLogger,
  openExceptions,
  temporaryPostgres,
} from '../test/incident-house.ts';
import {
  BOT_TOKEN,
  buttonPress,
  type SignedRequest,
  type SlackStandIn,
  signed,
  startSlackStandIn,
} from '../test/stand-ins/slack.ts';
import { type Alerts, createAlerts } from './alerts.ts';
import type { AlertsConfig } from './config.ts';

const SECRET = 'signing secret of the test';
const CHANNEL = 'C0000001';
const CLOCK = at(100);
const CLOCK_MS = Number(CLOCK / 1_000_000n);

let postgres: Postgres;
let close: () => Promise<void>;
let slack: SlackStandIn;
let counters: Counters;
const logger = memoryLogger();
const started: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
});
afterAll(() => close());
beforeEach(async () => {
  await emptied(postgres);
  counters = createCounters();
  slack = await startSlackStandIn();
  return async () => {
    for (const one of started.splice(0)) await one.stop();
    await slack.close();
  };
});

const alertsOf = (
  over: Partial<AlertsConfig> = {},
  slackOver: NonNullable<AlertsConfig['slack']> = {},
): Alerts => {
  const alerts = createAlerts(
    {
      publicUrl: () => 'https://closewatch.acme.example',
      channelIntervalMs: 0,
      runMs: 60_000,
      slackTimeoutMs: 60_000,
      ...over,
      slack: {
        botToken: BOT_TOKEN,
        signingSecret: SECRET,
        channel: CHANNEL,
        apiUrl: slack.url,
        ...slackOver,
      },
    },
    { postgres, logger, counters, company: () => ({ ...acme, name: 'Acme & Söhne' }), now: () => CLOCK },
  );
  started.push(alerts);
  return alerts;
};
const incidents = () => createIncidents({ postgres, company: () => acme, logger });
const triage = () => createTriage({ pseudonymKey: 'key' }, { postgres, logger });

/** An incident of so many exceptions, assessed. Returns its id. */
async function incident(exceptions = 3, over: Parameters<typeof exceptionRow>[1] = {}): Promise<string> {
  const ids = Array.from({ length: exceptions }, (_, n) => `e${n}${over.rule ?? ''}`);
  await openExceptions(
    postgres,
    ids.map((id) => exceptionRow(id, over)),
  );
  await incidents().run(at(60));
  await triage().run(at(60));
  const row = await postgres.db
    .selectFrom('incidents')
    .select('id')
    .orderBy('number', 'desc')
    .executeTakeFirstOrThrow();
  return row.id;
}
const counted = () =>
  counters.snapshot().map(({ name, labels, value }) => [name, Object.values(labels).join(), value]);
const messages = () => postgres.db.selectFrom('messages').selectAll().execute();
const stateOf = async (id: string) =>
  (await postgres.db.selectFrom('incidents').select('state').where('id', '=', id).executeTakeFirstOrThrow())
    .state;

async function person(
  over: { roles?: string[]; verified?: boolean; disabled?: boolean } = {},
): Promise<void> {
  await postgres.db
    .insertInto('principals')
    .values({
      id: 'sam',
      kind: 'human',
      name: 'Sam Support',
      roles: over.roles ?? ['support'],
      companies: ['acme'],
      disabled_at: over.disabled ? new Date() : null,
    })
    .execute();
  await postgres.db
    .insertInto('identities')
    .values({ provider: 'slack', external_id: 'U0SAM', principal: 'sam', verified: over.verified ?? true })
    .execute();
}

async function serve(
  alerts: Alerts,
): Promise<(request: SignedRequest, method?: string) => Promise<Response>> {
  const server: Server = createServer((req, res) => void alerts.slackHandler?.(req, res));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  started.unshift({
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/slack/events`;
  return (request, method = 'POST') =>
    fetch(url, { method, headers: request.headers, ...(method === 'POST' && { body: request.body }) });
}
const press = (user: string, value: string, atMs = CLOCK_MS, secret = SECRET): SignedRequest =>
  signed(buttonPress({ user, actionId: 'acknowledge_incident', value }), secret, atMs);

test('without a token the same blocks stay in the outbox', async () => {
  const id = await incident();
  const alerts = alertsOf({}, { botToken: undefined, channel: undefined });
  expect(await alerts.run(at(61))).toEqual({ changed: 1, posted: 0, edited: 0, failed: 0 });
  const [message] = await messages();
  expect(message).toMatchObject({ incident: id, state: 'outbox', channel: 'outbox', ts: null });
  expect(JSON.stringify(message?.blocks)).toContain('acknowledge_incident');
  expect(JSON.stringify(message?.blocks)).toContain('Acme &amp; Söhne');
  expect(alerts.slackHandler).toBeUndefined();
  expect(slack.calls).toEqual([]);
});

test('when Slack is set up later it hears what is open, and nothing stays behind in the outbox', async () => {
  for (const rule of ['R1', 'R2', 'R3']) await incident(1, { rule });
  const none = { botToken: undefined };
  await alertsOf({}, none).run(at(61));
  expect((await messages()).map(({ state }) => state)).toEqual(['outbox', 'outbox', 'outbox']);
  await changeExceptions(postgres, ['e0R3'], { state: 'late' });
  await incidents().run(at(62));
  await alertsOf({}, none).run(at(62));

  expect(await alertsOf().run(at(63))).toMatchObject({ changed: 2, posted: 2 });
  expect(slack.messages).toHaveLength(2);
  const rows = await messages();
  expect(rows.filter(({ channel }) => channel === CHANNEL)).toHaveLength(2);
  expect(rows.filter(({ channel }) => channel === 'outbox').map(({ text }) => text)).toEqual([
    expect.stringContaining('(Resolved)'),
  ]);
  expect(await alertsOf().run(at(64))).toEqual({ changed: 0, posted: 0, edited: 0, failed: 0 });
});

test('what was resolved while Slack was not set up is edited when it is again', async () => {
  await incident(1);
  await alertsOf().run(at(61));
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(62));
  await alertsOf({}, { botToken: undefined }).run(at(62));
  expect(slack.messages[0]?.text).toContain('(Open)');
  expect(await alertsOf().run(at(63))).toMatchObject({ posted: 0, edited: 1 });
  expect(slack.messages[0]?.text).toContain('(Resolved)');
});

test('in another channel what is open is told anew, and the message in the old one still follows', async () => {
  await incident(1);
  await alertsOf().run(at(61));
  const moved = { channel: 'C0000002' };
  expect(await alertsOf({}, moved).run(at(62))).toMatchObject({ posted: 1, edited: 0 });
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(63));
  expect(await alertsOf({}, moved).run(at(63))).toMatchObject({ posted: 0, edited: 2 });
  expect(slack.messages.map(({ channel, text }) => [channel, text.includes('(Resolved)')])).toEqual([
    [CHANNEL, true],
    ['C0000002', true],
  ]);
});

test('when the channel changes and comes back, what was resolved and told is left alone', async () => {
  for (const rule of ['R1', 'R2', 'R3']) await incident(1, { rule });
  await alertsOf().run(at(61));
  await changeExceptions(postgres, ['e0R1', 'e0R2', 'e0R3'], { state: 'late' });
  await incidents().run(at(62));
  await alertsOf().run(at(62));
  await incident(1, { rule: 'R4' });
  await alertsOf({}, { channel: 'C0000002' }).run(at(63));
  expect(slack.messages.map(({ channel }) => channel)).toEqual([CHANNEL, CHANNEL, CHANNEL, 'C0000002']);
  slack.remove(slack.messages[0]!.ts);
  const calls = slack.calls.length;
  // Another address: told again, every message would be another one.
  const moved = { publicUrl: () => 'https://moved.acme.example' };
  expect(await alertsOf(moved).run(at(64))).toMatchObject({ posted: 1, edited: 1, failed: 0 });
  expect(slack.calls.slice(calls).map(({ args }) => String(args.text))).toEqual([
    expect.stringContaining('(Open)'),
    expect.stringContaining('(Open)'),
  ]);
});

test('bad news nobody heard goes first, what is resolved last', async () => {
  await incident(1, { rule: 'R1' });
  await incident(1, { rule: 'R2' });
  await alertsOf().run(at(61));
  await changeExceptions(postgres, ['e0R1'], { state: 'late' });
  await changeExceptions(postgres, ['e0R2'], { severity: 'high' });
  await incidents().run(at(62));
  await alertsOf({ runMs: 0 }).run(at(62));
  const calls = slack.calls.length;
  await incident(1, { rule: 'R3', severity: 'medium' });
  await incident(1, { rule: 'R4', severity: 'critical' });
  await alertsOf().run(at(64));
  const told = slack.calls.slice(calls).map(({ method, args }) => [method, String(args.text)]);
  expect(told).toEqual([
    ['chat.postMessage', expect.stringMatching(/critical/i)],
    ['chat.postMessage', expect.stringMatching(/medium/i)],
    ['chat.update', expect.stringContaining('(Open)')],
    ['chat.update', expect.stringContaining('(Resolved)')],
  ]);
});

test('one message an incident: posted once, then edited in place through fifty changes', async () => {
  await incident(50);
  const alerts = alertsOf();
  expect(await alerts.run(at(61))).toEqual({ changed: 1, posted: 1, edited: 0, failed: 0 });
  expect(await alerts.run(at(62))).toEqual({ changed: 0, posted: 0, edited: 0, failed: 0 });
  for (let n = 0; n < 50; n += 1) {
    await changeExceptions(postgres, [`e${n}`], { state: 'late' });
    await incidents().run(at(70 + n));
    await triage().run(at(70 + n));
    await alerts.run(at(70 + n));
  }
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(slack.callsOf('chat.update').length).toBe(50);
  expect(slack.messages).toHaveLength(1);
  expect(slack.messages[0]?.text).toContain('Resolved');
  expect(JSON.stringify(slack.messages[0]?.blocks)).toContain('0 open of 50');
});

test('fifty changes between two runs are one edit', async () => {
  await incident(50);
  const alerts = alertsOf();
  await alerts.run(at(61));
  for (let n = 0; n < 49; n += 1) {
    await changeExceptions(postgres, [`e${n}`], { state: 'late' });
    await incidents().run(at(70));
  }
  await Promise.all([alerts.run(at(71)), alerts.run(at(71)), alerts.run(at(71))]);
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(slack.callsOf('chat.update')).toHaveLength(1);
  expect(counted()).toEqual([
    ['closewatch_messages', 'edited', 1],
    ['closewatch_messages', 'posted', 1],
  ]);
});

test('a signed press of the button acknowledges once, and the message follows', async () => {
  const id = await incident();
  await person();
  const alerts = alertsOf();
  const post = await serve(alerts);
  await alerts.run(at(61));
  const request = press('U0SAM', id);
  expect((await post(request)).status).toBe(200);
  await vi.waitFor(async () => expect(await stateOf(id)).toBe('acknowledged'), 30_000);
  await vi.waitFor(() => expect(slack.messages[0]?.text).toContain('Acknowledged'), 30_000);
  expect(JSON.stringify(slack.messages[0]?.blocks)).toContain('Sam Support');
  expect(JSON.stringify(slack.messages[0]?.blocks)).not.toContain('acknowledge_incident');
  expect((await post(request)).status).toBe(200);
  const log = await postgres.db
    .selectFrom('change_log')
    .selectAll()
    .where('change', '=', 'acknowledged')
    .execute();
  expect(log).toMatchObject([{ actor: 'sam', entity_id: id }]);
  expect(slack.callsOf('chat.postEphemeral')).toEqual([]);
});

test('what is not signed as it must be is refused and does nothing', async () => {
  const id = await incident();
  await person();
  const post = await serve(alertsOf());
  const good = press('U0SAM', id);
  const refused: SignedRequest[] = [
    press('U0SAM', id, CLOCK_MS, 'another secret'),
    press('U0SAM', id, CLOCK_MS - 301_000),
    press('U0SAM', id, CLOCK_MS + 301_000),
    { ...good, body: `${good.body}x` },
    { ...good, headers: { 'content-type': good.headers['content-type']! } },
    { ...good, headers: { ...good.headers, 'x-slack-request-timestamp': 'NaN' } },
    { ...good, headers: { ...good.headers, 'x-slack-signature': 'v0=' } },
  ];
  for (const request of refused) expect((await post(request)).status).toBe(401);
  expect((await post(good, 'GET')).status).toBe(405);
  for (const length of [600_000, 6_000_000])
    expect((await post(signed('x'.repeat(length), SECRET, CLOCK_MS))).status).toBe(413);
  expect((await post(signed('payload=%7Bnot', SECRET, CLOCK_MS))).status).toBe(400);
  expect(await stateOf(id)).toBe('open');
  expect(counted()).toEqual([
    ['closewatch_slack_requests_refused', '400', 1],
    ['closewatch_slack_requests_refused', '401', 7],
    ['closewatch_slack_requests_refused', '405', 1],
    ['closewatch_slack_requests_refused', '413', 2],
  ]);
});

test('the check of the URL is answered with the challenge', async () => {
  const post = await serve(alertsOf());
  const request = signed(JSON.stringify({ type: 'url_verification', challenge: 'abc' }), SECRET, CLOCK_MS);
  const answer = await post({
    ...request,
    headers: { ...request.headers, 'content-type': 'application/json' },
  });
  expect(await answer.text()).toBe('abc');
});

test.each<[string, Parameters<typeof person>[0] | undefined, RegExp]>([
  ['is linked to nobody', undefined, /not linked/],
  ['is linked but not verified', { verified: false }, /not linked/],
  ['is disabled', { disabled: true }, /not linked/],
  ['has no working role', { roles: ['auditor'] }, /needs one of the roles/],
])('a user who %s is refused with the reason, and only that user sees it', async (_, who, reason) => {
  const id = await incident();
  if (who) await person(who);
  const alerts = alertsOf();
  const post = await serve(alerts);
  await alerts.run(at(61));
  expect((await post(press('U0SAM', id))).status).toBe(200);
  await vi.waitFor(() => expect(slack.callsOf('chat.postEphemeral')).toHaveLength(1), 30_000);
  expect(slack.callsOf('chat.postEphemeral')[0]?.args).toMatchObject({ channel: CHANNEL, user: 'U0SAM' });
  expect(slack.callsOf('chat.postEphemeral')[0]?.args.text).toMatch(reason);
  expect(await stateOf(id)).toBe('open');
  expect(slack.messages).toHaveLength(1);
});

test('who is linked to nobody is known by the address that Slack has confirmed, once a second person confirmed whose it is', async () => {
  const id = await incident();
  await person();
  await postgres.db
    .updateTable('identities')
    .set({ provider: 'email', external_id: 'sam@acme.example' })
    .execute();
  const post = await serve(alertsOf());
  const profile = { email: 'Sam@Acme.example' };
  slack.members.set('U0NEW', { profile, is_email_confirmed: false });
  await post(press('U0NEW', id));
  await vi.waitFor(() => expect(slack.callsOf('chat.postEphemeral')).toHaveLength(1), 30_000);
  expect(await stateOf(id)).toBe('open');
  slack.members.set('U0NEW', { profile, is_email_confirmed: true, is_stranger: true });
  await post(press('U0NEW', id, CLOCK_MS + 1_000));
  await vi.waitFor(() => expect(slack.callsOf('chat.postEphemeral')).toHaveLength(2), 30_000);
  expect(await stateOf(id)).toBe('open');
  slack.members.set('U0NEW', { profile, is_email_confirmed: true });
  await post(press('U0NEW', id, CLOCK_MS + 2_000));
  await vi.waitFor(async () => expect(await stateOf(id)).toBe('acknowledged'), 30_000);
});

test('a press on what is acknowledged already, or gone, says so', async () => {
  const id = await incident();
  await person();
  const post = await serve(alertsOf());
  await post(press('U0SAM', id));
  await vi.waitFor(async () => expect(await stateOf(id)).toBe('acknowledged'), 30_000);
  await post(press('U0SAM', id, CLOCK_MS + 1_000));
  await post(press('U0SAM', 'no-such-incident', CLOCK_MS));
  await vi.waitFor(() => expect(slack.callsOf('chat.postEphemeral')).toHaveLength(2), 30_000);
  const texts = slack.callsOf('chat.postEphemeral').map(({ args }) => String(args.text));
  expect(texts.some((text) => text.includes('acknowledged already'))).toBe(true);
  expect(texts.some((text) => text.includes('no incident'))).toBe(true);
});

test('a press that fails for another reason asks who pressed to try again', async () => {
  await incident();
  await person();
  const post = await serve(alertsOf());
  expect((await post(press('U0SAM', 'no text of PostgreSQL holds \0'))).status).toBe(200);
  await vi.waitFor(() => expect(slack.callsOf('chat.postEphemeral')).toHaveLength(1), 30_000);
  expect(slack.callsOf('chat.postEphemeral')[0]?.args.text).toMatch(/Not acknowledged.*try again/);
});

test('a 429 is waited out for as long as Slack asks, then the message goes', async () => {
  await incident();
  slack.script('chat.postMessage', { status: 429, retryAfter: 30 });
  const alerts = alertsOf({ runMs: 500 });
  expect(await alerts.run(at(61))).toMatchObject({ posted: 0, failed: 1 });
  expect((await messages())[0]).toMatchObject({ state: 'pending', last_error: 'ratelimited' });
  expect(await alerts.run(at(90))).toMatchObject({ posted: 0, failed: 0 });
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(await alertsOf().run(at(92))).toMatchObject({ posted: 1 });
});

test('a 429 in one channel holds up no other one, and the run does not wait for its end', async () => {
  await incident(1);
  await alertsOf().run(at(61));
  const moved = { channel: 'C0000002' };
  await alertsOf({}, moved).run(at(62));
  await changeExceptions(postgres, ['e0'], { severity: 'high' });
  await incidents().run(at(63));
  slack.script('chat.update', { status: 429, retryAfter: 3_600 });
  const alerts = alertsOf({}, moved);
  expect(await alerts.run(at(63))).toMatchObject({ edited: 1, failed: 1 });
  const [first, second] = slack.callsOf('chat.update').map(({ args }) => args.channel);
  expect([first, second].toSorted()).toEqual([CHANNEL, 'C0000002']);
  await changeExceptions(postgres, ['e0'], { severity: 'critical' });
  await incidents().run(at(64));
  expect(await alerts.run(at(64))).toMatchObject({ edited: 1, failed: 0 });
  expect(slack.callsOf('chat.update').at(-1)?.args.channel).toBe(second);
  expect((await messages()).find(({ channel }) => channel === first)).toMatchObject({
    state: 'pending',
    attempts: 0,
  });
});

test('stopping does not wait for a channel that rests, and takes no message for it', async () => {
  for (const rule of ['R1', 'R2']) await incident(1, { rule });
  slack.script('chat.postMessage', { status: 429, retryAfter: 3_600 });
  const alerts = alertsOf({ runMs: 7_200_000 });
  const run = alerts.run(at(61));
  await vi.waitFor(
    async () => expect((await messages()).some(({ last_error }) => last_error === 'ratelimited')).toBe(true),
    30_000,
  );
  await alerts.stop();
  expect(await run).toMatchObject({ posted: 0, failed: 1 });
  expect((await messages()).map(({ attempts }) => attempts).toSorted()).toEqual([0, 1]);
  expect(await alertsOf().run(at(62 + 3_600))).toMatchObject({ posted: 2 });
});

test('the message of a resolved incident that people deleted is not posted anew, unless it comes back', async () => {
  await incident(1);
  const alerts = alertsOf();
  await alerts.run(at(61));
  slack.remove(slack.messages[0]!.ts);
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(62));
  expect(await alerts.run(at(62))).toMatchObject({ changed: 1, posted: 0, edited: 0, failed: 0 });
  expect(slack.messages).toEqual([]);
  expect((await messages())[0]).toMatchObject({ state: 'sent', last_error: null });
  expect(counted()).toContainEqual(['closewatch_messages', 'left', 1]);
  await changeExceptions(postgres, ['e0'], { state: 'open', reopened: 1 });
  await incidents().run(at(63));
  expect(await alerts.run(at(63))).toMatchObject({ posted: 1 });
  expect(slack.messages).toHaveLength(1);
});

test('a message that can no longer be edited is followed by one that tells that it is resolved', async () => {
  await incident(1);
  await alertsOf().run(at(61));
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(62));
  slack.script('chat.update', { error: 'edit_window_closed' });
  expect(await alertsOf().run(at(62))).toMatchObject({ posted: 1 });
  expect(slack.messages.map(({ text }) => text.includes('(Resolved)'))).toEqual([false, true]);
});

test('a message that people deleted is posted anew', async () => {
  await incident();
  const alerts = alertsOf();
  await alerts.run(at(61));
  slack.remove(slack.messages[0]!.ts);
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(62));
  expect(await alerts.run(at(63))).toMatchObject({ posted: 1 });
  expect(slack.messages).toHaveLength(1);
  expect((await messages())[0]).toMatchObject({ state: 'sent', ts: slack.messages[0]!.ts });
});

test('when the answer to a post is lost the message is found again, not posted twice', async () => {
  await incident();
  slack.script('chat.postMessage', { lost: true });
  const alerts = alertsOf();
  expect(await alerts.run(at(61))).toMatchObject({ posted: 0, failed: 1 });
  expect(slack.messages).toHaveLength(1);
  expect(await alerts.run(at(70))).toMatchObject({ posted: 1, failed: 0 });
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(slack.messages).toHaveLength(1);
  expect((await messages())[0]).toMatchObject({ state: 'sent', ts: slack.messages[0]!.ts });
});

test.each<[string, Parameters<SlackStandIn['script']>[1][]]>([
  ['is rate limited', [{ status: 429, retryAfter: 10 }]],
  ['does not answer', [{ lost: true }, { lost: true }, { lost: true }]],
  ['is ill', [{ error: 'internal_error' }]],
])('while a history that would tell %s, nothing is posted a second time', async (_, behaviours) => {
  await incident();
  slack.script('chat.postMessage', { lost: true });
  slack.script('conversations.history', ...behaviours);
  await alertsOf().run(at(61));
  const [before] = await messages();
  expect(await alertsOf().run(at(70))).toMatchObject({ posted: 0, failed: 1 });
  expect((await messages())[0]).toMatchObject({ state: 'pending', posting_since: before!.posting_since });
  expect(await alertsOf().run(at(300))).toMatchObject({ posted: 1, failed: 0 });
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(slack.messages).toHaveLength(1);
});

test('a message is found behind thousands that the channel got after it', async () => {
  await incident();
  slack.script('chat.postMessage', { lost: true });
  await alertsOf().run(at(61));
  for (let n = 0; n < 2_500; n += 1)
    slack.messages.push({ ts: `1790000000.${n}`, channel: CHANNEL, text: 'chatter', blocks: [] });
  expect(await alertsOf().run(at(70))).toMatchObject({ posted: 1, failed: 0 });
  expect(slack.callsOf('chat.postMessage')).toHaveLength(1);
  expect(slack.callsOf('conversations.history')).toHaveLength(3);
});

test('a text that changed while the one before it was refused is due at once, not failed', async () => {
  await incident();
  await alertsOf({}, { botToken: undefined, channel: undefined }).run(at(61));
  const refused = { error: 'invalid_blocks', retryAt: undefined, unknown: false, gone: false };
  const [before] = await messages();
  await postgres.db.updateTable('messages').set({ content_hash: 'of another text' }).execute();
  await noteFailed(postgres, before!, refused);
  expect((await messages())[0]).toMatchObject({ state: 'pending', next_attempt_at: null });
  await noteFailed(postgres, (await messages())[0]!, refused);
  expect((await messages())[0]).toMatchObject({ state: 'failed' });
});

test('a crash between the post and its note makes no second message either', async () => {
  const id = await incident();
  await alertsOf().run(at(61));
  await postgres.db
    .updateTable('messages')
    .set({ ts: null, state: 'pending', posting_since: new Date(Number(slack.messages[0]!.ts) * 1_000) })
    .where('incident', '=', id)
    .execute();
  await alertsOf().run(at(200));
  expect(slack.messages).toHaveLength(1);
});

test('without the right to read the history there is one duplicate at most', async () => {
  await incident();
  slack.script('chat.postMessage', { lost: true });
  slack.script('conversations.history', { error: 'missing_scope' });
  await alertsOf().run(at(61));
  await alertsOf().run(at(70));
  await alertsOf().run(at(80));
  expect(slack.messages).toHaveLength(2);
});

test.each<[string, boolean]>([
  ['channel_not_found', false],
  ['is_archived', false],
  ['invalid_auth', false],
  ['invalid_blocks', false],
  ['internal_error', true],
])('%s: tried again %s', async (error, retry) => {
  const id = await incident();
  slack.script('chat.postMessage', { error });
  const alerts = alertsOf();
  await alerts.run(at(61));
  expect((await messages())[0]).toMatchObject({ state: retry ? 'pending' : 'failed', last_error: error });
  expect(counted()).toEqual([['closewatch_messages', retry ? 'retried' : 'given-up', 1]]);
  expect(await alerts.run(at(600))).toMatchObject({ posted: retry ? 1 : 0 });
  await changeExceptions(postgres, ['e0'], { state: 'late' });
  await incidents().run(at(601));
  await alerts.run(at(601));
  expect(slack.messages).toHaveLength(1);
  expect((await messages())[0]).toMatchObject({ incident: id, state: 'sent' });
});

test('a Slack that does not answer costs the message its turn, not the run', async () => {
  await incident();
  slack.script('chat.postMessage', { delayMs: 60_000 });
  expect(await alertsOf({ slackTimeoutMs: 1_000 }).run(at(61))).toMatchObject({ posted: 0, failed: 1 });
  expect((await messages())[0]).toMatchObject({ state: 'pending', last_error: 'no_answer' });
});

test('calls for the channel keep their distance, and two deliverers post nothing twice', async () => {
  for (const rule of ['R1', 'R2', 'R3', 'R4']) await incident(1, { rule });
  const pace = { channelIntervalMs: 150 };
  await Promise.all([alertsOf(pace).run(at(61)), alertsOf().run(at(61))]);
  expect(slack.callsOf('chat.postMessage')).toHaveLength(4);
  expect(slack.messages).toHaveLength(4);
  await emptied(postgres);
  for (const rule of ['R1', 'R2', 'R3']) await incident(1, { rule });
  await alertsOf(pace).run(at(61));
  const times = slack
    .callsOf('chat.postMessage')
    .slice(4)
    .map((call) => call.at);
  // Two intervals, less what the first call lost on its way; pace.test.ts has them exactly.
  expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(150);
});

test('settings that do not do are named', () => {
  expect(() => alertsOf({}, { channel: undefined })).toThrow(/settings/);
  expect(() => alertsOf({}, { channel: '#finance' })).toThrow(/settings/);
});

test('Socket Mode asks for its connection with the app token, and HTTP is closed', async () => {
  const alerts = alertsOf({}, { appToken: 'xapp-stand-in' });
  expect(alerts.slackHandler).toBeUndefined();
  await vi.waitFor(() => expect(slack.callsOf('apps.connections.open').length).toBeGreaterThan(0), 30_000);
  expect(slack.callsOf('apps.connections.open')[0]?.token).toBe('xapp-stand-in');
});

test('no secret is in the log', () => {
  expect(logger.lines.join('\n')).not.toMatch(/xoxb-|xapp-|signing secret/);
});
