import { randomUUID } from 'node:crypto';
import { type Kysely, type Selectable, sql, type Transaction } from 'kysely';
import { ACTION_PARAMETERS, type ActionKind, parametersFault } from '../../model/action.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { BANDS, bandOf, type Policy, tierOf } from '../../model/policy.ts';
import { type Principal, principal } from '../../model/principal.ts';
import {
  type Approval,
  type Command,
  decide,
  type Maker,
  neededTier,
  type Proposal,
  proposalHash,
  type World,
} from '../../model/proposal.ts';
import type { Materiality } from '../../model/severity.ts';
import { dateOf, nanosOf } from '../../model/time.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';
import type { ApprovalTable, Database, ProposalTable } from './schema.ts';

export type ProposalRow = Selectable<ProposalTable>;
export type ApprovalRow = Selectable<ApprovalTable>;

/** A proposal with its approvals, as people see it. */
export interface StoredProposal {
  readonly row: ProposalRow;
  readonly approvals: readonly ApprovalRow[];
}

export interface NewProposal {
  readonly incident: string;
  readonly company: string;
  readonly action: ActionKind;
  /** As `ACTION_PARAMETERS` has them; checked here. */
  readonly parameters: unknown;
  readonly reason: string;
  readonly evidence: readonly number[];
  readonly origin: 'rules' | 'model' | 'human';
  /** The person who proposes it, and so stands for it. */
  readonly by?: string | undefined;
  readonly assessment?: string | undefined;
  /** In company currency. */
  readonly amount?: string | undefined;
  readonly materiality: Materiality | undefined;
  readonly makers: readonly Maker[];
}

const HOUR_MS = 3_600_000;

/**
 * Writes a proposal, and returns it; undefined when the same is proposed for the incident already. One by a person is adopted by that
 * person, which the policy is asked about. Throws `request.malformed` for parameters that are none, `auth.forbidden`.
 */
export async function propose(
  { db }: Postgres,
  given: NewProposal,
  { policy, at }: { policy: Policy; at: Date },
): Promise<StoredProposal | undefined> {
  const fault = parametersFault(given.action, given.parameters, at);
  if (fault) throw new ClosewatchError('request.malformed', fault);
  const parameters = ACTION_PARAMETERS[given.action].parse(given.parameters);
  return await db.transaction().execute(async (trx) => {
    const band = bandOf(given.amount, given.materiality);
    const plain = { ...given, id: randomUUID(), parameters, band };
    const row = {
      id: plain.id,
      incident: given.incident,
      company: given.company,
      action: given.action,
      parameters: JSON.stringify(parameters),
      reason: given.reason,
      evidence: [...given.evidence],
      amount: given.amount ?? null,
      band,
      origin: given.origin,
      assessment: given.assessment ?? null,
      makers: JSON.stringify(given.makers),
      state: 'proposed' as const,
      hash: proposalHash(plain),
      expires_at: new Date(at.getTime() + policy.proposalHours * HOUR_MS),
      created_at: at,
      updated_at: at,
    };
    const saved = await trx
      .insertInto('proposals')
      .values({ ...row, ...(given.by ? { editors: [] } : {}) })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    if (!saved) return undefined;
    if (!given.by) {
      await record(trx, saved, { change: 'proposed', at, data: { origin: given.origin } });
      return { row: saved, approvals: [] };
    }
    // Whoever proposes it stands for it.
    const command = { kind: 'adopt', by: given.by, hash: saved.hash } as const;
    return await decideIn(trx, saved, command, { policy, at });
  });
}

/** A command on a proposal. Throws `not-found`, `auth.forbidden` when the policy says no, `state.conflict` when its state does. */
export async function decideOn(
  { db }: Postgres,
  id: string,
  command: Exclude<Command, { kind: 'start' | 'finish' }>,
  context: { policy: Policy; at: Date },
): Promise<StoredProposal> {
  return await db.transaction().execute(async (trx) => {
    const row = await trx
      .selectFrom('proposals')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!row) throw new ClosewatchError('not-found', `there is no proposal ${id}`);
    return await decideIn(trx, row, command, context);
  });
}

async function isOver(db: Kysely<Database>, incident: string): Promise<boolean> {
  const row = await db.selectFrom('incidents').select('state').where('id', '=', incident).executeTakeFirst();
  return row?.state === 'resolved';
}

