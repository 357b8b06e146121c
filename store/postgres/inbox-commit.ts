import { sql, type Transaction } from 'kysely';
import { parseInstant } from '../../model/time.ts';
import type { AcceptedEvent, AcceptResult } from './accepted.ts';
import { lockBatches, takeBatch } from './batches.ts';
import type { Postgres } from './database.ts';
import { lockOpenLetters, settleReplayed } from './dead-letter-decisions.ts';
import { settleDeadLetters } from './dead-letters.ts';
import type { Database } from './schema.ts';
import {
  type Arrival,
  createArrivalSums,
  type Declaration,
  declareComplete,
  recordArrival,
} from './sources.ts';

/** An event and its JSON text, as the inbox keeps it. */
export interface Item extends AcceptedEvent {
  readonly body: string;
}

const keyOf = (source: string, id: string): string => `${source}\n${id}`;
const keyOfItem = ({ event }: AcceptedEvent): string => keyOf(event.source, event.id);

/** Takes the events in one transaction; one result an event, in their order. `added` is whether a batch was. */
export async function commitEvents(
  { db }: Postgres,
  items: readonly Item[],
  { at, isCritical }: { at: Date; isCritical: (event: AcceptedEvent) => boolean },
): Promise<{ results: AcceptResult[]; added: boolean }> {
  const replays = items.flatMap(({ replays }) => replays?.letter ?? []);
  return await db.transaction().execute(async (trx) => {
    // Whoever settles letters has the turn to take batches: so two of them never wait for each other.
    if (replays.length > 0) await lockBatches(trx);
    const open = await lockOpenLetters(trx, replays);
    const given = items.filter((item) => !item.replays || open.has(item.replays.letter));
    const known = await hashesOf(trx, given);
    const fresh = new Map<string, Item>();
    for (const item of given) {
      const key = keyOfItem(item);
      if (!known.has(key) && !fresh.has(key)) fresh.set(key, item);
    }
    const inserted = await insert([...fresh.values()]);
    const results = items.map((item): AcceptResult => {
      if (item.replays && !open.has(item.replays.letter)) return 'settled';
      const key = keyOfItem(item);
      if (inserted.has(key) && fresh.get(key) === item) return 'accepted';
      return (known.get(key) ?? fresh.get(key)?.bodyHash) === item.bodyHash ? 'known' : 'conflict';
    });
    const accepted = items.filter((_, i) => results[i] === 'accepted');
    for (const result of ['accepted', 'known'] as const) {
      const settled = items.filter((_, i) => results[i] === result).flatMap(({ replays }) => replays ?? []);
      await settleReplayed(
        trx,
        settled.flatMap(({ letter }) => open.get(letter) ?? []),
        { result, by: settled[0]?.by ?? '', at },
      );
    }
    await settleDeadLetters(
      trx,
      accepted.map(({ event }) => event),
      at,
    );
    const taken = items.filter((_, i) => results[i] === 'accepted' || results[i] === 'known');
    await recordArrivals(taken, inserted);
    return { results, added: inserted.size > 0 };

    async function insert(rows: readonly Item[]): Promise<ReadonlySet<string>> {
      if (rows.length === 0) return new Set();
      const sources = new Set(rows.map(({ event }) => event.source));
      const source = sources.size === 1 ? [...sources].join() : '*';
      const critical = rows.some(isCritical);
      const batch = await takeBatch(trx, { kind: 'inbox', source, rows: rows.length, critical });
      const added = new Set(await insertRows(trx, rows, batch, at));
      if (added.size < rows.length) {
        // Another collector took some of them since we looked; its commit is visible now, for it held the lock.
        await trx.updateTable('batches').set({ rows: added.size }).where('batch', '=', `${batch}`).execute();
        const lost = rows.filter((item) => !added.has(keyOfItem(item)));
        for (const [key, hash] of await hashesOf(trx, lost)) known.set(key, hash);
      }
      return added;
    }

    /** What a person takes through again arrived when it was refused: it says nothing of its source today. */
    async function recordArrivals(events: readonly Item[], added: ReadonlySet<string>): Promise<void> {
      for (const [when, some] of Map.groupBy(events, ({ replays }) => replays?.receivedAt ?? at)) {
        await recordArrival(trx, arrivalsOf(some, added), when);
        await declareComplete(trx, declarationsOf(some), when);
      }
    }
  });
}

/** One JSON parameter: text arrays cost PostgreSQL more to read than all of the rest. Returns the keys that were added. */
async function insertRows(
  trx: Transaction<Database>,
  items: readonly Item[],
  batch: bigint,
  at: Date,
): Promise<string[]> {
  const given = `[${items.map(({ body, bodyHash }) => `{"hash":${JSON.stringify(bodyHash)},"event":${body}}`).join()}]`;
  const { rows } = await sql<{ source: string; id: string }>`
    INSERT INTO inbox (source, id, body_hash, body, company, type, batch, received_at)
    SELECT event->>'source', event->>'id', given->>'hash', event, event->>'company', event->>'type',
      ${batch}::bigint, ${at}::timestamptz
    FROM jsonb_array_elements(${given}::jsonb) AS given, LATERAL (SELECT given->'event' AS event) AS of_it
    ON CONFLICT (source, id) DO NOTHING RETURNING source, id`.execute(trx);
  return rows.map((row) => keyOf(row.source, row.id));
}

async function hashesOf(trx: Transaction<Database>, items: readonly Item[]): Promise<Map<string, string>> {
  if (items.length === 0) return new Map();
  const asked = JSON.stringify(items.map(({ event: { source, id } }) => ({ source, id })));
  const { rows } = await sql<{ source: string; id: string; body_hash: string }>`
    SELECT source, id, body_hash FROM inbox
    WHERE (source, id) IN (SELECT source, id FROM json_to_recordset(${asked}::json) AS asked (source text, id text))`.execute(
    trx,
  );
  return new Map(rows.map((row) => [keyOf(row.source, row.id), row.body_hash]));
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
