import { ACTIONS, type ActionKind } from '../../model/action.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { BANDS, bandOf } from '../../model/policy.ts';
import { type Command, type Maker, neededTier, PROPOSAL_STATES } from '../../model/proposal.ts';
import { dateOf } from '../../model/time.ts';
import { UNDOABLE, undo } from '../../store/postgres/action-effects.ts';
import { factsForProposal } from '../../store/postgres/proposal-facts.ts';
import {
  type ApprovalRow,
  decideOn,
  findProposal,
  forgetRehearsal,
  proposalOf,
  propose,
  refusalOf,
  type StoredProposal,
} from '../../store/postgres/proposals.ts';
import type { ApiContext } from '../context.ts';
import { builder } from './builder.ts';
import { ActionKindEnum, TierEnum } from './enums.ts';
import { IncidentRef, ProposalRef } from './refs.ts';
import { instantOfDate, instantOrNull } from './scalars.ts';

const ProposalStateEnum = builder.enumType('ProposalState', {
  description: 'Proposed, adopted by a person, approved by a second one, running, and how it ended.',
  values: PROPOSAL_STATES,
});
const BandEnum = builder.enumType('Band', {
  description:
    'The limits of materiality that an amount reaches; one that is not known counts as the highest.',
  values: BANDS,
});

const ApprovalRef = builder.objectRef<ApprovalRow>('Approval').implement({
  description: 'A second person’s agreement to exactly what the hash names.',
  fields: (t) => ({
    by: t.string({ resolve: ({ approver }, _, { load }) => load.name.load(approver) }),
    hash: t.exposeString('hash'),
    at: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.at) }),
    expiresAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.expires_at) }),
    usedAt: t.field({ type: 'Instant', nullable: true, resolve: (row) => instantOrNull(row.used_at) }),
  }),
});

const MakerRef = builder.objectRef<Maker>('Maker').implement({
  description: 'Who made a document of the case: they approve nothing about it.',
  fields: (t) => ({
    account: t.exposeString('account'),
    kind: t.exposeString('kind'),
    person: t.string({
      nullable: true,
      resolve: async ({ principal }, _, { load }) => (principal ? await load.name.load(principal) : null),
    }),
  }),
});

const contextOf = ({ policy, now }: ApiContext) => ({ policy: policy(), at: dateOf(now) });
const hashOf = ({ row, approvals }: StoredProposal): string => proposalOf(row, approvals).hash;

const refusal =
  (kind: 'adopt' | 'approve') =>
  async (stored: StoredProposal, _: unknown, context: ApiContext): Promise<string | null> => {
    const command: Command = { kind, by: context.actor.id, hash: hashOf(stored) };
    return (await refusalOf(context.postgres, stored, command, contextOf(context))) ?? null;
  };

