import { sql } from 'kysely';
import type { Postgres } from './database.ts';

const DAY_MS = 86_400_000;
/** ClickHouse has the history; here it stays a week, as payloads of the inbox do. */
const KEEP_HISTORY_MS = 7 * DAY_MS;
const KEEP_SETTLED_LETTERS_MS = 30 * DAY_MS;
const ROWS_AT_ONCE = 10_000;

/**
 * Removes what nobody looks back on here: changes of obligations, exceptions, readiness and watermarks that ClickHouse has
 * and that are older than a week, and dead letters that were settled 30 days before `now`. At most 10,000 rows of each at a
 * call; returns how many.
 */
export async function tidyHistory({ db }: Pick<Postgres, 'db'>, now: Date): Promise<number> {
  const historyBefore = new Date(now.getTime() - KEEP_HISTORY_MS);
  const changes = await sql`
    DELETE FROM change_log WHERE seq IN (
      SELECT seq FROM change_log
      WHERE shipped AND entity IN ('obligation', 'exception', 'readiness', 'watermark') AND at < ${historyBefore}
      ORDER BY at LIMIT ${ROWS_AT_ONCE})`.execute(db);
  const lettersBefore = new Date(now.getTime() - KEEP_SETTLED_LETTERS_MS);
  const letters = await sql`
    DELETE FROM dead_letters WHERE id IN (
      SELECT id FROM dead_letters
      WHERE state <> 'open' AND coalesce(decided_at, received_at) < ${lettersBefore} LIMIT ${ROWS_AT_ONCE})`.execute(
    db,
  );
  return Number(changes.numAffectedRows ?? 0n) + Number(letters.numAffectedRows ?? 0n);
}
