import { sql } from 'kysely';
import type { Postgres } from './database.ts';

const DAY_MS = 86_400_000;
/** ClickHouse has the history; here it stays a week. */
const KEEP_HISTORY_MS = 7 * DAY_MS;
const ROWS_AT_ONCE = 10_000;

/**
 * Removes what nobody looks back on here: changes of obligations, exceptions, readiness and watermarks that ClickHouse has
 * and that are older than a week. At most 10,000 rows at a call; returns how many.
 */
export async function tidyHistory({ db }: Pick<Postgres, 'db'>, now: Date): Promise<number> {
  const before = new Date(now.getTime() - KEEP_HISTORY_MS);
  const { numAffectedRows } = await sql`
    DELETE FROM change_log WHERE seq IN (
      SELECT seq FROM change_log
      WHERE shipped AND entity IN ('obligation', 'exception', 'readiness', 'watermark') AND at < ${before}
      ORDER BY at LIMIT ${ROWS_AT_ONCE})`.execute(db);
  return Number(numAffectedRows ?? 0n);
}

/** Removes dead letters that were settled before the instant, 10,000 at most at a call; returns how many. Open ones stay. */
export async function tidySettledLetters({ db }: Pick<Postgres, 'db'>, before: Date): Promise<number> {
  const { numAffectedRows } = await sql`
    DELETE FROM dead_letters WHERE id IN (
      SELECT id FROM dead_letters
      WHERE state <> 'open' AND coalesce(decided_at, received_at) < ${before} LIMIT ${ROWS_AT_ONCE})`.execute(
    db,
  );
  return Number(numAffectedRows ?? 0n);
}
