import { canonicalJson } from '../../model/canonical-json.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';

/** What holds at an instant, of something that is judged anew each time and is no row of its own. */
export interface Snapshot {
  readonly entity: 'readiness' | 'watermark';
  readonly entityId: string;
  readonly company: string;
  /** One word for the history: `ready`, `stale` … */
  readonly state: string;
  /** What is worth a new entry as soon as it, or the state, differs. JSON. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** What moves all the time, a clock say: by itself worth an entry every five minutes. JSON. */
  readonly moving?: Readonly<Record<string, unknown>>;
}

const MOVES_AFTER_MS = 5 * 60_000;

/**
 * Appends those snapshots to the history, as of `at`, that differ from the last ones of the same things; returns how many.
 * What does not change is written once.
 */
export async function recordSnapshots(
  { db }: Postgres,
  snapshots: readonly Snapshot[],
  at: Date,
): Promise<number> {
  if (snapshots.length === 0) return 0;
  return await db.transaction().execute(async (trx) => {
    const rows = await trx
      .selectFrom('snapshots')
      .selectAll()
      .where('entity', 'in', [...new Set(snapshots.map(({ entity }) => entity))])
      .forUpdate()
      .execute();
    const last = new Map(rows.map((row) => [`${row.entity} ${row.entity_id}`, row]));
    const due = snapshots.filter(({ entity, entityId, state, facts, moving = {} }) => {
      const before = last.get(`${entity} ${entityId}`);
      if (!before) return true;
      const stored = before.facts as { state: string; facts: unknown; moving: unknown };
      if (stored.state !== state || canonicalJson(stored.facts) !== canonicalJson(facts)) return true;
      const rested = at.getTime() - before.taken_at.getTime() >= MOVES_AFTER_MS;
      return rested && canonicalJson(stored.moving) !== canonicalJson(moving);
    });
    for (const { entity, entityId, state, facts, moving = {} } of due) {
      const value = { facts: JSON.stringify({ state, facts, moving }), taken_at: at };
      await trx
        .insertInto('snapshots')
        .values({ entity, entity_id: entityId, ...value })
        .onConflict((conflict) => conflict.columns(['entity', 'entity_id']).doUpdateSet(value))
        .execute();
    }
    await appendChanges(
      trx,
      due.map(({ entity, entityId, company, state, facts, moving }) => ({
        entity,
        entityId,
        company,
        change: 'judged',
        at,
        state,
        data: { ...facts, ...moving },
      })),
    );
    return due.length;
  });
}