ProposalRef.implement({
  description: 'An action that is proposed for an incident. Nothing runs before people have decided.',
  fields: (t) => ({
    id: t.id({ resolve: ({ row }) => row.id }),
    action: t.string({ resolve: ({ row }) => row.action }),
    title: t.string({ resolve: ({ row }) => ACTIONS[row.action].title }),
    parameters: t.field({ type: 'Json', resolve: ({ row }) => row.parameters }),
    reason: t.string({ resolve: ({ row }) => row.reason }),
    evidence: t.intList({ resolve: ({ row }) => row.evidence }),
    origin: t.string({ description: 'rules, model or human', resolve: ({ row }) => row.origin }),
    company: t.string({ resolve: ({ row }) => row.company }),
    amount: t.field({ type: 'Decimal', nullable: true, resolve: ({ row }) => row.amount }),
    band: t.field({ type: BandEnum, resolve: ({ row }) => row.band }),
    tier: t.field({
      type: TierEnum,
      description: 'How many people it takes, by the policy as it is now',
      resolve: ({ row }, _, { policy }) => neededTier(row, policy()),
    }),
    state: t.field({ type: ProposalStateEnum, resolve: ({ row }) => row.state }),
    hash: t.string({ description: 'What a decision binds to: send it back with it', resolve: hashOf }),
    editors: t.stringList({
      description: 'The people who wrote, changed or adopted it, the last one last',
      resolve: ({ row }, _, { load }) => Promise.all(row.editors.map((id) => load.name.load(id))),
    }),
    makers: t.field({ type: [MakerRef], resolve: ({ row }) => row.makers }),
    approvals: t.field({ type: [ApprovalRef], resolve: ({ approvals }) => approvals }),
    createdAt: t.field({ type: 'Instant', resolve: ({ row }) => instantOfDate(row.created_at) }),
    updatedAt: t.field({ type: 'Instant', resolve: ({ row }) => instantOfDate(row.updated_at) }),
    expiresAt: t.field({ type: 'Instant', resolve: ({ row }) => instantOfDate(row.expires_at) }),
    attempts: t.int({ resolve: ({ row }) => row.attempts }),
    outcome: t.string({ nullable: true, resolve: ({ row }) => row.outcome }),
    error: t.string({ nullable: true, resolve: ({ row }) => row.error }),
    before: t.field({ type: 'Json', nullable: true, resolve: ({ row }) => row.before }),
    after: t.field({ type: 'Json', nullable: true, resolve: ({ row }) => row.after }),
    rehearsal: t.field({
      type: 'Json',
      nullable: true,
      description:
        'What it would do, found by a dry run: its instant, outcome (would, already, waits, or why it would fail), before, after, error; null until it was tried',
      resolve: ({ row }) => (isOf(row.rehearsal, row.hash) ? row.rehearsal : null),
    }),
    canBeUndone: t.boolean({
      resolve: ({ row }) => row.state === 'done' && row.outcome !== 'undone' && UNDOABLE.has(row.action),
    }),
    whyNotAdopt: t.string({
      nullable: true,
      description: 'Why the viewer may not stand for it; null when one may',
      resolve: refusal('adopt'),
    }),
    whyNotApprove: t.string({
      nullable: true,
      description: 'Why the viewer may not approve it; null when one may',
      resolve: refusal('approve'),
    }),
    incident: t.field({
      type: IncidentRef,
      nullable: true,
      resolve: async ({ row }, _, { load }) => (await load.incident.load(row.incident)) ?? null,
    }),
  }),
});

/** Is the rehearsal of what the proposal is now? */
const isOf = (rehearsal: unknown, hash: string): boolean =>
  (rehearsal as { hash?: unknown } | null)?.hash === hash;

/** The proposal, when the viewer may read its incident. */
async function readable(id: string, { postgres, load }: ApiContext): Promise<StoredProposal> {
  const stored = await findProposal(postgres, id);
  if (!stored || !(await load.incident.load(stored.row.incident)))
    throw new ClosewatchError('not-found', `there is no proposal ${id}`);
  return stored;
}

/** What somebody decides on exactly what the hash names. */
const decision =
  (kind: 'adopt' | 'approve' | 'reject') =>
  async (
    _: unknown,
    { id, hash }: { id: string; hash: string },
    context: ApiContext,
  ): Promise<StoredProposal> => {
    await readable(id, context);
    const command = { kind, by: context.actor.id, hash };
    return await decideOn(context.postgres, id, command, contextOf(context));
  };

/** The exceptions that the parameters of an action name, when they name some. */
const exceptionsIn = (parameters: unknown): readonly string[] | undefined => {
  const named = (parameters as { exceptions?: unknown } | null)?.exceptions;
  return Array.isArray(named) ? named.filter((one) => typeof one === 'string') : undefined;
};

/** Throws `auth.forbidden` for who may not propose the action, and for whom is no person. */
function requireOperator(action: ActionKind, { actor, policy }: ApiContext): void {
  const roles = policy().actions[action].operate;
  if (actor.kind !== 'human' || !actor.roles.some((role) => roles.includes(role)))
    throw new ClosewatchError('auth.forbidden', `needs one of the roles ${roles.join(', ')}`);
}

const MAX_REASON = 1_000;

function checkReason(reason: string): void {
  if (reason.trim() === '' || reason.length > MAX_REASON)
    throw new ClosewatchError('request.malformed', `a reason has 1 to ${MAX_REASON} characters`);
}

builder.queryFields((t) => ({
  proposal: t.field({
    type: ProposalRef,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, context) => {
      const stored = await findProposal(context.postgres, id);
      return stored && (await context.load.incident.load(stored.row.incident)) ? stored : null;
    },
  }),
}));

