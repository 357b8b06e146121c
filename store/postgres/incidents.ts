import type { Selectable, Transaction } from 'kysely';
import { ClosewatchError } from '../../model/errors.ts';
import { nextIncidentState } from '../../model/incident.ts';
import { mayAcknowledge } from '../../model/policy.ts';
import type { Actor } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';
import type { Database, IncidentTable } from './schema.ts';

export type IncidentRow = Selectable<IncidentTable>;

/** The incident, or undefined when there is none of this id. */
export async function findIncident(postgres: Postgres, id: string): Promise<IncidentRow | undefined> {
  return await postgres.db.selectFrom('incidents').selectAll().where('id', '=', id).executeTakeFirst();
}

export interface Acknowledgement {
  /** The incident's id. */
  readonly incident: string;
  readonly actor: Actor;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly comment?: string | undefined;
}

/**
 * Takes over an open incident for the actor and returns it as it is then. The policy is asked here, so every way in
 * (GraphQL, Slack) has it. Throws `not-found` for an unknown incident, `auth.forbidden` with the policy's reason, and
 * `state.conflict` when it is acknowledged or resolved already, or when another acknowledgement came first.
 */
export async function acknowledgeIncident(postgres: Postgres, wish: Acknowledgement): Promise<IncidentRow> {
  return await postgres.db.transaction().execute(async (trx) => {
    const incident = await trx
      .selectFrom('incidents')
      .selectAll()
      .where('id', '=', wish.incident)
      .forUpdate()
      .executeTakeFirst();
    if (!incident) throw new ClosewatchError('not-found', `there is no incident ${wish.incident}`);
    const verdict = mayAcknowledge(wish.actor, incident.company);
    if (verdict.outcome !== 'allowed') throw new ClosewatchError('auth.forbidden', verdict.reason);
    const state = nextIncidentState(incident.state, 'acknowledge');
    if (!state) {
      const by = incident.acknowledged_by ? ` by ${incident.acknowledged_by}` : '';
      throw new ClosewatchError(
        'state.conflict',
        `incident ${incident.number} is ${incident.state} already${by}`,
      );
    }
    const at = dateOf(wish.now);
    const updated = await trx
      .updateTable('incidents')
      .set({
        state,
        acknowledged_at: at,
        acknowledged_by: wish.actor.id,
        updated_at: at,
        version: incident.version + 1,
      })
      .where('id', '=', incident.id)
      .where('version', '=', incident.version)
      .returningAll()
      .executeTakeFirst();
    if (!updated) throw new ClosewatchError('state.conflict', `incident ${incident.number} has just changed`);
    await recordIncident(trx, updated, {
      change: 'acknowledged',
      now: wish.now,
      actor: wish.actor.id,
      data: {
        actorKind: wish.actor.kind,
        roles: wish.actor.roles,
        ...(wish.comment && { comment: wish.comment }),
      },
    });
    return updated;
  });
}

/** Writes the incident's change into the change log, in the change's own transaction. */
export async function recordIncident(
  trx: Transaction<Database>,
  incident: IncidentRow,
  what: { change: string; now: bigint; actor?: string; data?: Record<string, unknown> },
): Promise<void> {
  const sum = incident.sums.length === 1 ? incident.sums[0] : undefined;
  await appendChanges(trx, [
    {
      at: dateOf(what.now),
      entity: 'incident',
      entityId: incident.id,
      company: incident.company,
      change: what.change,
      state: incident.state,
      severity: incident.severity,
      amount: sum?.amount ?? null,
      currency: sum?.currency ?? null,
      actor: what.actor ?? null,
      data: {
        number: incident.number,
        cause: { kind: incident.cause_kind, key: incident.cause_key },
        exceptions: incident.exceptions,
        open: incident.open_exceptions,
        sums: incident.sums,
        ...what.data,
      },
    },
  ]);
}
