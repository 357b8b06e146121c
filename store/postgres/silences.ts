import { randomUUID } from 'node:crypto';
import { type Selectable, sql } from 'kysely';
import { ClosewatchError } from '../../model/errors.ts';
import { mayAcknowledge } from '../../model/policy.ts';
import type { Actor, CompanyScope } from '../../model/principal.ts';
import { appendChanges, type Change } from './change-log.ts';
import type { Postgres } from './database.ts';
import type { SilenceTable } from './schema.ts';
import { inScope } from './scope.ts';

export type SilenceRow = Selectable<SilenceTable>;

export interface NewSilence {
  readonly company: string;
  readonly rule?: string | undefined;
  readonly source?: string | undefined;
  readonly reason: string;
  readonly until: Date;
}

const MOST_DAYS = 31;

const changeOf = (row: SilenceRow, change: string, actor: Actor, at: Date): Change => ({
  entity: 'silence',
  entityId: row.id,
  company: row.company,
  change,
  at,
  rule: row.rule,
  actor: actor.id,
  data: { source: row.source, until: row.until.toISOString(), reason: row.reason },
});

function demand(actor: Actor, company: string): void {
  const verdict = mayAcknowledge(actor, company);
  if (verdict.outcome !== 'allowed') throw new ClosewatchError('auth.forbidden', verdict.reason);
}

/**
 * For a while nobody is told of a company's open incidents, or of those of a rule or source. It closes nothing, and what is resolved is told. Throws
 * `auth.forbidden`, and `request.malformed` for an end that is past, or more than 31 days away.
 */
export async function silence(
  { db }: Postgres,
  wish: NewSilence,
  actor: Actor,
  at: Date,
): Promise<SilenceRow> {
  demand(actor, wish.company);
  const most = new Date(at.getTime() + MOST_DAYS * 86_400_000);
  if (wish.reason.trim() === '') throw new ClosewatchError('request.malformed', 'a silence needs a reason');
  if (wish.until <= at || wish.until > most)
    throw new ClosewatchError('request.malformed', `a silence ends within ${MOST_DAYS} days`);
  return await db.transaction().execute(async (trx) => {
    const row = await trx
      .insertInto('silences')
      .values({
        id: randomUUID(),
        company: wish.company,
        rule: wish.rule ?? null,
        source: wish.source ?? null,
        reason: wish.reason,
        by: actor.id,
        at,
        until: wish.until,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
    await appendChanges(trx, [changeOf(row, 'silenced', actor, at)]);
    return row;
  });
}

/** Ends a silence before its time. Throws `not-found`, `auth.forbidden`, `state.conflict` when it is over already. */
export async function endSilence({ db }: Postgres, id: string, actor: Actor, at: Date): Promise<SilenceRow> {
  return await db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom('silences')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!row) throw new ClosewatchError('not-found', `there is no silence ${id}`);
    demand(actor, row.company);
    if (row.ended_at || row.until <= at) throw new ClosewatchError('state.conflict', 'it is over already');
    const ended = await trx
      .updateTable('silences')
      .set({ ended_at: at })
      .where('id', '=', id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await appendChanges(trx, [changeOf(ended, 'silence ended', actor, at)]);
    return ended;
  });
}

/** The silences that hold at an instant, those that end first before the others. */
export async function livingSilences(
  { db }: Pick<Postgres, 'db'>,
  companies: CompanyScope,
  at: Date,
): Promise<SilenceRow[]> {
  return await db
    .selectFrom('silences')
    .selectAll()
    .where(inScope('company', companies))
    .where('ended_at', 'is', null)
    .where('until', '>', at)
    .orderBy('until')
    .limit(1_000)
    .execute();
}

/** The condition that an incident `i` is not silenced at an instant; what is resolved never is. */
export const notSilenced = (at: Date) =>
  sql<boolean>`(i.state = 'resolved' OR NOT EXISTS (
    SELECT FROM silences s WHERE s.company = i.company AND s.ended_at IS NULL AND s.until > ${at}
      AND (s.rule IS NULL OR EXISTS (SELECT FROM exceptions e WHERE e.incident = i.id AND e.rule = s.rule))
      AND (s.source IS NULL OR EXISTS (SELECT FROM exceptions e WHERE e.incident = i.id AND e.source = s.source))))`;
