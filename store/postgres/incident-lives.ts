import { randomUUID } from 'node:crypto';
import { sql, type Transaction } from 'kysely';
import type { Cause, IncidentState } from '../../model/incident.ts';
import type { Severity } from '../../model/severity.ts';
import { dateOf } from '../../model/time.ts';
import type { IncidentRow } from './incidents.ts';
import type { Database, MoneySum } from './schema.ts';

/** The incident, locked to the end of the transaction. */
export async function lockIncident(trx: Transaction<Database>, id: string): Promise<IncidentRow | undefined> {
  return await trx.selectFrom('incidents').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
}

/** The incident of the cause that is not resolved, locked; there is at most one. */
export async function lockLiving(
  trx: Transaction<Database>,
  company: string,
  cause: Pick<Cause, 'kind' | 'key'>,
): Promise<IncidentRow | undefined> {
  return await trx
    .selectFrom('incidents')
    .selectAll()
    .where('company', '=', company)
    .where('cause_kind', '=', cause.kind)
    .where('cause_key', '=', cause.key)
    .where('state', '<>', 'resolved')
    .forUpdate()
    .executeTakeFirst();
}

/**
 * Opens an incident of the cause, locked, with nothing counted yet; `recurrence_of` is the one of the same cause that was
 * resolved last. Undefined when another transaction opened it first.
 */
export async function insertIncident(
  trx: Transaction<Database>,
  incident: { company: string; cause: Cause; now: bigint },
): Promise<IncidentRow | undefined> {
  const { company, cause } = incident;
  const at = dateOf(incident.now);
  return await trx
    .insertInto('incidents')
    .values((from) => ({
      id: randomUUID(),
      company,
      cause_kind: cause.kind,
      cause_key: cause.key,
      title: cause.title,
      severity: 'info' as const,
      opened_at: at,
      updated_at: at,
      version: 0,
      recurrence_of: from
        .selectFrom('incidents as earlier')
        .select('earlier.id')
        .where('earlier.company', '=', company)
        .where('earlier.cause_kind', '=', cause.kind)
        .where('earlier.cause_key', '=', cause.key)
        .where('earlier.state', '=', 'resolved')
        .orderBy('earlier.resolved_at', 'desc')
        .orderBy('earlier.number', 'desc')
        .limit(1),
    }))
    .onConflict((conflict) =>
      conflict
        .columns(['company', 'cause_kind', 'cause_key'])
        .where('state', '<>', sql.lit('resolved'))
        .doNothing(),
    )
    .returningAll()
    .executeTakeFirst();
}

export interface IncidentChange {
  readonly state: IncidentState;
  readonly severity: Severity;
  readonly exceptions: number;
  readonly openExceptions: number;
  readonly sums: readonly MoneySum[];
  readonly tally: unknown;
  readonly now: bigint;
}

/** Writes what the incident has become and raises its version. Returns it as it is then. */
export async function saveIncident(
  trx: Transaction<Database>,
  incident: IncidentRow,
  change: IncidentChange,
): Promise<IncidentRow> {
  const at = dateOf(change.now);
  const reopened = incident.state === 'resolved' && change.state !== 'resolved';
  const resolved = incident.state !== 'resolved' && change.state === 'resolved';
  return await trx
    .updateTable('incidents')
    .set({
      state: change.state,
      severity: change.severity,
      exceptions: change.exceptions,
      open_exceptions: change.openExceptions,
      sums: JSON.stringify(change.sums),
      tally: JSON.stringify(change.tally),
      updated_at: at,
      version: incident.version + 1,
      ...(resolved && { resolved_at: at, resolved_by: 'closewatch' }),
      ...(reopened && {
        resolved_at: null,
        resolved_by: null,
        acknowledged_at: null,
        acknowledged_by: null,
      }),
    })
    .where('id', '=', incident.id)
    .returningAll()
    .executeTakeFirstOrThrow();
}
