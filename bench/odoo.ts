/**
 * What watching an Odoo takes: `node bench/odoo.ts [entries] [entries of the large table] [--json]`.
 *
 * A stand-in in another thread speaks Odoo's wire and answers in the time that a real server was seen to take (12 ms a call, 0.25 ms a record).
 * Measured: reading the history of the entries into the inbox, beside asking for the same records, messages and lines one call after the other and doing nothing with them; rounds of an
 * idle Odoo and of its sweep over a large table; a burst of 500 webhooks in a second. PostgreSQL is the embedded one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { openHistory } from '../collector/odoo/history.ts';
import { kindOfModel } from '../collector/odoo/kinds.ts';
import { openLines } from '../collector/odoo/lines.ts';
import { Observer } from '../collector/odoo/observer.ts';
import { allById } from '../collector/odoo/pages.ts';
import { Poller } from '../collector/odoo/poller.ts';
import { Spool } from '../collector/odoo/spool.ts';
import { OdooWorld } from '../collector/odoo/surroundings.ts';
import { createWebhookHandler, hashOfSecret } from '../collector/odoo/webhook.ts';
import { connectOdoo, type Odoo, type OdooCall } from '../odoo/client.ts';
import { inspectModels } from '../odoo/inspect.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { addOdooSource } from '../store/postgres/odoo-sources.ts';
import { createSealer } from '../store/sealed.ts';
import type { BooksWish } from './odoo-books.ts';

const CALL_MS = 12;
const RECORD_MS = 0.25;
const SOURCE = '/odoo/bench';
const logger = { error: console.error, warn: console.error, info() {}, debug() {} };

export interface OdooBench {
  readonly backfill: {
    readonly entries: number;
    readonly events: number;
    readonly calls: number;
    readonly entriesPerSecond: number;
    /** Of the time that it took, that in which a call was under way. */
    readonly waitingShare: number;
    /** Of the rate at which the same pages are only read. */
    readonly ratioToReading: number;
  };
  readonly idle: {
    readonly tableRows: number;
    readonly models: number;
    readonly callsARound: number;
    readonly roundMs: number;
    readonly sweepCalls: number;
    readonly sweepMs: number;
  };
  readonly burst: {
    readonly requests: number;
    readonly refused: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly seconds: number;
    readonly spooled: number;
  };
}

