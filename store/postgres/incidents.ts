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

export interface IncidentAct {
  /** The incident's id. */
  readonly incident: string;
  readonly actor: Actor;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  readonly reason: string;
}

/**
 * Resolves an incident of which every exception is closed or waived, or opens a resolved one again, as a person decided. Throws
 * `not-found`, `auth.forbidden`, and `state.conflict` when exceptions are open still, or it is so already.
 */
export async function moveIncident(
  postgres: Postgres,
  act: 'resolve' | 'reopen',
  { incident: id, actor, now, reason }: IncidentAct,
): Promise<IncidentRow> {
  return await postgres.db.transaction().execute(async (trx) => {
    const incident = await trx
      .selectFrom('incidents')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!incident) throw new ClosewatchError('not-found', `there is no incident ${id}`);
    const verdict = mayAcknowledge(actor, incident.company);
    if (verdict.outcome !== 'allowed') throw new ClosewatchError('auth.forbidden', verdict.reason);
    const state = nextIncidentState(incident.state, act);
    if (!state)
      throw new ClosewatchError('state.conflict', `incident ${incident.number} is ${incident.state}`);
    if (act === 'resolve' && incident.open_exceptions > 0)
      throw new ClosewatchError(
        'state.conflict',
        `${incident.open_exceptions} of its exceptions are open: they close, or are waived, first`,
      );
    if (act === 'reopen' && (await hasLivingTwin(trx, incident)))
      throw new ClosewatchError('state.conflict', 'an incident of the same cause is open already');
    const at = dateOf(now);
    const ended = { acknowledged_at: null, acknowledged_by: null, resolved_at: null, resolved_by: null };
    const updated = await trx
      .updateTable('incidents')
      .set({
        state,
        updated_at: at,
        version: incident.version + 1,
        ...(act === 'resolve' ? { resolved_at: at, resolved_by: actor.id } : ended),
      })
      .where('id', '=', incident.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    const change = act === 'resolve' ? 'resolved' : 'reopened';
    await recordIncident(trx, updated, { change, now, actor: actor.id, data: { comment: reason } });
    return updated;
  });
}

async function hasLivingTwin(trx: Transaction<Database>, incident: IncidentRow): Promise<boolean> {
  const twin = await trx
    .selectFrom('incidents')
    .select('id')
    .where('company', '=', incident.company)
    .where('cause_kind', '=', incident.cause_kind)
    .where('cause_key', '=', incident.cause_key)
    .where('state', '<>', 'resolved')
    .executeTakeFirst();
  return twin !== undefined;
}

/**
 * Ends acknowledgements of incidents that still have open exceptions and were taken over before an instant: whoever took them over
 * lets them lie, and people are told again. Returns how many.
 */
export async function endAcknowledgements(postgres: Postgres, before: bigint, now: bigint): Promise<number> {
  return await postgres.db.transaction().execute(async (trx) => {
    const at = dateOf(now);
    const ended = await trx
      .updateTable('incidents')
      .set((row) => ({
        state: 'open' as const,
        acknowledged_at: null,
        acknowledged_by: null,
        updated_at: at,
        version: row('version', '+', 1),
      }))
      .where('state', '=', 'acknowledged')
      .where('open_exceptions', '>', 0)
      .where('acknowledged_at', '<', dateOf(before))
      .returningAll()
      .execute();
    for (const incident of ended)
      await recordIncident(trx, incident, { change: 'acknowledgement ended', now, actor: 'closewatch' });
    return ended.length;
  });
}

/** Asks for exceptions to be moved; grouping does it. Throws `not-found`, `auth.forbidden`, `state.conflict`. */
export async function askToMove(
  postgres: Postgres,
  wish: IncidentAct & {
    readonly exceptions?: readonly string[] | undefined;
    readonly target?: string | undefined;
  },
): Promise<void> {
  const { incident: id, actor, now, reason, exceptions, target } = wish;
  await postgres.db.transaction().execute(async (trx) => {
    const ids = [id, ...(target ? [target] : [])];
    const found = await trx.selectFrom('incidents').selectAll().where('id', 'in', ids).execute();
    for (const wanted of ids) {
      const incident = found.find((one) => one.id === wanted);
      if (!incident) throw new ClosewatchError('not-found', `there is no incident ${wanted}`);
      const verdict = mayAcknowledge(actor, incident.company);
      if (verdict.outcome !== 'allowed') throw new ClosewatchError('auth.forbidden', verdict.reason);
      if (incident.state === 'resolved')
        throw new ClosewatchError('state.conflict', `incident ${incident.number} is resolved`);
    }
    const [from, to] = [found.find((one) => one.id === id), found.find((one) => one.id === target)];
    if (id === target) throw new ClosewatchError('state.conflict', 'it is the same incident');
    if (to && from?.company !== to.company)
      throw new ClosewatchError('state.conflict', 'the incidents are of different companies');
    const at = dateOf(now);
    await trx
      .insertInto('incident_moves')
      .values({
        incident: id,
        exceptions: exceptions ? [...exceptions] : null,
        target: target ?? null,
        reason,
        by: actor.id,
        at,
      })
      .execute();
    if (from)
      await recordIncident(trx, from, {
        change: to ? 'merge asked for' : 'split asked for',
        now,
        actor: actor.id,
        data: { comment: reason, target: to?.number, exceptions: exceptions?.length ?? 'all' },
      });
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
