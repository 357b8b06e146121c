import { type Kysely, sql } from 'kysely';
import type { Database } from './schema.ts';

/** For how long a turn holds after its last sign of life, by the database's clock. Whoever waits for one must wait for longer: its holder may be dead. */
export const HELD_MS = 20_000;

const until = sql<Date>`clock_timestamp() + ${HELD_MS}::integer * interval '1 millisecond'`;

/** Takes the turn `name` when nobody holds it; returns its token, which no turn before had, or undefined. */
export async function takeTurn(db: Kysely<Database>, name: string): Promise<bigint | undefined> {
  const taken = await db
    .insertInto('turns')
    .values({ name, token: 1, held_until: until })
    .onConflict((conflict) =>
      conflict
        .column('name')
        .doUpdateSet({ token: sql`turns.token + 1`, held_until: until })
        .where(sql<boolean>`turns.held_until <= clock_timestamp()`),
    )
    .returning('token')
    .executeTakeFirst();
  return taken && BigInt(taken.token);
}

/**
 * Holds the turn for longer; false when somebody else has it by now. In a transaction nobody can take it before the end:
 * what the transaction writes is written under the turn.
 */
export async function holdTurn(db: Kysely<Database>, name: string, token: bigint): Promise<boolean> {
  const held = await db
    .updateTable('turns')
    .set({ held_until: until })
    .where('name', '=', name)
    .where('token', '=', `${token}`)
    .returning('token')
    .executeTakeFirst();
  return held !== undefined;
}

/** Gives the turn back, so that the next need not wait. */
export async function endTurn(db: Kysely<Database>, name: string, token: bigint): Promise<void> {
  await db
    .updateTable('turns')
    .set({ held_until: sql`clock_timestamp()` })
    .where('name', '=', name)
    .where('token', '=', `${token}`)
    .execute();
}

/** Ends every turn, where nobody else can have the database open: whoever had one is dead. */
export async function endTurns(db: Kysely<Database>): Promise<void> {
  await db
    .updateTable('turns')
    .set({ held_until: sql`clock_timestamp()` })
    .where(sql<boolean>`held_until > clock_timestamp()`)
    .execute();
}
