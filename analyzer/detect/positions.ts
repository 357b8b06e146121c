import type { Kysely } from 'kysely';
import { moveCursor, readCursor } from '../../store/postgres/cursors.ts';
import type { Database } from '../../store/postgres/schema.ts';

const BATCHES = 'detect.batches';
const CLOCK = 'detect.clock';

/** Two machines' clocks differ by so much at most; a last pass further ahead had a wrong one. */
const SKEW_NANOS = 60_000_000_000n;

/** How far detection has come; undefined: not begun. */
export interface Positions {
  /** Every batch up to here was judged. */
  readonly batches: bigint | undefined;
  /** The instant as of which deadlines were last judged, epoch nanoseconds. */
  readonly clock: bigint | undefined;
}

export async function positions(db: Kysely<Database>): Promise<Positions> {
  return { batches: await readCursor(db, BATCHES), clock: await readCursor(db, CLOCK) };
}

/** Moves on past batches, in the transaction that records their judgement. */
export const moveBatches = (db: Kysely<Database>, to: bigint, at: Date): Promise<void> =>
  moveCursor(db, BATCHES, to, at);

/** Sets the instant of the last pass, in the transaction that records what time made due. */
export const moveClock = (db: Kysely<Database>, to: bigint, at: Date): Promise<void> =>
  moveCursor(db, CLOCK, to, at);

/** Was the last pass made as of an instant that `asked` shows to have been wrong? */
export const isAhead = (clock: bigint | undefined, asked: bigint): clock is bigint =>
  clock !== undefined && clock - asked > SKEW_NANOS;

/**
 * The instant of a judgement that is asked for now (epoch nanoseconds): not before the last pass, for what that judged
 * would not have happened yet, unless that pass was too far ahead to be believed.
 */
export const instantOfPass = (clock: bigint | undefined, asked: bigint): bigint =>
  clock !== undefined && clock > asked && !isAhead(clock, asked) ? clock : asked;