const CONFLICTS: ReadonlySet<string> = new Set([
  'state',
  'hash',
  'expired',
  'not-adopted',
  'not-needed',
  'parameters',
]);
const DONE = {
  adopt: 'adopted',
  edit: 'edited',
  approve: 'approved',
  reject: 'rejected',
  withdraw: 'withdrawn',
} as const;

async function decideIn(
  trx: Transaction<Database>,
  row: ProposalRow,
  command: Exclude<Command, { kind: 'start' | 'finish' }>,
  { policy, at }: { policy: Policy; at: Date },
): Promise<StoredProposal> {
  const fault = command.kind === 'edit' ? parametersFault(row.action, command.parameters, at) : undefined;
  if (fault) throw new ClosewatchError('request.malformed', fault);
  const before = await approvalsOf(trx, [row.id]);
  if (command.kind !== 'reject' && command.kind !== 'withdraw' && (await isOver(trx, row.incident)))
    throw new ClosewatchError(
      'state.conflict',
      'the incident is resolved: there is nothing to be done about it',
    );
  const proposal = proposalOf(row, before);
  const world = await worldOf(trx, proposal, policy, at, [command.by]);
  const decided = decide(proposal, command, world);
  if (decided.denied) {
    const { code, reason } = decided.denied;
    throw new ClosewatchError(CONFLICTS.has(code) ? 'state.conflict' : 'auth.forbidden', reason, {
      problems: [{ where: code, what: reason }],
    });
  }
  const after = decided.proposal;
  const [given] = after.approvals.slice(proposal.approvals.length);
  if (given) await addApproval(trx, row.id, after.approvals.length, given, world.principal(given.by));
  const saved = await trx
    .updateTable('proposals')
    .set({
      parameters: JSON.stringify(after.parameters),
      amount: after.amount ?? null,
      band: after.band,
      editors: [...after.editors],
      state: after.state,
      hash: after.hash,
      updated_at: at,
      version: row.version + 1,
    })
    .where('id', '=', row.id)
    .returningAll()
    .executeTakeFirstOrThrow();
  const data = { hash: after.hash, tier: neededTier(after, policy) };
  await record(trx, saved, { change: DONE[command.kind], at, actor: command.by, data });
  return { row: saved, approvals: await approvalsOf(trx, [row.id]) };
}

async function addApproval(
  trx: Transaction<Database>,
  proposal: string,
  number: number,
  { by, hash, at, expiresAt }: Approval,
  approver: Principal | undefined,
): Promise<void> {
  const roles = approver && approver.kind !== 'model' ? approver.roles : [];
  await trx
    .insertInto('approvals')
    .values({ proposal, number, hash, approver: by, roles, at: dateOf(at), expires_at: dateOf(expiresAt) })
    .execute();
}

/** The approvals of these proposals, by proposal and number. */
async function approvalsOf(db: Kysely<Database>, ids: readonly string[]): Promise<ApprovalRow[]> {
  if (ids.length === 0) return [];
  return await db
    .selectFrom('approvals')
    .selectAll()
    .where('proposal', 'in', ids)
    .orderBy('proposal')
    .orderBy('number')
    .execute();
}

/** A row as the policy sees it. */
export const proposalOf = (row: ProposalRow, approvals: readonly ApprovalRow[]): Proposal => ({
  id: row.id,
  incident: row.incident,
  company: row.company,
  action: row.action,
  parameters: row.parameters,
  amount: row.amount ?? undefined,
  band: row.band,
  origin: row.origin,
  editors: row.editors,
  makers: row.makers,
  state: row.state,
  // Worked out anew: what an approval binds to is what stands there, not what was once written beside it.
  hash: proposalHash({ ...row, amount: row.amount ?? undefined }),
  approvals: approvals
    .filter(({ proposal }) => proposal === row.id)
    .map((one) => ({
      by: one.approver,
      hash: one.hash,
      at: nanosOf(one.at),
      expiresAt: nanosOf(one.expires_at),
      usedAt: one.used_at ? nanosOf(one.used_at) : undefined,
    })),
  expiresAt: nanosOf(row.expires_at),
});

