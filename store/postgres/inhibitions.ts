import { type Kysely, sql } from 'kysely';
import type { Database } from './schema.ts';

/** What the exceptions of a rule explain: those of other rules that came due since. */
export interface Inhibitor {
  readonly rule: string;
  readonly explains: readonly string[];
}

/** What stands in `inhibited_by` of an exception that another one explains. */
export const inhibitedByException = (id: string): string => `exception:${id}`;
const PREFIX = inhibitedByException('');

/**
 * Holds back what open exceptions of the rules explain: the open exceptions of the explained rules, in the same company (or, of
 * one without a company, in all), that came due after it began and are in no incident yet, notify nobody and name it. What an
 * exception explained that is over notifies after all, when it still stands open.
 */
export async function inhibit(
  db: Kysely<Database>,
  inhibitors: readonly Inhibitor[],
  at: Date,
): Promise<{ held: number; released: number }> {
  const released = await sql`UPDATE exceptions SET inhibited_by = NULL, notify = true, updated_at = ${at}
    WHERE inhibited_by LIKE ${`${PREFIX}%`} AND state = 'open' AND NOT EXISTS (
      SELECT FROM exceptions AS other WHERE other.id = substr(exceptions.inhibited_by, ${PREFIX.length + 1}) AND other.state = 'open')`.execute(
    db,
  );
  let held = 0;
  for (const { rule, explains } of inhibitors) {
    const done =
      await sql`UPDATE exceptions SET inhibited_by = ${PREFIX} || other.id, notify = false, updated_at = ${at}
      FROM (SELECT id, company, anchor_ns FROM exceptions WHERE rule = ${rule} AND state = 'open') AS other
      WHERE exceptions.state = 'open' AND exceptions.rule = ANY(${explains}::text[]) AND exceptions.id <> other.id
        AND (other.company = '' OR other.company = exceptions.company) AND exceptions.due_ns >= other.anchor_ns
        AND exceptions.incident IS NULL AND exceptions.inhibited_by IS NULL`.execute(db);
    held += Number(done.numAffectedRows ?? 0n);
  }
  return { held, released: Number(released.numAffectedRows ?? 0n) };
}