builder.mutationFields((t) => ({
  dryRunProposal: t.field({
    type: ProposalRef,
    description:
      'Has the worker try once more what the proposal would do, without doing it; `rehearsal` tells it some seconds later. Needs a role that the policy lets propose the action.',
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, context) => {
      const { row } = await readable(id, context);
      requireOperator(row.action, context);
      await forgetRehearsal(context.postgres, id);
      return await readable(id, context);
    },
  }),
  undoProposal: t.field({
    type: ProposalRef,
    description:
      'Takes back what a waiver or an accrual did. Other actions cannot be undone from here. Needs a role that the policy lets propose the action.',
    args: { id: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
    resolve: async (_, { id, reason }, context) => {
      checkReason(reason);
      const { row } = await readable(id, context);
      requireOperator(row.action, context);
      const { actor, now, postgres } = context;
      await undo(postgres, row, { actor: actor.id, reason, at: dateOf(now) });
      return await readable(id, context);
    },
  }),
  proposeAction: t.field({
    type: ProposalRef,
    description:
      'Proposes an action for an incident; who does stands for it. Needs a role that the policy names.',
    args: {
      incident: t.arg.id({ required: true }),
      action: t.arg({ type: ActionKindEnum, required: true }),
      parameters: t.arg({ type: 'Json', required: true }),
      reason: t.arg.string({ required: true }),
    },
    resolve: async (_, { incident: id, action, parameters, reason }, context) => {
      checkReason(reason);
      const { actor, company: companyOf, events, load, postgres } = context;
      const incident = await load.incident.load(id);
      if (!incident) throw new ClosewatchError('not-found', `there is no incident ${id}`);
      const company = companyOf(incident.company);
      const facts = await factsForProposal(postgres, events, incident, company, exceptionsIn(parameters));
      const stored = await propose(
        postgres,
        {
          incident: incident.id,
          company: incident.company,
          action: action as ActionKind,
          parameters,
          reason,
          evidence: [],
          origin: 'human',
          by: actor.id,
          amount: facts.amount,
          materiality: company.materiality,
          makers: facts.makers,
        },
        contextOf(context),
      );
      if (!stored)
        throw new ClosewatchError('state.conflict', 'the same is proposed for this incident already');
      return stored;
    },
  }),
  adoptProposal: t.field({
    type: ProposalRef,
    description: 'Stands for what the rules or a model proposed. What one person is enough for runs then.',
    args: { id: t.arg.id({ required: true }), hash: t.arg.string({ required: true }) },
    resolve: decision('adopt'),
  }),
  editProposal: t.field({
    type: ProposalRef,
    description: 'Changes what would be done. Approvals of what it was before end.',
    args: { id: t.arg.id({ required: true }), parameters: t.arg({ type: 'Json', required: true }) },
    resolve: async (_, { id, parameters }, context) => {
      const { row } = await readable(id, context);
      const company = context.company(row.company);
      const about = { id: row.incident, company: row.company };
      const facts = await factsForProposal(
        context.postgres,
        context.events,
        about,
        company,
        exceptionsIn(parameters),
      );
      const { amount } = facts;
      const band = bandOf(amount, company.materiality);
      const command = { kind: 'edit', by: context.actor.id, parameters, amount, band } as const;
      return await decideOn(context.postgres, id, command, contextOf(context));
    },
  }),
  approveProposal: t.field({
    type: ProposalRef,
    description: 'Agrees, as a second person, to exactly what the hash names.',
    args: { id: t.arg.id({ required: true }), hash: t.arg.string({ required: true }) },
    resolve: decision('approve'),
  }),
  rejectProposal: t.field({
    type: ProposalRef,
    args: { id: t.arg.id({ required: true }), hash: t.arg.string({ required: true }) },
    resolve: decision('reject'),
  }),
  withdrawProposal: t.field({
    type: ProposalRef,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, context) => {
      await readable(id, context);
      return await decideOn(
        context.postgres,
        id,
        { kind: 'withdraw', by: context.actor.id },
        contextOf(context),
      );
    },
  }),
}));
