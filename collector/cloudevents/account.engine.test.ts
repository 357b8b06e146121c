import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defaultCompany } from '../../model/company.ts';
import { isFresh, watermarkAt } from '../../model/watermark.ts';
import { createCounters } from '../../store/counters.ts';
import { type Intake, openIntake } from '../../store/intake/intake.ts';
import { openPostgres, type Postgres } from '../../store/postgres/database.ts';
import { openInbox } from '../../store/postgres/inbox.ts';
import { listLosses } from '../../store/postgres/loss-queries.ts';
import { listSources } from '../../store/postgres/sources.ts';
import { intakeOf } from '../../store/postgres/streams.ts';
import { keepingLogger, temporaryFolder } from '../../store/postgres/testing/back-ends.ts';
import { createIngestAuth, createToken } from '../../store/postgres/tokens.ts';
import { applyTerms, markingInbox } from '../../store/source-terms.ts';
import { cloudEventsConfig } from './config.ts';
import { createCloudEventsHandler } from './handler.ts';

/** What a sender's requests leave in the account, on a real database and port. */
const TERMS = { '/erp': { lateness: 60_000, silence: 3_600_000, authoritative: ['bill'] } };
const temporary = temporaryFolder();
let postgres: Postgres;
let intake: Intake;
let server: Server;
let url: string;
let token: string;

