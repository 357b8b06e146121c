import type { Kysely } from 'kysely';
import type { Database } from '../schema.ts';
import type { Arrival } from '../sources.ts';

/** Makes the database know live sources as if events of theirs had been accepted at `at`. */
export async function recordArrival(
  db: Kysely<Database>,
  arrivals: readonly Arrival[],
  at: Date,
): Promise<void> {
  const values = arrivals.map(({ source, company, types, lastEventAt, events }) => ({
    source,
    company,
    kind: 'assumed' as const,
    types: [...types],
    last_event_ns: lastEventAt ?? null,
    last_arrival_at: at,
    events,
    updated_at: at,
  }));
  await db
    .insertInto('sources')
    .values(values)
    .onConflict((conflict) =>
      conflict.columns(['source', 'company', 'stream']).doUpdateSet({ last_arrival_at: at, updated_at: at }),
    )
    .execute();
}
