/**
 * What the intake of finance events takes: `node bench/events.ts [seconds] [postgres://…]`.
 *
 * 64 senders in another thread send CloudEvents over HTTP into the inbox, a batch of 50 or a single event a request, while
 * the forwarder copies them to the embedded ClickHouse as it does in a running deployment. An event counts when its 202 is
 * there: it is committed in PostgreSQL then, embedded, or in a database of its own on the server that is named.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import pg from 'pg';
import { cloudEventsConfig } from '../collector/cloudevents/config.ts';
import { createCloudEventsHandler } from '../collector/cloudevents/handler.ts';
import { inboxConfig } from '../collector/cloudevents/inbox-config.ts';
import { connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { createCounters } from '../store/counters.ts';
import { createForwarder } from '../store/forwarder.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { createIngestAuth, createToken } from '../store/postgres/tokens.ts';

const SENDERS = 64;
const BATCH = 50;

/** How fast requests of one size were taken. */
export interface EventRate {
  readonly eventsABatch: number;
  readonly eventsPerSecond: number;
  /** From the first byte of a request to its 202. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Requests that were not answered 202: 429 is the pace of the senders. */
  readonly failed: number;
  /** Processor time for 1,000 events: of the intake's thread, and of the embedded PostgreSQL (0 on a server). */
  readonly mainMs: number;
  readonly postgresMs: number;
  /** Events that were committed when the senders ended and not yet in ClickHouse. */
  readonly behind: number;
}

export interface EventsBench extends EventRate {
  readonly senders: number;
  readonly backend: 'pglite' | 'server';
  /** The same with one event a request. */
  readonly single: EventRate;
}

interface Order {
  readonly eventsABatch: number;
  readonly forMs: number;
}
interface Sent {
  readonly events: number;
  readonly ms: number;
  readonly latencies: readonly number[];
  readonly failed: number;
  /** Processor time of the senders' thread. */
  readonly cpuMs: number;
}

/** Measures `seconds` of batches of 50 events and as many of single ones, on stores that are made for it and removed. */
export async function benchEvents(
  seconds: number,
  options: { databaseUrl?: string | undefined } = {},
): Promise<EventsBench> {
  const logger = { error: console.error, warn: console.error, info() {}, debug() {} };
  const place = options.databaseUrl ? await ownDatabase(options.databaseUrl) : ownFolder();
  const engine = await temporaryEngine();
  const clickhouse = connectClickHouse(engine, { logger });
  await migrate(clickhouse);
  const postgres = await openPostgres(place.config, { logger });
  const counters = createCounters();
  const { maxWaitingEvents, maxWaitingCharacters, criticalKinds, ordinaryShare } = inboxConfig.parse({});
  const maxWaiting = { events: maxWaitingEvents, characters: maxWaitingCharacters };
  const inbox = openInbox(postgres, { maxWaiting, criticalKinds, ordinaryShare });
  const forwarder = createForwarder({
    postgres,
    inbox,
    events: openFinanceEvents(clickhouse),
    logger,
    counters,
  });
  const { token } = await createToken(postgres, { name: 'bench', source: '/bench', createdBy: 'bench' });
  const { authenticate } = createIngestAuth(postgres);
  const handle = createCloudEventsHandler(cloudEventsConfig.parse({}), {
    postgres,
    inbox,
    authenticate,
    counters,
    logger,
  });
  const server = createServer((req, res) => void handle(req, res));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  const senders = new Worker(new URL(import.meta.url), { workerData: { port, token } });
  const send = (order: Order): Promise<Sent> =>
    new Promise((done, fail) => {
      senders.once('message', done).once('error', fail);
      senders.postMessage(order);
    });
  const counted = (name: string): number =>
    counters.snapshot().reduce((sum, sample) => sum + (sample.name === name ? sample.value : 0), 0);

  async function rate(eventsABatch: number): Promise<EventRate> {
    await send({ eventsABatch, forMs: 1_000 });
    await forwarder.drain();
    const [process0, main0] = [process.cpuUsage(), process.threadCpuUsage()];
    const { events, ms, latencies, failed, cpuMs } = await send({ eventsABatch, forMs: seconds * 1_000 });
    const [used, main] = [process.cpuUsage(process0), process.threadCpuUsage(main0)].map(msOf) as [
      number,
      number,
    ];
    const perThousand = (spent: number): number => Math.round(spent / (events / 1_000));
    const behind = counted('closewatch_events_accepted') - counted('closewatch_events_forwarded');
    await forwarder.drain();
    const sorted = latencies.toSorted((a, b) => a - b);
    const quantile = (q: number): number =>
      Math.round((sorted[Math.floor(sorted.length * q)] ?? 0) * 10) / 10;
    return {
      eventsABatch,
      eventsPerSecond: Math.round((events * 1_000) / ms),
      p50Ms: quantile(0.5),
      p99Ms: quantile(0.99),
      failed,
      mainMs: perThousand(main),
      postgresMs: postgres.backend === 'pglite' ? perThousand(used - main - cpuMs) : 0,
      behind,
    };
  }

  try {
    const batches = await rate(BATCH);
    const single = await rate(1);
    return { ...batches, senders: SENDERS, backend: postgres.backend, single };
  } finally {
    await senders.terminate();
    server.close();
    server.closeAllConnections();
    await inbox.drain();
    await forwarder.stop();
    await postgres.close();
    await clickhouse.close();
    await engine.remove();
    await place.remove();
  }
}

