import { sql, type Transaction } from 'kysely';
import type { ActionKind } from '../../model/action.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { PROGRAM } from './audit.ts';
import { appendChanges, type Change } from './change-log.ts';
import type { Postgres } from './database.ts';
import type { ExceptionRow } from './exceptions.ts';
import { asExecutor, noteUndone } from './proposals.ts';
import type { Database } from './schema.ts';

interface Effect {
  readonly outcome: string;
  readonly before: unknown;
  readonly after: unknown;
}

interface Wish {
  readonly proposal: string;
  readonly incident: string;
  readonly exceptions: readonly string[];
  readonly at: Date;
  /** Only find out what would be done. */
  readonly dryRun?: boolean;
}

/** Has the document an open exception of a control? */
export async function hasControlException(
  { db }: Postgres,
  source: string,
  subject: string,
): Promise<boolean> {
  const found = await db
    .selectFrom('exceptions')
    .select('id')
    .where('source', '=', source)
    .where('subject', '=', subject)
    .where('state', 'in', ['open', 'indeterminate'])
    .where((row) =>
      row.or([row('rule', 'like', 'CT-%'), row('kind', 'in', ['distinct-actors', 'no-duplicate'])]),
    )
    .executeTakeFirst();
  return found !== undefined;
}

/** Puts exceptions of the incident on the accrual list; those that are on it stay. */
export async function accrue(
  postgres: Postgres,
  { proposal, incident, exceptions, at, dryRun = false }: Wish,
): Promise<Effect> {
  return await asExecutor(
    postgres,
    async (trx) => {
      const rows = await trx
        .selectFrom('exceptions')
        .select(['id', 'company', 'amount', 'currency'])
        .where('incident', '=', incident)
        .where(sql<boolean>`id = ANY(${exceptions}::text[])`)
        .orderBy('id')
        .execute();
      if (rows.length === 0)
        throw new ClosewatchError('action.refused', 'none of the exceptions is of this incident');
      const listed = await trx
        .insertInto('accruals')
        .values(
          rows.map(({ id, company, amount, currency }) => ({
            exception: id,
            proposal,
            company,
            amount,
            currency,
            at,
          })),
        )
        .onConflict((conflict) => conflict.doNothing())
        .returning('exception')
        .execute();
      const outcome = listed.length > 0 ? 'done' : 'already';
      return { outcome, before: { listed: rows.length - listed.length }, after: { listed: rows.length } };
    },
    { dryRun },
  );
}

type WaivedRow = Pick<ExceptionRow, 'id' | 'company' | 'rule' | 'severity' | 'amount' | 'currency'>;

/** What became of an exception by a waiver, or by its end. */
const waiverChange = (
  { id, company, rule, severity, amount, currency }: WaivedRow,
  what: Pick<Change, 'change' | 'state' | 'at' | 'data'>,
): Change => ({
  entity: 'exception',
  entityId: id,
  company,
  rule,
  severity,
  amount,
  currency,
  actor: PROGRAM,
  ...what,
});

/** Waives open exceptions of the incident until an instant; detection leaves them waived as long as they breach. */
export async function waive(
  postgres: Postgres,
  {
    proposal,
    incident,
    exceptions,
    at,
    reason,
    until,
    dryRun = false,
  }: Wish & { reason: string; until: Date },
): Promise<Effect> {
  if (until <= at) throw new ClosewatchError('action.refused', 'the waiver would be over already');
  return await asExecutor(
    postgres,
    async (trx) => {
      const rows = await trx
        .updateTable('exceptions')
        .set({ state: 'waived', updated_at: at })
        .where('incident', '=', incident)
        .where(sql<boolean>`id = ANY(${exceptions}::text[])`)
        .where('state', 'in', ['open', 'indeterminate'])
        .returning(['id', 'company', 'rule', 'severity', 'amount', 'currency', 'state'])
        .execute();
      if (rows.length === 0) return { outcome: 'already', before: { waived: 0 }, after: { waived: 0 } };
      await trx
        .insertInto('waivers')
        .values(rows.map(({ id }) => ({ exception: id, proposal, reason, until, at })))
        .onConflict((conflict) =>
          conflict.column('exception').doUpdateSet({ proposal, reason, until, at, ended_at: null }),
        )
        .execute();
      const data = { proposal, until: until.toISOString(), reason };
      await appendChanges(
        trx,
        rows.map((row) => waiverChange(row, { change: 'waived', state: 'waived', at, data })),
      );
      return { outcome: 'done', before: { waived: 0 }, after: { waived: rows.length } };
    },
    { dryRun },
  );
}

/** Ends waivers whose time is over: what still breaches is open again. Returns how many. */
export async function endWaivers({ db }: Postgres, at: Date): Promise<number> {
  return await db.transaction().execute(async (trx) => {
    const over = await trx
      .updateTable('waivers')
      .set({ ended_at: at })
      .where('ended_at', 'is', null)
      .where('until', '<=', at)
      .returning('exception')
      .execute();
    return await openAgain(trx, over, at);
  });
}

/** Opens what was waived, and still breaches. Returns how many. */
async function openAgain(
  trx: Transaction<Database>,
  waived: readonly { readonly exception: string }[],
  at: Date,
): Promise<number> {
  if (waived.length === 0) return 0;
  const ids = waived.map(({ exception }) => exception);
  const rows = await trx
    .updateTable('exceptions')
    .set({ state: 'open', notify: true, updated_at: at })
    .where(sql<boolean>`id = ANY(${ids}::text[])`)
    .where('state', '=', 'waived')
    .returning(['id', 'company', 'rule', 'severity', 'amount', 'currency'])
    .execute();
  await appendChanges(
    trx,
    rows.map((row) => waiverChange(row, { change: 'waiver ended', state: 'open', at, data: {} })),
  );
  return rows.length;
}

/** Actions that a person can undo here: what they did outside of Closewatch stays. */
export const UNDOABLE: ReadonlySet<string> = new Set<ActionKind>(['waive', 'mark-for-accrual']);

/**
 * Takes back what a waiver or an accrual did: the exceptions are open again, or off the list. Throws `state.conflict` for any other
 * action, and for what was not done, or undone already.
 */
export async function undo(
  { db }: Pick<Postgres, 'db'>,
  { id, action }: { readonly id: string; readonly action: string },
  who: { readonly actor: string; readonly reason: string; readonly at: Date },
): Promise<void> {
  if (!UNDOABLE.has(action))
    throw new ClosewatchError('state.conflict', `${action} cannot be undone from here`);
  await db.transaction().execute(async (trx) => {
    await noteUndone(trx, id, who);
    await trx.deleteFrom('accruals').where('proposal', '=', id).execute();
    const waived = await trx
      .updateTable('waivers')
      .set({ ended_at: who.at })
      .where('proposal', '=', id)
      .where('ended_at', 'is', null)
      .returning('exception')
      .execute();
    await openAgain(trx, waived, who.at);
  });
}