/** Who is who now, of everybody that matters to the proposal. */
async function worldOf(
  db: Kysely<Database>,
  { editors, approvals }: Proposal,
  policy: Policy,
  at: Date,
  more: readonly string[] = [],
): Promise<World> {
  const ids = [...new Set([...editors, ...approvals.map(({ by }) => by), ...more])];
  const rows = ids.length
    ? await db
        .selectFrom('principals')
        .select(['id', 'kind', 'name', 'roles', 'companies'])
        .where('id', 'in', ids)
        .where('disabled_at', 'is', null)
        .execute()
    : [];
  const known = new Map(
    rows.flatMap(({ roles, companies, ...who }) => {
      const one = principal.safeParse(who.kind === 'model' ? who : { ...who, roles, companies }).data;
      return one ? [[one.id, one] as const] : [];
    }),
  );
  return { policy, now: nanosOf(at), principal: (id) => known.get(id) };
}

/** The proposals of incidents, the newest first. */
export async function proposalsOf(
  { db }: Pick<Postgres, 'db'>,
  incidents: readonly string[],
): Promise<StoredProposal[]> {
  if (incidents.length === 0) return [];
  const rows = await db
    .selectFrom('proposals')
    .selectAll()
    .where('incident', 'in', incidents)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return await withApprovals(db, rows);
}

/** One proposal; undefined when there is none. */
export async function findProposal(
  { db }: Pick<Postgres, 'db'>,
  id: string,
): Promise<StoredProposal | undefined> {
  const rows = await db.selectFrom('proposals').selectAll().where('id', '=', id).execute();
  return (await withApprovals(db, rows))[0];
}

async function withApprovals(db: Kysely<Database>, rows: readonly ProposalRow[]): Promise<StoredProposal[]> {
  const approvals = await approvalsOf(
    db,
    rows.map(({ id }) => id),
  );
  return rows.map((row) => ({ row, approvals: approvals.filter(({ proposal }) => proposal === row.id) }));
}

/** What the policy would say to a command of somebody now; undefined when it would let it through. */
export async function refusalOf(
  { db }: Pick<Postgres, 'db'>,
  { row, approvals }: StoredProposal,
  command: Command,
  { policy, at }: { policy: Policy; at: Date },
): Promise<string | undefined> {
  const proposal = proposalOf(row, approvals);
  const world = await worldOf(db, proposal, policy, at, 'by' in command ? [command.by] : []);
  return decide(proposal, command, world).denied?.reason;
}

const EXECUTOR_ROLE = 'closewatch_executor';
/** How long a worker that says nothing more keeps an action; longer than any of its calls takes. */
const HELD_MS = 300_000;

/** Does the database know the role of the worker? One that the server's administrator has not made is none. */
export async function hasExecutorRole({ db }: Pick<Postgres, 'db'>): Promise<boolean> {
  const { rows } = await sql<{
    has: boolean;
  }>`SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = ${EXECUTOR_ROLE}
    AND pg_has_role(current_user, oid, 'MEMBER')) AS has`.execute(db);
  return rows[0]?.has ?? false;
}

/** What a transaction came to that is taken back. */
class Rehearsed extends Error {
  readonly result: unknown;
  constructor(result: unknown) {
    super('it was only tried');
    this.result = result;
  }
}

/** Does something with the rights of the worker alone: it cannot write a decision. A dry run is taken back at its end. */
export async function asExecutor<T>(
  { db }: Pick<Postgres, 'db'>,
  work: (trx: Transaction<Database>) => Promise<T>,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): Promise<T> {
  try {
    return await db.transaction().execute(async (trx) => {
      await sql`SET LOCAL ROLE ${sql.raw(EXECUTOR_ROLE)}`.execute(trx);
      const result = await work(trx);
      if (dryRun) throw new Rehearsed(result);
      return result;
    });
  } catch (error) {
    if (error instanceof Rehearsed) return error.result as T;
    throw error;
  }
}

/** What a proposal would do: found by trying it without doing it. */
export interface Rehearsal {
  /** Of what was tried. */
  readonly hash: string;
  /** ISO 8601. */
  readonly at: string;
  /** `would`, `already`, `waits` for a setting, or why it would fail. */
  readonly outcome: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly error?: string | undefined;
}

/** What waited for a setting is tried again after so long. */
const WAITS_MS = 300_000;

