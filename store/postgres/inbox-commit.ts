import { type Kysely, sql, type Transaction } from 'kysely';
import { parseInstant } from '../../model/time.ts';
import type { AcceptedEvent, AcceptResult } from './accepted.ts';
import { lockFilling, MAX_BATCH, type Size } from './batches.ts';
import type { Postgres } from './database.ts';
import { lockOpenLetters, settleReplayed } from './dead-letter-decisions.ts';
import type { Database } from './schema.ts';
import { type Declaration, declareComplete } from './sources.ts';

/** An event and its JSON text, as the inbox keeps it. */
export interface Item extends AcceptedEvent {
  readonly body: string;
}

/** Events and characters of JSON. */
export const sizeOf = (items: readonly Item[]): Size => ({
  events: items.length,
  characters: items.reduce((sum, { body }) => sum + body.length, 0),
});

interface Taking {
  readonly at: Date;
  readonly isCritical: (event: AcceptedEvent) => boolean;
}

/** Takes the events, all or none; one result an event, in their order. */
export async function commitEvents(
  { db }: Postgres,
  items: readonly Item[],
  taking: Taking,
): Promise<AcceptResult[]> {
  // What most events need is one statement, a transaction by itself: each trip to the database costs.
  if (items.every(({ replays, declares }) => !replays && !declares)) return acceptEvents(db, items, taking);
  return await db.transaction().execute(async (trx) => {
    const claims = await claimLetters(trx, items);
    const given = items.filter((item) => claims.isGiven(item));
    const results = await acceptEvents(trx, given, taking);
    const resultOf = new Map(given.map((item, i) => [item, results[i] as AcceptResult]));
    const taken = given.filter((item) => resultOf.get(item) !== 'conflict');
    for (const result of ['accepted', 'known'] as const)
      await claims.settle(
        taken.filter((item) => resultOf.get(item) === result),
        result,
        taking.at,
      );
    for (const [when, some] of Map.groupBy(taken, (item) => arrivalOf(item, taking.at)))
      await declareComplete(trx, declarationsOf(some), when);
    return items.map((item) => resultOf.get(item) ?? 'settled');
  });
}

/** What a person takes through again arrived when it was refused: it says nothing of its source today. */
const arrivalOf = ({ replays }: Item, at: Date): Date => replays?.receivedAt ?? at;

/** Calls `accept_events`: the inbox, its batches, dead letters of the events, and the arrivals of their sources. */
async function acceptEvents(
  db: Kysely<Database>,
  items: readonly Item[],
  { at, isCritical }: Taking,
): Promise<AcceptResult[]> {
  if (items.length === 0) return [];
  const heads = items.map((item, i) => {
    const { source, id, company, type, time } = item.event;
    return {
      n: i + 1,
      ...{ source, id, company, type },
      hash: item.bodyHash,
      size: item.body.length,
      critical: isCritical(item),
      at: `${parseInstant(time) ?? 0n}`,
      arrivedAt: item.declares ? null : arrivalOf(item, at),
    };
  });
  const bodies = `[${items.map(({ body }) => body).join()}]`;
  const { rows } = await sql<{ n: number; result: AcceptResult }>`
    SELECT n, result FROM accept_events(${JSON.stringify(heads)}::json, ${bodies}::jsonb, ${at}::timestamptz,
      ${MAX_BATCH.events}, ${MAX_BATCH.characters})`.execute(db);
  const results: AcceptResult[] = new Array(items.length);
  for (const { n, result } of rows) results[n - 1] = result;
  return results;
}

/** The dead letters that events are taken through again from: each by the first that names it, while it is open. */
async function claimLetters(trx: Transaction<Database>, items: readonly Item[]) {
  const letters = items.flatMap(({ replays }) => replays?.letter ?? []);
  // Whoever settles letters has the turn to take and fill batches: so two of them never wait for each other.
  if (letters.length > 0) await lockFilling(trx);
  const open = await lockOpenLetters(trx, letters);
  const claims = new Map<string, Item>();
  for (const item of items)
    if (item.replays && open.has(item.replays.letter) && !claims.has(item.replays.letter))
      claims.set(item.replays.letter, item);
  return {
    isGiven: (item: Item): boolean => !item.replays || claims.get(item.replays.letter) === item,
    async settle(taken: readonly Item[], result: 'accepted' | 'known', at: Date): Promise<void> {
      const settled = taken.flatMap(({ replays }) => replays ?? []);
      for (const [by, some] of Map.groupBy(settled, (one) => one.by))
        await settleReplayed(
          trx,
          some.flatMap(({ letter }) => open.get(letter) ?? []),
          { result, by, at },
        );
    },
  };
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
