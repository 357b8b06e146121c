import { type Kysely, sql } from 'kysely';
import { type EventRef, eventRefKey } from '../../model/event.ts';
import type { Database } from './schema.ts';

/** The body hashes of those of the events that the inbox knows, by `eventRefKey`. */
export async function knownHashes(
  db: Kysely<Database>,
  events: readonly EventRef[],
): Promise<Map<string, string>> {
  if (events.length === 0) return new Map();
  const asked = JSON.stringify(events.map(({ source, id }) => ({ source, id })));
  const { rows } = await sql<{ source: string; id: string; body_hash: string }>`
    SELECT source, id, body_hash FROM inbox
    WHERE (source, id) IN (SELECT source, id FROM json_to_recordset(${asked}::json) AS asked (source text, id text))`.execute(
    db,
  );
  return new Map(rows.map((row) => [eventRefKey(row), row.body_hash]));
}