/** Proposals that may still be carried out, and of which it is not known what they would do, or that waited a while ago. */
export const proposalsToRehearse = async (
  { db }: Pick<Postgres, 'db'>,
  { at, limit }: { at: Date; limit: number },
): Promise<ProposalRow[]> =>
  await db
    .selectFrom('proposals')
    .selectAll()
    .where('state', 'in', ['proposed', 'adopted', 'approved'])
    .where('expires_at', '>', at)
    .where(
      sql<boolean>`(rehearsal IS NULL OR rehearsal ->> 'hash' <> hash OR (rehearsal ->> 'outcome' = 'waits'
        AND (rehearsal ->> 'at')::timestamptz <= ${new Date(at.getTime() - WAITS_MS)}))`,
    )
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute();

/** Notes what came of trying; no decision, so none is recorded. */
export async function noteRehearsal(
  postgres: Pick<Postgres, 'db'>,
  id: string,
  rehearsal: Rehearsal,
): Promise<void> {
  await asExecutor(postgres, async (trx) => {
    const found = JSON.stringify(rehearsal);
    await trx.updateTable('proposals').set({ rehearsal: found }).where('id', '=', id).execute();
  });
}

/** Lets the worker try once more what the proposal would do. */
export async function forgetRehearsal({ db }: Pick<Postgres, 'db'>, id: string): Promise<void> {
  await db.updateTable('proposals').set({ rehearsal: null }).where('id', '=', id).execute();
}

/** Notes that somebody undid what was done. Throws `state.conflict` when it is not done, or undone already. */
export async function noteUndone(
  trx: Transaction<Database>,
  id: string,
  { actor, reason, at }: { actor: string; reason: string; at: Date },
): Promise<ProposalRow> {
  const row = await trx
    .updateTable('proposals')
    .set((old) => ({ outcome: 'undone', updated_at: at, version: old('version', '+', 1) }))
    .where('id', '=', id)
    .where('state', '=', 'done')
    .where('outcome', '<>', 'undone')
    .returningAll()
    .executeTakeFirst();
  if (!row) throw new ClosewatchError('state.conflict', 'only what was done, and not undone, can be undone');
  await record(trx, row, { change: 'undone', at, actor, data: { reason } });
  return row;
}

/** Ends proposals on which nobody decided in time. Returns how many. */
export async function expireProposals({ db }: Pick<Postgres, 'db'>, at: Date): Promise<number> {
  return await db.transaction().execute(async (trx) => {
    const ended = await trx
      .updateTable('proposals')
      .set((row) => ({ state: 'expired' as const, updated_at: at, version: row('version', '+', 1) }))
      .where('state', 'in', ['proposed', 'adopted', 'approved'])
      .where('expires_at', '<=', at)
      .returningAll()
      .execute();
    for (const row of ended) await record(trx, row, { change: 'expired', at, data: {} });
    return ended.length;
  });
}

/**
 * What may be ready to run: approved, adopted where the policy asks for nobody more, or left behind by a worker that is gone; the
 * oldest first.
 */
export async function proposalsToRun(
  { db }: Pick<Postgres, 'db'>,
  { policy, at, limit }: { policy: Policy; at: Date; limit: number },
): Promise<string[]> {
  const alone = Object.keys(policy.actions).flatMap((action) =>
    BANDS.filter((band) => tierOf(policy, action as ActionKind, band) !== 'four-eyes').map(
      (band) => `${action} ${band}`,
    ),
  );
  const rows = await db
    .selectFrom('proposals')
    .select('id')
    .where((row) =>
      row.or([
        row('state', '=', 'approved'),
        row.and([row('state', '=', 'adopted'), sql<boolean>`action || ' ' || band = ANY(${alone}::text[])`]),
        row.and([row('state', '=', 'running'), row('held_until', '<', at)]),
      ]),
    )
    .orderBy('updated_at')
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(({ id }) => id);
}

/** What came of asking for an action to be run. */
export type Started =
  | { readonly row: ProposalRow; readonly isAgain: boolean }
  | { readonly waits: { readonly code: string; readonly reason: string } };

/**
 * Takes an action to run it, with the worker's rights: the policy is asked once more, of everybody as they are now, and the approval is
 * used up. One that a worker left behind goes on under the same approval. Undefined when another has it.
 */