/** Measures all of it, on stores that are made for it and removed. */
export async function benchOdoo(entries: number, tableRows: number): Promise<OdooBench> {
  const folder = mkdtempSync(join(tmpdir(), 'closewatch-odoo-'));
  const postgres = await openPostgres({ dataDir: join(folder, 'postgres') }, { logger });
  try {
    const backfill = await benchBackfill(postgres, entries);
    const idle = await benchIdle(postgres, tableRows);
    const burst = await benchBurst(join(folder, 'spool'));
    return { backfill, idle, burst };
  } finally {
    await postgres.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A server with books, and a reader signed in to it, whose calls are kept. */
async function withBooks<T>(
  wish: BooksWish,
  use: (odoo: Odoo, calls: OdooCall[], url: string) => Promise<T>,
): Promise<T> {
  const worker = new Worker(new URL('./odoo-books.ts', import.meta.url), { workerData: wish });
  try {
    const url = await new Promise<string>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    const calls: OdooCall[] = [];
    const pace = { perSecond: 1000, parallel: 2 };
    const odoo = await connectOdoo(
      { url, login: 'reader', secret: 'secret', database: 'acme', pace },
      { onCall: (call) => calls.push(call) },
    );
    return await use(odoo, calls, url);
  } finally {
    await worker.terminate();
  }
}

async function pollerOf(postgres: Postgres, odoo: Odoo, url: string, source: string, liveFrom: Date) {
  await addOdooSource(
    postgres,
    createSealer(() => 'a key for measuring, long enough'),
    {
      ...{ source, url, database: 'acme', hookHash: undefined, by: 'bench', pace: undefined },
      ...{ liveFrom, historyFrom: new Date(0), installed: { made: [], hooked: [] } },
      reader: { login: 'reader', secret: 'secret' },
    },
  );
  const world = new OdooWorld(odoo, source, []);
  await world.load();
  const [history, reports, lines] = [
    await openHistory(odoo),
    await inspectModels(odoo),
    await openLines(odoo),
  ];
  const inbox = openInbox(postgres);
  const observer = new Observer({
    source,
    odoo,
    world,
    history,
    lines,
    standIn: (text) => text,
    postgres,
    inbox,
    liveFrom,
    historyFrom: new Date(0),
  });
  return {
    poller: await Poller.open({ source, odoo, postgres, observer, history, liveFrom }, reports),
    reports,
    inbox,
  };
}

async function benchBackfill(postgres: Postgres, entries: number): Promise<OdooBench['backfill']> {
  const wish = { entries, callMs: CALL_MS, recordMs: RECORD_MS };
  return await withBooks(wish, async (odoo, calls, url) => {
    const { poller, reports } = await pollerOf(postgres, odoo, url, SOURCE, new Date());
    const fields = reports.find(({ model }) => model === 'account.move')?.fields ?? [];
    const reading = { model: 'account.move', fields, pageSize: 500 };
    const readFrom = performance.now();
    let read = 0;
    const readOnly = Math.min(entries, 20_000);
    const [history, lines] = [await openHistory(odoo), await openLines(odoo)];
    for await (const page of allById(odoo, reading)) {
      const ids = page.map(({ id }) => id);
      await history.of('account.move', ids, undefined);
      await lines.of('account.move', ids);
      read += page.length;
      if (read >= readOnly) break;
    }
    const readRate = read / (performance.now() - readFrom);
    calls.length = 0;
    const from = performance.now();
    while (await poller.backfill());
    const ms = performance.now() - from;
    const row = await postgres.db
      .selectFrom('inbox')
      .select(({ fn }) => fn.countAll().as('events'))
      .where('source', '=', SOURCE)
      .executeTakeFirstOrThrow();
    return {
      entries,
      events: Number(row.events),
      calls: calls.length,
      entriesPerSecond: Math.round((entries / ms) * 1000),
      waitingShare: round(calls.reduce((sum, call) => sum + call.ms, 0) / ms),
      ratioToReading: round(entries / ms / readRate),
    };
  });
}

/** Rounds over books whose newest entry is long seen: what each round costs when nothing happens. */
async function benchIdle(postgres: Postgres, tableRows: number): Promise<OdooBench['idle']> {
  return await withBooks(
    { entries: tableRows, callMs: CALL_MS, recordMs: RECORD_MS },
    async (odoo, calls, url) => {
      const { poller } = await pollerOf(postgres, odoo, url, `${SOURCE}-idle`, new Date());
      await poller.round(600_000);
      const rounds = 10;
      calls.length = 0;
      const from = performance.now();
      for (let i = 0; i < rounds; i++) await poller.round(600_000);
      const roundMs = (performance.now() - from) / rounds;
      const callsARound = calls.length / rounds;
      calls.length = 0;
      const sweptFrom = performance.now();
      await poller.sweep(600_000);
      return {
        tableRows,
        models: poller.models.length,
        callsARound,
        roundMs: Math.round(roundMs),
        sweepCalls: calls.length,
        sweepMs: Math.round(performance.now() - sweptFrom),
      };
    },
  );
}

/** 500 requests within a second, each answered when it is on disk. */
async function benchBurst(folder: string): Promise<OdooBench['burst']> {
  const spool = new Spool(folder, { maxBytes: 64 << 20 });
  const secretHash = hashOfSecret('secret');
  const handle = createWebhookHandler({ spool, sourceOf: () => ({ source: SOURCE, secretHash }) });
  const server = createServer((request, response) => void handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/odoo/bench/secret`;
  const requests = 500;
  const from = performance.now();
  const answers = await Promise.all(
    Array.from({ length: requests }, async (_, i) => {
      await sleep((i / requests) * 1000);
      const sent = performance.now();
      const body = JSON.stringify({ _action: 'Closewatch(#1)', _model: 'account.move', _id: i + 1 });
      const { status } = await fetch(url, { method: 'POST', body });
      return { status, ms: performance.now() - sent };
    }),
  );
  const seconds = (performance.now() - from) / 1000;
  let spooled = 0;
  for (let segment = await spool.take(); segment; segment = await spool.take()) {
    spooled += segment.hints.length;
    await segment.done();
  }
  await spool.close();
  server.closeAllConnections();
  server.close();
  const times = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const at = (share: number): number => Math.round((times[Math.floor(times.length * share)] ?? 0) * 10) / 10;
  return {
    requests,
    refused: answers.filter(({ status }) => status !== 202).length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    seconds: round(seconds),
    spooled,
  };
}

const round = (value: number): number => Math.round(value * 100) / 100;

if (import.meta.main) {
  const [entries = 100_000, tableRows = 1_000_000] = process.argv
    .slice(2)
    .filter((text) => /^\d+$/.test(text))
    .map(Number);
  if (!kindOfModel('account.move')) throw new Error('nothing to measure');
  const result = await benchOdoo(entries, tableRows);
  if (process.argv.includes('--json')) console.log(JSON.stringify(result));
  else {
    const { backfill, idle, burst } = result;
    console.log(
      `history   ${backfill.entries} entries, ${backfill.events} events, ${backfill.calls} calls: ${backfill.entriesPerSecond} entries/s, ` +
        `${backfill.waitingShare} of the time waiting for Odoo, ${backfill.ratioToReading} of only reading`,
    );
    console.log(
      `idle      ${idle.tableRows} entries: ${idle.callsARound} calls a round for ${idle.models} models, ${idle.roundMs} ms; a sweep ${idle.sweepCalls} calls, ${idle.sweepMs} ms`,
    );
    console.log(
      `webhooks  ${burst.requests} in ${burst.seconds} s: ${burst.refused} refused, ${burst.spooled} kept, answered in ${burst.p50Ms} ms, ${burst.p99Ms} ms at the 99th percentile`,
    );
  }
}
