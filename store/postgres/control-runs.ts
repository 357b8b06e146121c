import { type Insertable, type Kysely, sql } from 'kysely';
import type { ControlRunTable, Database } from './schema.ts';

/** One row holds passes of at most so long a time, so that evidence stays as fine. */
const ROW_MS = 3_600_000;

/**
 * Records that a control ran, what it looked at and what came of it; one that found nothing is evidence too. A run that
 * saw no event, moved nothing and is otherwise like the one before is counted in its row, for an hour.
 */
export async function recordControlRun(
  db: Kysely<Database>,
  run: Insertable<ControlRunTable> & { started_at: Date; ended_at: Date; rules: string },
): Promise<void> {
  const isQuiet = `${run.events}` === '0' && run.opened === 0 && run.closed === 0;
  if (isQuiet && (await addToLast(db, run))) return;
  await db.insertInto('control_runs').values(run).execute();
}

/** Counts the run in the last row, if that is of the same kind; did it? */
async function addToLast(
  db: Kysely<Database>,
  run: Parameters<typeof recordControlRun>[1],
): Promise<boolean> {
  const last = sql<string>`(SELECT max(id) FROM control_runs)`;
  const added = await db
    .updateTable('control_runs')
    .set(({ eb }) => ({ ended_at: run.ended_at, as_of_ns: run.as_of_ns, passes: eb('passes', '+', 1) }))
    .where('id', '=', last)
    .where('pass', '=', run.pass)
    .where('started_at', '>', new Date(run.ended_at.getTime() - ROW_MS))
    .where('to_batch', '=', `${run.to_batch}`)
    .where('events', '=', '0')
    .where('opened', '=', 0)
    .where('closed', '=', 0)
    .where('obligations_touched', '=', `${run.obligations_touched}`)
    .where(sql<boolean>`rules = ${run.rules}::jsonb`)
    .where('rule_set', '=', run.rule_set ?? '')
    .executeTakeFirst();
  return added.numUpdatedRows > 0n;
}

/** Forgets the runs that ended before the instant. */
export async function forgetControlRuns(db: Kysely<Database>, before: Date): Promise<void> {
  await db.deleteFrom('control_runs').where('ended_at', '<', before).execute();
}
