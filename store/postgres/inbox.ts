import { type Context, context, SpanKind } from '@opentelemetry/api';
import { sql } from 'kysely';
import { ClosewatchError } from '../../model/errors.ts';
import type { FinanceEvent } from '../../model/event.ts';
import { formatInstant, nanosOf, parseInstant } from '../../model/time.ts';
import { withSpan } from '../tracing.ts';
import { takeBatch } from './batches.ts';
import type { Postgres } from './database.ts';
import { settleDeadLetters } from './dead-letters.ts';
import { isOfTheData } from './failures.ts';
import {
  type Arrival,
  createArrivalSums,
  type Declaration,
  declareComplete,
  recordArrival,
} from './sources.ts';

/** A valid event, before it has a batch: all of it but `batch` and `receivedAt`, which acceptance gives. */
export interface AcceptedEvent {
  readonly event: Omit<FinanceEvent, 'batch' | 'receivedAt'>;
  /** SHA-256 over the canonical JSON of what the sender sent. */
  readonly bodyHash: string;
  /** A heartbeat's watermark. */
  readonly declares?: { readonly stream: string; readonly completeUpTo: bigint } | undefined;
}

/**
 * `accepted` now; `known` already, with the same body; `conflict`: known with another body, so refused; `unstorable`: the
 * database does not take it, however often it is sent.
 */
export type AcceptResult = 'accepted' | 'known' | 'conflict' | 'unstorable';

export interface Inbox {
  /**
   * Takes events under their own sources, one result an event. When it returns, what is `accepted` is committed in
   * PostgreSQL, and open dead letters of it are settled. Calls that come together share one transaction and one batch;
   * when the database refuses what is in it, it is taken apart until the events that are to blame stand alone. Throws
   * `request.overloaded` when too much waits: nothing of the call was accepted. Throws `store.unavailable` when the
   * database does not answer: whatever of the call may be committed is `known` when it is sent again.
   */
  accept(events: readonly AcceptedEvent[]): Promise<AcceptResult[]>;
  /** The number of the newest batch of the inbox; 0 when there is none. */
  newestBatch(): Promise<bigint>;
  /** Inbox batches that ClickHouse has not confirmed, in order. */
  pendingBatches(limit: number): Promise<bigint[]>;
  /** The events of a batch, always in the same order. */
  eventsOf(batch: bigint): Promise<FinanceEvent[]>;
  /** Records that ClickHouse holds the batch. */
  confirm(batch: bigint): Promise<void>;
  /** The highest batch up to which every batch is stored; 0 when there is none. */
  storedUpTo(): Promise<bigint>;
  /** Drops payloads of batches that were confirmed before the instant; keys and hashes stay. Returns how many. */
  purgePayloads(before: Date, limit?: number): Promise<number>;
  /** Called after each commit that accepted something. */
  onAccepted(listener: () => void): void;
  /** Waits for what was handed in. */
  drain(): Promise<void>;
}

/** Events and characters of their JSON in one transaction, and waiting, at most; one call may have more by itself. */
const MAX_GROUP = { events: 5_000, characters: 16 << 20 };
const MAX_WAITING = { events: 50_000, characters: 64 << 20 };
/** With batches behind, commits are spread so that each carries more: so many ms a waiting batch, at most the second. */
const LINGER_MS = { perBatch: 5, most: 200 };

/** An event and its JSON text, as the inbox keeps it. */
interface Item extends AcceptedEvent {
  readonly body: string;
}

interface Waiting {
  readonly items: readonly Item[];
  readonly characters: number;
  readonly resolve: (results: AcceptResult[]) => void;
  readonly reject: (error: unknown) => void;
  readonly trace: Context;
}

const keyOf = (source: string, id: string): string => `${source}\n${id}`;

