import { sql, type Transaction } from 'kysely';
import { type EventRef, eventRefKey } from '../../model/event.ts';
import { parseInstant } from '../../model/time.ts';
import type { AcceptedEvent, AcceptResult } from './accepted.ts';
import { lockBatches, takeBatch } from './batches.ts';
import type { Postgres } from './database.ts';
import { lockOpenLetters, settleReplayed } from './dead-letter-decisions.ts';
import { settleDeadLetters } from './dead-letters.ts';
import { knownHashes } from './inbox-hashes.ts';
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

const keyOf = ({ event }: AcceptedEvent): string => eventRefKey(event);
const refsOf = (items: readonly Item[]): EventRef[] => items.map(({ event }) => event);

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
    const claims = new Map<string, Item>();
    for (const item of items)
      if (item.replays && open.has(item.replays.letter) && !claims.has(item.replays.letter))
        claims.set(item.replays.letter, item);
    const isGiven = (item: Item): boolean => !item.replays || claims.get(item.replays.letter) === item;
    const given = items.filter(isGiven);
    const known = await knownHashes(trx, refsOf(given));
    const fresh = new Map<string, Item>();
    for (const item of given) {
      const key = keyOf(item);
      if (!known.has(key) && !fresh.has(key)) fresh.set(key, item);
    }
    const inserted = await insert([...fresh.values()]);
    const results = items.map((item): AcceptResult => {
      if (!isGiven(item)) return 'settled';
      const key = keyOf(item);
      if (inserted.has(key) && fresh.get(key) === item) return 'accepted';
      return (known.get(key) ?? fresh.get(key)?.bodyHash) === item.bodyHash ? 'known' : 'conflict';
    });
    const accepted = items.filter((_, i) => results[i] === 'accepted');
    for (const result of ['accepted', 'known'] as const) {
      const settled = items.filter((_, i) => results[i] === result).flatMap(({ replays }) => replays ?? []);
      for (const [by, some] of Map.groupBy(settled, (one) => one.by))
        await settleReplayed(
          trx,
          some.flatMap(({ letter }) => open.get(letter) ?? []),
          { result, by, at },
        );
    }
    await settleDeadLetters(trx, refsOf(accepted), at);
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
        const lost = rows.filter((item) => !added.has(keyOf(item)));
        for (const [key, hash] of await knownHashes(trx, refsOf(lost))) known.set(key, hash);
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
  return rows.map((row) => eventRefKey(row));
}

/** What came, summed up by source and company. Known events count as an arrival, not as events. */
function arrivalsOf(events: readonly AcceptedEvent[], inserted: ReadonlySet<string>): Iterable<Arrival> {
  const arrivals = createArrivalSums();
  for (const { event, declares } of events) {
    if (declares) continue;
    arrivals.note(event, parseInstant(event.time) ?? 0n);
    if (inserted.has(eventRefKey(event))) arrivals.count(event);
  }
  return arrivals.sums();
}

function declarationsOf(events: readonly AcceptedEvent[]): Iterable<Declaration> {
  const latest = new Map<string, Declaration>();
  for (const { event, declares } of events) {
    if (!declares) continue;
    const key = `${event.source}\n${event.company}\n${declares.stream}`;
    const before = latest.get(key);
    if (before && before.completeUpTo >= declares.completeUpTo) continue;
    latest.set(key, { source: event.source, company: event.company, ...declares });
  }
  return latest.values();
}
