import { type Kysely, sql } from 'kysely';
import { recordset } from './recordset.ts';
import type { Database } from './schema.ts';

/** An event that is dated ahead: its time in epoch nanoseconds, and its id. */
export interface EventAhead {
  readonly at: bigint;
  readonly event: string;
}

const ROWS_A_STATEMENT = 10_000;
/** How many one pass takes at most; the next takes the rest. */
const MOST = 20_000;

/** Remembers events until their time has come; one that is known already changes nothing. */
export async function rememberAhead(db: Kysely<Database>, ahead: readonly EventAhead[]): Promise<void> {
  for (let from = 0; from < ahead.length; from += ROWS_A_STATEMENT) {
    const rows = ahead.slice(from, from + ROWS_A_STATEMENT).map(({ at, event }) => ({ at_ns: at, event }));
    await db
      .insertInto('events_ahead')
      .columns(['at_ns', 'event'])
      .expression(recordset('events_ahead', ['at_ns', 'event'], rows))
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** The remembered events whose time has come, the earliest first, 20,000 at most. */
export async function eventsCome(db: Kysely<Database>, now: bigint): Promise<EventAhead[]> {
  const rows = await db
    .selectFrom('events_ahead')
    .selectAll()
    .where('at_ns', '<=', `${now}`)
    .orderBy('at_ns')
    .orderBy('event')
    .limit(MOST)
    .execute();
  return rows.map(({ at_ns, event }) => ({ at: BigInt(at_ns), event }));
}

/** Forgets remembered events, once they are judged. */
export async function forgetAhead(db: Kysely<Database>, come: readonly EventAhead[]): Promise<void> {
  if (come.length === 0) return;
  const times = come.map(({ at }) => `${at}`);
  const events = come.map(({ event }) => event);
  await sql`DELETE FROM events_ahead USING unnest(${times}::bigint[], ${events}::text[]) AS come(at_ns, event)
    WHERE events_ahead.at_ns = come.at_ns AND events_ahead.event = come.event`.execute(db);
}