beforeAll(async () => {
  const logger = keepingLogger();
  const counters = createCounters();
  postgres = await openPostgres(temporary.place, { logger });
  intake = openIntake({ postgres, logger, counters, flushEveryMs: 3_600_000 });
  intake.onNewStreams(async () => void (await applyTerms(postgres, TERMS)));
  const inbox = markingInbox(openInbox(postgres), TERMS);
  ({ token } = await createToken(postgres, { name: 'test', source: '*', createdBy: 'test' }));
  const { authenticate } = createIngestAuth(postgres);
  const config = cloudEventsConfig.parse({ maxBatchEvents: 20 });
  const handle = createCloudEventsHandler(config, {
    postgres,
    inbox,
    authenticate,
    counters,
    intake,
    logger,
  });
  server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/events`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await intake?.close();
  await postgres?.close();
  await temporary.remove();
});

const at = (msAgo: number): string => new Date(Date.now() - msAgo).toISOString();
const eventOf = (id: string, more: object = {}) => ({
  specversion: '1.0',
  id,
  source: '/erp/1',
  type: 'closewatch.bill.posted.v1',
  time: at(1_000),
  data: { object: { kind: 'bill' }, org: { companyKey: 'acme' }, keys: [{ type: 'extid', value: id }] },
  ...more,
});
const beatOf = (id: string, stream: string | undefined, completeUpTo: string) =>
  eventOf(id, {
    type: 'closewatch.flow.heartbeat.v1',
    companyid: 'acme',
    data: { completeUpTo, ...(stream === undefined ? {} : { stream }) },
  });

async function post(body: unknown, type = 'cloudevents-batch+json'): Promise<number> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': `application/${type}` },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return response.status;
}

const accountOf = async (source: string, stream = '', company = 'acme') => {
  await intake.flush();
  return (await intakeOf(postgres, [{ source, company, stream }], new Date()))[0];
};
const lossesOf = async (source: string) => {
  await intake.flush();
  const filter = { companies: '*', telemetry: true, since: new Date(0), source } as const;
  return (await listLosses(postgres, filter, 50)).map(({ company, reason, records, detail }) => [
    reason,
    company,
    records,
    detail,
  ]);
};

test('accepted and known events are counted with their bytes and their clock', async () => {
  const batch = [eventOf('a'), eventOf('b', { time: at(400) })];
  expect([await post(batch), await post(batch)]).toEqual([202, 202]);
  const account = await accountOf('/erp/1');
  expect(account).toMatchObject({ records: 2, known: 2, clock: { state: 'in-step', records: 2 } });
  expect(account?.bytes).toBe(2 * Buffer.byteLength(JSON.stringify(batch)));
});

test('a clock that is ahead shows; back-fill and replays of long ago say nothing of it', async () => {
  const source = '/erp/ahead';
  const old = { source, time: '2020-01-01T00:00:00Z' };
  await post([
    eventOf('c', { ...old, ingestpath: 'backfill' }),
    eventOf('d', { ...old, ingestpath: 'replay' }),
  ]);
  expect(await accountOf(source)).toMatchObject({ records: 2, clock: undefined });
  for (const id of ['e', 'f', 'g']) await post([eventOf(id, { source, time: at(-60_000) })]);
  const account = await accountOf(source);
  expect(account?.clock).toMatchObject({ state: 'ahead', confidence: 'high' });
  expect(account?.clock?.skewMs).toBeGreaterThan(50_000);
});

test('every refusal is accounted for by its reason, under the source and company that it names', async () => {
  const source = '/erp/refused';
  await post([eventOf('h', { source })]);
  await post([
    eventOf('i', { source, time: 'soon' }),
    eventOf('h', { source, subject: 'another' }),
    eventOf('j', { source, type: 'closewatch.bill.posted.v1', data: {} }),
  ]);
  const found = await lossesOf(source);
  expect(found).toHaveLength(3);
  expect(found).toContainEqual(['conflict', 'acme', 1, 'id']);
  expect(found).toContainEqual(['invalid', 'acme', 1, 'time']);
  expect(found).toContainEqual(['invalid', '', 1, 'data.object']);
  expect(await accountOf(source)).toMatchObject({ records: 1, lost: 2 });
});

test('a request that is refused as a whole is one loss of its sender', async () => {
  await post('{', 'cloudevents+json');
  await post('<a/>', 'xml');
  await post(Array.from({ length: 21 }, (_, n) => eventOf(`k${n}`)));
  expect((await lossesOf('*')).sort()).toEqual([
    ['malformed', '', 1, null],
    ['media-type', '', 1, null],
    ['too-large', '', 1, null],
  ]);
});

test('heartbeats of several streams: each has its own mark, on the terms of its source, and counts as no record', async () => {
  const [bills, payments] = [at(30_000), at(2 * 3_600_000)];
  const source = '/erp/beats';
  await post([
    { ...beatOf('l', 'bills', bills), source },
    { ...beatOf('m', 'payments', payments), source },
    { ...beatOf('n', undefined, bills), source },
    // One that comes late takes nothing back.
    { ...beatOf('o', 'bills', payments), source },
  ]);
  expect(await accountOf(source, 'bills')).toMatchObject({
    records: 0,
    known: 0,
    clock: { state: 'in-step' },
  });
  const now = BigInt(Date.now()) * 1_000_000n;
  const clock = defaultCompany('acme');
  const streams = (await listSources(postgres)).filter((stream) => stream.source === source);
  expect(
    streams.map((stream) => [stream.stream, stream.kind, stream.latenessNanos, isFresh(stream, now, clock)]),
  ).toEqual([
    ['', 'declared', 60_000_000_000n, true],
    ['bills', 'declared', 60_000_000_000n, true],
    ['payments', 'declared', 60_000_000_000n, false],
  ]);
  const marks = streams.map((stream) => watermarkAt(stream, now, clock));
  expect(marks).toEqual([bills, bills, payments].map((text) => BigInt(Date.parse(text)) * 1_000_000n));
});

test('an event of a kind that has another system of record is stored and marked', async () => {
  const time = at(5_000);
  await post([eventOf('p', { source: '/ocr', time }), eventOf('q', { source: '/erp/2' })]);
  const rows = await postgres.db
    .selectFrom('inbox')
    .select(['id', 'body'])
    .where('id', 'in', ['p', 'q'])
    .orderBy('id')
    .execute();
  expect(rows.map(({ body }) => (body as { attributes: object }).attributes)).toEqual([
    { 'closewatch.authoritative': 'false' },
    {},
  ]);
  // Marked or not it is the same event.
  expect(await post([eventOf('p', { source: '/ocr', time })])).toBe(202);
});
