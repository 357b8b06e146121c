import type { Insertable, Kysely } from 'kysely';
import type { ControlRunTable, Database } from './schema.ts';

/** Records that a control ran, what it looked at and what came of it; one that found nothing is evidence too. */
export async function recordControlRun(
  db: Kysely<Database>,
  run: Insertable<ControlRunTable>,
): Promise<void> {
  await db.insertInto('control_runs').values(run).execute();
}