export async function startProposal(
  postgres: Pick<Postgres, 'db'>,
  id: string,
  { policy, at }: { policy: Policy; at: Date },
): Promise<Started | undefined> {
  return await asExecutor(postgres, async (trx) => {
    const row = await trx
      .selectFrom('proposals')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .skipLocked()
      .executeTakeFirst();
    if (!row) return undefined;
    const held = new Date(at.getTime() + HELD_MS);
    const hold = { attempts: row.attempts + 1, held_until: held, updated_at: at, version: row.version + 1 };
    if (row.state === 'running') {
      if (row.held_until && row.held_until >= at) return undefined;
      return { row: await update(trx, id, hold), isAgain: true };
    }
    if (await isOver(trx, row.incident))
      return { waits: { code: 'resolved', reason: 'the incident is resolved' } };
    const approvals = await approvalsOf(trx, [id]);
    const proposal = proposalOf(row, approvals);
    const decided = decide(proposal, { kind: 'start' }, await worldOf(trx, proposal, policy, at));
    if (decided.denied) {
      if (decided.denied.code !== 'expired') return { waits: decided.denied };
      const ended = await update(trx, id, { state: 'expired', updated_at: at, version: row.version + 1 });
      await record(trx, ended, { change: 'expired', at, data: {} });
      return { waits: decided.denied };
    }
    for (const [index, { usedAt }] of decided.proposal.approvals.entries())
      if (usedAt !== undefined && !approvals[index]?.used_at)
        await trx
          .updateTable('approvals')
          .set({ used_at: at })
          .where('proposal', '=', id)
          .where('number', '=', approvals[index]?.number ?? 0)
          .execute();
    const started = await update(trx, id, { ...hold, state: 'running' });
    await record(trx, started, { change: 'started', at, actor: 'closewatch', data: { hash: proposal.hash } });
    return { row: started, isAgain: false };
  });
}

const update = async (
  trx: Transaction<Database>,
  id: string,
  set: Partial<Pick<ProposalRow, 'state' | 'updated_at' | 'version' | 'attempts' | 'held_until'>>,
): Promise<ProposalRow> =>
  await trx.updateTable('proposals').set(set).where('id', '=', id).returningAll().executeTakeFirstOrThrow();

/** How an action ended, or that it is to be tried again at an instant. */
export interface Ending {
  readonly ok: boolean;
  /** `done`, `already`, or a code of an error. */
  readonly outcome: string;
  readonly before?: unknown;
  readonly after?: unknown;
  readonly error?: string | undefined;
  readonly againAt?: Date | undefined;
}

/** Records what came of an action, with the worker's rights. */
export async function endProposal(
  postgres: Pick<Postgres, 'db'>,
  { id, version }: Pick<ProposalRow, 'id' | 'version'>,
  ending: Ending,
  at: Date,
): Promise<void> {
  await asExecutor(postgres, async (trx) => {
    const saved = await trx
      .updateTable('proposals')
      .set({
        ...(ending.againAt
          ? { held_until: ending.againAt }
          : { state: ending.ok ? 'done' : 'failed', held_until: null }),
        before: JSON.stringify(ending.before ?? null),
        after: JSON.stringify(ending.after ?? null),
        outcome: ending.outcome,
        error: ending.error ?? null,
        updated_at: at,
        version: version + 1,
      })
      .where('id', '=', id)
      .where('version', '=', version)
      .where('state', '=', 'running')
      .returningAll()
      .executeTakeFirst();
    if (!saved) return;
    const { outcome, before, after, error } = ending;
    const change = ending.againAt ? 'tried' : ending.ok ? 'done' : 'failed';
    await record(trx, saved, { change, at, actor: 'closewatch', data: { outcome, before, after, error } });
  });
}

/** Notes what became of a proposal. What it is about stands in every row: the chain alone tells who agreed to what. */
async function record(
  trx: Transaction<Database>,
  row: ProposalRow,
  { change, at, actor, data }: { change: string; at: Date; actor?: string; data: object },
): Promise<void> {
  const { action, parameters, incident, origin, hash } = row;
  await appendChanges(trx, [
    {
      entity: 'proposal',
      entityId: row.id,
      company: row.company,
      change,
      at,
      state: row.state,
      amount: row.amount,
      actor: actor ?? 'closewatch',
      data: { incident, action, parameters, origin, hash, ...data },
    },
  ]);
}