/** The inbox: the acceptance of events, de-duplicated by (source, id), numbered in batches in the order of commits. */
export function openInbox(
  postgres: Postgres,
  deps: { now?: () => Date; maxWaiting?: { readonly events: number; readonly characters: number } } = {},
): Inbox {
  const { db } = postgres;
  const { now = () => new Date(), maxWaiting = MAX_WAITING } = deps;
  const listeners: (() => void)[] = [];
  let waiting: Waiting[] = [];
  let waitingEvents = 0;
  let waitingCharacters = 0;
  let committing: Promise<void> | undefined;
  let behind = 0;

  /** One transaction for the events of several calls; one result an event, in their order. */
  async function commit(events: readonly Item[]): Promise<AcceptResult[]> {
    const at = now();
    return db.transaction().execute(async (trx) => {
      const known = await hashesOf(events.map(({ event }) => event));
      const fresh = new Map<string, Item>();
      for (const item of events) {
        const key = keyOf(item.event.source, item.event.id);
        if (!known.has(key) && !fresh.has(key)) fresh.set(key, item);
      }
      const inserted = new Set<string>();
      if (fresh.size > 0) {
        const items = [...fresh.values()];
        const sources = new Set(items.map(({ event }) => event.source));
        const source = sources.size === 1 ? [...sources].join() : '*';
        const batch = await takeBatch(trx, { kind: 'inbox', source, rows: items.length });
        const rows = await sql<{ source: string; id: string }>`
          INSERT INTO inbox (source, id, body_hash, body, company, type, batch, received_at)
          SELECT source, id, body_hash, body::jsonb, company, type, ${batch}::bigint, ${at}::timestamptz
          FROM unnest(${items.map((item) => item.event.source)}::text[], ${items.map((item) => item.event.id)}::text[],
            ${items.map((item) => item.bodyHash)}::text[], ${items.map((item) => item.body)}::text[],
            ${items.map((item) => item.event.company)}::text[], ${items.map((item) => item.event.type)}::text[])
            AS given (source, id, body_hash, body, company, type)
          ON CONFLICT (source, id) DO NOTHING RETURNING source, id`.execute(trx);
        for (const row of rows.rows) inserted.add(keyOf(row.source, row.id));
        if (inserted.size < items.length) {
          // Another collector took some of them since we looked; its commit is visible now, for it held the lock.
          await trx
            .updateTable('batches')
            .set({ rows: inserted.size })
            .where('batch', '=', `${batch}`)
            .execute();
          const lost = items.filter(({ event }) => !inserted.has(keyOf(event.source, event.id)));
          for (const [key, hash] of await hashesOf(lost.map(({ event }) => event))) known.set(key, hash);
        }
      }
      const results = events.map((item): AcceptResult => {
        const key = keyOf(item.event.source, item.event.id);
        if (inserted.has(key) && fresh.get(key) === item) return 'accepted';
        return (known.get(key) ?? fresh.get(key)?.bodyHash) === item.bodyHash ? 'known' : 'conflict';
      });
      const accepted = events.filter((_, i) => results[i] === 'accepted').map(({ event }) => event);
      await settleDeadLetters(trx, accepted, at);
      const taken = events.filter((_, i) => results[i] !== 'conflict');
      await recordArrival(trx, arrivalsOf(taken, inserted), at);
      await declareComplete(trx, declarationsOf(taken), at);
      if (inserted.size > 0) behind++;
      return results;

      async function hashesOf(ids: readonly { source: string; id: string }[]): Promise<Map<string, string>> {
        const { rows } = await sql<{ source: string; id: string; body_hash: string }>`
          SELECT source, id, body_hash FROM inbox WHERE (source, id) IN (
            SELECT * FROM unnest(${ids.map(({ source }) => source)}::text[], ${ids.map(({ id }) => id)}::text[]))`.execute(
          trx,
        );
        return new Map(rows.map((row) => [keyOf(row.source, row.id), row.body_hash]));
      }
    });
  }

  /** Commits the events; when the database refuses what is in them, one half and then the other, down to the single one. */
  async function commitOrSplit(events: readonly Item[]): Promise<AcceptResult[]> {
    try {
      return await commit(events);
    } catch (error) {
      if (!isOfTheData(error)) throw error;
      if (events.length === 1) return ['unstorable'];
      const half = events.length >> 1;
      return [...(await commitOrSplit(events.slice(0, half))), ...(await commitOrSplit(events.slice(half)))];
    }
  }

  /** Commits a group of calls; the span lies in the trace of the first of them. */
  function commitTraced(group: readonly Waiting[]): Promise<AcceptResult[]> {
    const events = group.flatMap((call) => call.items);
    const operation = { 'db.system.name': 'postgresql', 'db.operation.name': 'inbox.commit' };
    const attributes = { ...operation, 'db.operation.batch.size': events.length };
    return context.with(group[0]?.trace ?? context.active(), () =>
      withSpan('inbox.commit', attributes, () => commitOrSplit(events), SpanKind.CLIENT),
    );
  }

  /** Takes whole calls off the line until a transaction is full. */
  function nextGroup(): Waiting[] {
    let events = 0;
    let characters = 0;
    const group: Waiting[] = [];
    for (const call of waiting) {
      const full =
        events + call.items.length > MAX_GROUP.events || characters + call.characters > MAX_GROUP.characters;
      if (group.length > 0 && full) break;
      group.push(call);
      events += call.items.length;
      characters += call.characters;
    }
    waiting = waiting.slice(group.length);
    waitingEvents -= events;
    waitingCharacters -= characters;
    return group;
  }

  async function commitAll(): Promise<void> {
    while (waiting.length > 0) {
      const linger = Math.min(LINGER_MS.most, behind * LINGER_MS.perBatch);
      if (linger > LINGER_MS.perBatch && waitingEvents < MAX_GROUP.events)
        await new Promise((resolve) => setTimeout(resolve, linger));
      const group = nextGroup();
      try {
        const results = await commitTraced(group);
        let at = 0;
        for (const call of group) {
          call.resolve(results.slice(at, at + call.items.length));
          at += call.items.length;
        }
        if (results.includes('accepted')) for (const listener of listeners) listener();
      } catch (error) {
        const failure = new ClosewatchError('store.unavailable', 'the inbox could not be written', {
          cause: error,
        });
        for (const call of group) call.reject(failure);
      }
    }
    committing = undefined;
  }

  return {
    accept(events) {
      if (events.length === 0) return Promise.resolve([]);
      const items = events.map((item): Item => ({ ...item, body: JSON.stringify(item.event) }));
      const characters = items.reduce((sum, { body }) => sum + body.length, 0);
      const tooMuch =
        waitingEvents + items.length > maxWaiting.events ||
        waitingCharacters + characters > maxWaiting.characters;
      if (waiting.length > 0 && tooMuch)
        return Promise.reject(
          new ClosewatchError('request.overloaded', 'too many events wait to be accepted'),
        );
      return new Promise((resolve, reject) => {
        waiting.push({ items, characters, resolve, reject, trace: context.active() });
        waitingEvents += items.length;
        waitingCharacters += characters;
        // The microtask lets calls of the same turn of the loop share the first transaction.
        committing ??= Promise.resolve().then(commitAll);
      });
    },
    async newestBatch() {
      const row = await db
        .selectFrom('batches')
        .select((eb) => eb.fn.max('batch').as('batch'))
        .where('kind', '=', 'inbox')
        .executeTakeFirst();
      return BigInt(row?.batch ?? 0);
    },
    async pendingBatches(limit) {
      const rows = await db
        .selectFrom('batches')
        .select('batch')
        .where('state', '=', 'pending')
        .where('kind', '=', 'inbox')
        .orderBy('batch')
        .limit(limit)
        .execute();
      behind = Math.max(0, rows.length - 1);
      return rows.map((row) => BigInt(row.batch));
    },
    async eventsOf(batch) {
      const rows = await db
        .selectFrom('inbox')
        .select(['body', 'received_at'])
        .where('batch', '=', `${batch}`)
        .where('body', 'is not', null)
        .orderBy('source')
        .orderBy('id')
        .execute();
      return rows.map((row) => ({
        ...(row.body as AcceptedEvent['event']),
        batch: `${batch}`,
        receivedAt: formatInstant(nanosOf(row.received_at)),
      }));
    },
    confirm: (batch) =>
      db.transaction().execute(async (trx) => {
        await trx
          .updateTable('batches')
          .set({ state: 'stored', stored_at: now() })
          .where('batch', '=', `${batch}`)
          .where('state', '=', 'pending')
          .execute();
        await trx
          .updateTable('inbox')
          .set({ state: 'stored' })
          .where('batch', '=', `${batch}`)
          .where('state', '=', 'pending')
          .execute();
      }),
    async storedUpTo() {
      const { rows } = await sql<{ batch: string }>`SELECT coalesce(
        (SELECT min(batch) - 1 FROM batches WHERE state = 'pending'), (SELECT max(batch) FROM batches), 0) AS batch`.execute(
        db,
      );
      return BigInt(rows[0]?.batch ?? 0);
    },
    async purgePayloads(before, limit = 10_000) {
      const { numUpdatedRows } = await db
        .updateTable('inbox')
        .set({ body: null })
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('source', 'id'),
            'in',
            selectFrom('inbox as old')
              .innerJoin('batches', 'batches.batch', 'old.batch')
              .select(['old.source', 'old.id'])
              .where('old.body', 'is not', null)
              .where('old.received_at', '<', before)
              .where('batches.stored_at', '<', before)
              .limit(limit)
              .$asTuple('source', 'id'),
          ),
        )
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },
    onAccepted: (listener) => void listeners.push(listener),
    drain: async () => {
      while (committing) await committing;
    },
  };
}

/** What came, summed up by source and company. Known events count as an arrival, not as events. */
function arrivalsOf(events: readonly AcceptedEvent[], inserted: ReadonlySet<string>): Iterable<Arrival> {
  const arrivals = createArrivalSums();
  for (const { event, declares } of events) {
    if (declares) continue;
    arrivals.note(event, parseInstant(event.time) ?? 0n);
    if (inserted.has(keyOf(event.source, event.id))) arrivals.count(event);
  }
  return arrivals.sums();
}

function declarationsOf(events: readonly AcceptedEvent[]): Iterable<Declaration> {
  const latest = new Map<string, Declaration>();
  for (const { event, declares } of events) {
    if (!declares) continue;
    const key = `${keyOf(event.source, event.company)}\n${declares.stream}`;
    const before = latest.get(key);
    if (before && before.completeUpTo >= declares.completeUpTo) continue;
    latest.set(key, { source: event.source, company: event.company, ...declares });
  }
  return latest.values();
}