const msOf = ({ user, system }: NodeJS.CpuUsage): number => (user + system) / 1_000;

function ownFolder() {
  const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
  return { config: { dataDir }, remove: async () => rmSync(dataDir, { recursive: true, force: true }) };
}

async function ownDatabase(server: string) {
  const name = `closewatch_bench_${randomBytes(6).toString('hex')}`;
  const onServer = async (sql: string): Promise<void> => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    await client.query(sql).finally(() => client.end());
  };
  await onServer(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  return { config: { url: url.href }, remove: () => onServer(`DROP DATABASE ${name} WITH (FORCE)`) };
}

/** Two in five are of critical kinds: of batches every one goes first then, and of single events those two. */
const KINDS = ['bill.posted', 'payment.registered', 'invoice.posted', 'order.paid', 'statementline.imported'];

/** A bill as an integration sends it: some 900 bytes. */
export function eventOf(id: string, n: number): object {
  const document = `BILL/2026/05/${String(n % 100_000).padStart(5, '0')}`;
  return {
    specversion: '1.0',
    id,
    source: `/bench/${n % 4}`,
    type: `closewatch.${KINDS[n % KINDS.length]}.v1`,
    time: new Date(Date.UTC(2026, 4, 1) + (n % 2_000_000) * 1_000).toISOString(),
    subject: `account.move/${n}`,
    datacontenttype: 'application/json',
    companyid: 'acme',
    traceparent: `00-${createHash('md5').update(id).digest('hex')}-00f067aa0ba902b7-01`,
    data: {
      object: {
        kind: 'bill',
        nativeModel: 'account.move',
        nativeId: `${n}`,
        docNumber: document,
        state: 'posted',
      },
      org: { companyKey: 'acme', journalKey: 'BILL', period: '2026-05', country: 'DE' },
      party: { partyKey: `vendor-${n % 500}` },
      money: { amount: `${n % 10_000}.${10 + (n % 90)}`, currency: 'EUR', residual: '0.00' },
      dates: { documentDate: '2026-05-02', accountingDate: '2026-05-03', dueDate: '2026-06-02' },
      actor: { actorId: `user-${n % 20}`, actorKind: 'human' },
      keys: [
        { type: 'docno', value: document },
        { type: 'extid', value: `account.move,${n}` },
      ],
      attributes: { batch: 'nightly', channel: 'edi' },
    },
  };
}

/** 64 senders for `forMs`, each with its next request as soon as the last one was answered. Every event is new. */
async function sendAll({ eventsABatch, forMs }: Order, agent: Agent, run: string): Promise<Sent> {
  const headers = {
    'content-type':
      eventsABatch === 1 ? 'application/cloudevents+json' : 'application/cloudevents-batch+json',
    authorization: `Bearer ${workerData.token}`,
  };
  const latencies: number[] = [];
  let made = 0;
  let failed = 0;
  let events = 0;
  const next = (): string => {
    const batch = Array.from({ length: eventsABatch }, () => eventOf(`${run}-${++made}`, made));
    return JSON.stringify(eventsABatch === 1 ? batch[0] : batch);
  };
  const post = (body: string): Promise<number> =>
    new Promise((done, fail) => {
      const options = { port: workerData.port, path: '/v1/events', method: 'POST', headers, agent };
      const asked = request(options, (response) => {
        response.resume().once('end', () => done(response.statusCode ?? 0));
      });
      asked.once('error', fail);
      asked.end(body);
    });
  const [start, cpu0] = [performance.now(), process.threadCpuUsage()];
  const sender = async (): Promise<void> => {
    while (performance.now() - start < forMs) {
      const body = next();
      const sent = performance.now();
      if ((await post(body)) !== 202) {
        failed++;
        continue;
      }
      latencies.push(performance.now() - sent);
      events += eventsABatch;
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, sender));
  const cpuMs = msOf(process.threadCpuUsage(cpu0));
  return { events, ms: performance.now() - start, latencies, failed, cpuMs };
}

if (!isMainThread && workerData?.port) {
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });
  let runs = 0;
  parentPort?.on('message', async (order: Order) => {
    parentPort?.postMessage(await sendAll(order, agent, `run-${++runs}`));
  });
} else if (import.meta.main) {
  const [seconds = '10', databaseUrl] = process.argv.slice(2);
  const { single, senders, backend, ...batches } = await benchEvents(Number(seconds), { databaseUrl });
  console.log(`${senders} senders, ${seconds} s each, PostgreSQL: ${backend}`);
  console.table([batches, single]);
}
