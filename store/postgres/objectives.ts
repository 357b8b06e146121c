import type { Kysely } from 'kysely';
import type { Minute } from '../clickhouse/objective-queries.ts';
import { recordset } from './recordset.ts';
import type { Database } from './schema.ts';

/** What objectives have seen of the telemetry: minutes of burn rates, and signatures of errors. */

/** Writes the minutes of an objective, over those that are there, and forgets those before `since`. */
export async function saveMinutes(
  db: Kysely<Database>,
  objective: string,
  minutes: readonly Minute[],
  since: number,
): Promise<void> {
  await db
    .deleteFrom('objective_minutes')
    .where('objective', '=', objective)
    .where('minute', '<', `${since}`)
    .execute();
  if (minutes.length === 0) return;
  await db
    .insertInto('objective_minutes')
    .columns(['objective', 'minute', 'total', 'bad'])
    .expression(
      recordset(
        'objective_minutes',
        ['objective', 'minute', 'total', 'bad'],
        minutes.map((one) => ({ objective, ...one })),
      ),
    )
    .onConflict((conflict) =>
      conflict
        .columns(['objective', 'minute'])
        .doUpdateSet(({ ref }) => ({ total: ref('excluded.total'), bad: ref('excluded.bad') })),
    )
    .execute();
}

/** The minutes of an objective from `since` on, in order. */
export async function minutesSince(
  db: Kysely<Database>,
  objective: string,
  since: number,
): Promise<Minute[]> {
  const rows = await db
    .selectFrom('objective_minutes')
    .select(['minute', 'total', 'bad'])
    .where('objective', '=', objective)
    .where('minute', '>=', `${since}`)
    .orderBy('minute')
    .execute();
  return rows.map(({ minute, total, bad }) => ({
    minute: Number(minute),
    total: Number(total),
    bad: Number(bad),
  }));
}

export interface SignatureRow {
  readonly service: string;
  readonly signature: string;
  readonly firstAt: Date;
  readonly lastAt: Date;
  readonly total: number;
  readonly rate: number;
}

/** The signatures that an objective knows. */
export async function signaturesOf(db: Kysely<Database>, objective: string): Promise<SignatureRow[]> {
  const rows = await db
    .selectFrom('error_signatures')
    .selectAll()
    .where('objective', '=', objective)
    .execute();
  return rows.map((row) => ({
    service: row.service,
    signature: row.signature,
    firstAt: row.first_at,
    lastAt: row.last_at,
    total: Number(row.total),
    rate: Number(row.rate),
  }));
}

/** Writes signatures as they are now, and forgets those that were last seen before `before`. */
export async function saveSignatures(
  db: Kysely<Database>,
  objective: string,
  rows: readonly SignatureRow[],
  before: Date,
): Promise<void> {
  await db
    .deleteFrom('error_signatures')
    .where('objective', '=', objective)
    .where('last_at', '<', before)
    .execute();
  if (rows.length === 0) return;
  const columns = ['objective', 'service', 'signature', 'first_at', 'last_at', 'total', 'rate'] as const;
  await db
    .insertInto('error_signatures')
    .columns([...columns])
    .expression(
      recordset(
        'error_signatures',
        columns,
        rows.map(({ service, signature, firstAt, lastAt, total, rate }) => ({
          objective,
          service,
          signature,
          first_at: firstAt,
          last_at: lastAt,
          total,
          rate,
        })),
      ),
    )
    .onConflict((conflict) =>
      conflict.columns(['objective', 'service', 'signature']).doUpdateSet(({ ref }) => ({
        last_at: ref('excluded.last_at'),
        total: ref('excluded.total'),
        rate: ref('excluded.rate'),
      })),
    )
    .execute();
}
