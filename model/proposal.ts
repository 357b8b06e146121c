import { ACTION_PARAMETERS, type ActionKind, type Tier } from './action.ts';
import { canonicalHash } from './canonical-json.ts';
import { type Band, isWithinBand, type Policy, tierOf } from './policy.ts';
import { mayReadCompany, type Principal, type Role } from './principal.ts';

/**
 * A proposal is `proposed` by the rules, a model or a person; `adopted` once a person stands for it; `approved` when a second
 * one agreed to exactly this. Then it is `running` once, and `done` or `failed`. `rejected`, `withdrawn` and `expired` are ends.
 */
export const PROPOSAL_STATES = [
  'proposed',
  'adopted',
  'approved',
  'running',
  'done',
  'failed',
  'rejected',
  'withdrawn',
  'expired',
] as const;
export type ProposalState = (typeof PROPOSAL_STATES)[number];

/** Somebody who created, edited or posted a document of the case; `principal` when the account is linked to one. */
export interface Maker {
  readonly kind: 'human' | 'service';
  /** The account elsewhere: `/odoo/prod user 7`. */
  readonly account: string;
  readonly principal?: string | undefined;
}

/** A second person's agreement to exactly what the hash names. */
export interface Approval {
  readonly by: string;
  readonly hash: string;
  /** Epoch nanoseconds. */
  readonly at: bigint;
  readonly expiresAt: bigint;
  readonly usedAt?: bigint | undefined;
}

export interface Proposal {
  readonly id: string;
  readonly incident: string;
  readonly company: string;
  readonly action: ActionKind;
  readonly parameters: unknown;
  /** What it is about, absolute, in company currency; undefined when that is not known. */
  readonly amount?: string | undefined;
  readonly band: Band;
  readonly origin: 'rules' | 'model' | 'human';
  /** The people who wrote, changed or adopted it, the last one last. */
  readonly editors: readonly string[];
  readonly makers: readonly Maker[];
  readonly state: ProposalState;
  readonly hash: string;
  readonly approvals: readonly Approval[];
  readonly expiresAt: bigint;
}

/** What an approval binds to: everything that makes a difference when it runs. */
export const proposalHash = (
  proposal: Pick<Proposal, 'id' | 'incident' | 'company' | 'action' | 'parameters' | 'amount' | 'band'>,
): string =>
  canonicalHash({
    id: proposal.id,
    incident: proposal.incident,
    company: proposal.company,
    action: proposal.action,
    parameters: proposal.parameters,
    amount: proposal.amount ?? null,
    band: proposal.band,
  });

/** What somebody wants of a proposal. `hash` is what one has seen and means. */
export type Command =
  | { readonly kind: 'adopt'; readonly by: string; readonly hash: string }
  | {
      readonly kind: 'edit';
      readonly by: string;
      readonly parameters: unknown;
      readonly amount?: string | undefined;
      readonly band: Band;
    }
  | { readonly kind: 'approve'; readonly by: string; readonly hash: string }
  | { readonly kind: 'reject'; readonly by: string; readonly hash: string }
  | { readonly kind: 'withdraw'; readonly by: string }
  | { readonly kind: 'start' }
  | { readonly kind: 'finish'; readonly ok: boolean };

/** How things are at the moment of a decision: the policy, the clock, and who is who now. */
export interface World {
  readonly policy: Policy;
  /** Epoch nanoseconds. */
  readonly now: bigint;
  /** The principal as it is now; undefined when there is none, or it is disabled. */
  principal(id: string): Principal | undefined;
}

/** What came of a command: the proposal as it is then, or why not. */
export type Decided =
  | { readonly proposal: Proposal; readonly denied?: undefined }
  | { readonly denied: { readonly code: string; readonly reason: string }; readonly proposal?: undefined };

type Fault = string | undefined;

/** What a check of an approver or of an operator looks at. */
interface Person {
  readonly id: string;
  readonly proposal: Proposal;
  readonly world: World;
}
type Check = { readonly code: string; readonly fault: (person: Person) => Fault };

const HOUR = 3_600_000_000_000n;
const hours = (count: number): bigint => BigInt(Math.round(count * 3_600)) * (HOUR / 3_600n);

/** Roles as they are held: nobody is let through for being an administrator. */
const holds = (actor: Principal | undefined, allowed: readonly Role[]): boolean =>
  actor !== undefined && actor.kind !== 'model' && actor.roles.some((held) => allowed.includes(held));

const IS_PERSON: Check = {
  code: 'not-human',
  fault: ({ id, world }) => {
    const kind = world.principal(id)?.kind;
    return kind === undefined || kind === 'human' ? undefined : `a ${kind} decides nothing`;
  },
};
const IS_KNOWN: Check = {
  code: 'unknown',
  fault: ({ id, world }) => (world.principal(id) ? undefined : `${id} is nobody here, or disabled`),
};
const HAS_COMPANY: Check = {
  code: 'company',
  fault: ({ id, proposal, world }) => {
    const actor = world.principal(id);
    if (!actor || actor.kind === 'model') return undefined;
    return mayReadCompany(actor, proposal.company) ? undefined : `no access to company ${proposal.company}`;
  },
};
const MAY_OPERATE: Check = {
  code: 'role',
  fault: ({ id, proposal, world }) => {
    const { operate } = world.policy.actions[proposal.action];
    return holds(world.principal(id), operate) ? undefined : `needs one of the roles ${operate.join(', ')}`;
  },
};
const MAY_APPROVE: Check = {
  code: 'role',
  fault: ({ id, proposal, world }) => {
    const { approve } = world.policy.actions[proposal.action];
    return holds(world.principal(id), approve) ? undefined : `needs one of the roles ${approve.join(', ')}`;
  },
};
const WITHIN_LIMIT: Check = {
  code: 'limit',
  fault: ({ id, proposal, world }) => {
    const actor = world.principal(id);
    const held = actor && actor.kind !== 'model' ? actor.roles : [];
    const { approve } = world.policy.actions[proposal.action];
    const may = held.some((role) => {
      const limit = approve.includes(role) ? world.policy.limits[role] : undefined;
      return limit !== undefined && isWithinBand(proposal.band, limit);
    });
    return may ? undefined : 'the amount is above the limit of this person';
  },
};
const NOT_EDITOR: Check = {
  code: 'self-approval',
  fault: ({ id, proposal }) =>
    proposal.editors.includes(id) ? 'who made or adopted a proposal does not approve it' : undefined,
};
const NOT_MAKER: Check = {
  code: 'maker',
  fault: ({ id, proposal }) =>
    proposal.makers.some(({ principal }) => principal === id)
      ? 'who made a document of the case does not approve what is done about it'
      : undefined,
};
const MAKERS_KNOWN: Check = {
  code: 'maker-unresolved',
  fault: ({ proposal }) => {
    const unknown = proposal.makers.find(
      ({ kind, principal }) => kind === 'human' && principal === undefined,
    );
    return unknown ? `nobody knows who ${unknown.account} is: link the account first` : undefined;
  },
};

/** Everything that is asked of who stands for a proposal, and of who approves it: when they decide, and again when it runs. */
export const OPERATOR_CHECKS: readonly Check[] = [IS_KNOWN, IS_PERSON, HAS_COMPANY, MAY_OPERATE];
export const APPROVER_CHECKS: readonly Check[] = [
  IS_KNOWN,
  IS_PERSON,
  HAS_COMPANY,
  MAY_APPROVE,
  WITHIN_LIMIT,
  MAKERS_KNOWN,
  NOT_EDITOR,
  NOT_MAKER,
];

/** What is asked of an approval when the proposal runs. */
type ApprovalCheck = {
  readonly code: string;
  readonly fault: (approval: Approval, proposal: Proposal, now: bigint) => Fault;
};
export const APPROVAL_CHECKS: readonly ApprovalCheck[] = [
  {
    code: 'hash',
    fault: ({ hash }, proposal) =>
      hash === proposal.hash ? undefined : 'what was approved is not what would run',
  },
  { code: 'reused', fault: ({ usedAt }) => (usedAt === undefined ? undefined : 'the approval was used') },
  {
    code: 'approval-expired',
    fault: ({ expiresAt }, _, now) => (now < expiresAt ? undefined : 'the approval has expired'),
  },
];

/** The checks in force. Tests take single ones out, to see that each is missed. */
export interface Checks {
  readonly operator: readonly Check[];
  readonly approver: readonly Check[];
  readonly approval: readonly ApprovalCheck[];
  /** Is the operator, or the approver, looked at again when it runs? */
  readonly operatorAgain: readonly Check[];
  readonly approverAgain: readonly Check[];
  /** Does a command that names a hash mean the proposal as it is? */
  readonly bindsHash: boolean;
  /** Does an edit void what was approved? */
  readonly editVoids: boolean;
  /** May only what a person adopted be approved, or run? */
  readonly needsAdoption: boolean;
  /** Does a proposal end with its time, and run once? */
  readonly expires: boolean;
  readonly runsOnce: boolean;
}

export const ALL_CHECKS: Checks = {
  operator: OPERATOR_CHECKS,
  approver: APPROVER_CHECKS,
  approval: APPROVAL_CHECKS,
  operatorAgain: OPERATOR_CHECKS,
  approverAgain: APPROVER_CHECKS,
  bindsHash: true,
  editVoids: true,
  needsAdoption: true,
  expires: true,
  runsOnce: true,
};

const denied = (code: string, reason: string): Decided => ({ denied: { code, reason } });

function firstFault(checks: readonly Check[], person: Person): Decided | undefined {
  for (const { code, fault } of checks) {
    const reason = fault(person);
    if (reason) return denied(code, reason);
  }
  return undefined;
}

/** How many people it takes, by the policy as it is now. */
export const neededTier = (proposal: Pick<Proposal, 'action' | 'band'>, rules: Policy): Tier =>
  tierOf(rules, proposal.action, proposal.band);

const OPEN: readonly ProposalState[] = ['proposed', 'adopted', 'approved'];

/**
 * What becomes of a proposal by a command. Pure: the same proposal, command and world give the same answer. Whoever decides is
 * looked up in the world of that moment; `start`, which the worker asks for, looks up everybody again.
 */
export function decide(
  proposal: Proposal,
  command: Command,
  world: World,
  checks: Checks = ALL_CHECKS,
): Decided {
  const { state } = proposal;
  if (command.kind === 'finish') {
    if (state !== 'running') return denied('state', `it is ${state}`);
    return { proposal: { ...proposal, state: command.ok ? 'done' : 'failed' } };
  }
  const mayStart = command.kind === 'start' && !checks.runsOnce;
  if (!OPEN.includes(state) && !mayStart) return denied('state', `it is ${state} already`);
  if (checks.expires && world.now >= proposal.expiresAt)
    return denied('expired', 'nobody decided in time: it has expired');
  if (!world.policy.actions[proposal.action].enabled)
    return denied('disabled', 'the policy has switched it off');
  if (command.kind === 'start') return start(proposal, world, checks);
  if ('hash' in command && checks.bindsHash && command.hash !== proposal.hash)
    return denied('hash', 'it was changed meanwhile: look at it again');
  const person = { id: command.by, proposal, world };
  switch (command.kind) {
    case 'adopt':
      if (state !== 'proposed') return denied('state', `it is ${state} already`);
      return (
        firstFault(checks.operator, person) ?? {
          proposal: { ...proposal, state: 'adopted', editors: withEditor(proposal, command.by) },
        }
      );
    case 'edit':
      return firstFault(checks.operator, person) ?? edited(proposal, command, checks);
    case 'withdraw':
      return firstFault(checks.operator, person) ?? { proposal: { ...proposal, state: 'withdrawn' } };
    case 'reject':
      // One who may neither operate nor approve has no say; whoever may do either may say no.
      if (firstFault(checks.operator, person) && firstFault(APPROVER_CHECKS.slice(0, 4), person))
        return denied('role', 'needs a role of those who operate or approve it');
      return { proposal: { ...proposal, state: 'rejected' } };
    case 'approve':
      return approved(proposal, command.by, person, checks);
  }
}

const withEditor = ({ editors }: Proposal, by: string): readonly string[] => [
  ...editors.filter((one) => one !== by),
  by,
];

function edited(proposal: Proposal, command: Command & { kind: 'edit' }, checks: Checks): Decided {
  const parameters = ACTION_PARAMETERS[proposal.action].safeParse(command.parameters);
  if (!parameters.success) return denied('parameters', 'these are no parameters of the action');
  const changed: Proposal = {
    ...proposal,
    parameters: parameters.data,
    amount: command.amount,
    band: command.band,
    editors: withEditor(proposal, command.by),
  };
  const next = { ...changed, hash: proposalHash(changed) };
  if (next.hash === proposal.hash && proposal.state !== 'proposed') return { proposal };
  return {
    proposal: {
      ...next,
      state: checks.editVoids || proposal.state === 'proposed' ? 'adopted' : proposal.state,
    },
  };
}

function approved(proposal: Proposal, by: string, person: Person, checks: Checks): Decided {
  if (neededTier(proposal, person.world.policy) !== 'four-eyes')
    return denied('not-needed', 'it needs no second person');
  if (proposal.state !== 'adopted' && (checks.needsAdoption || proposal.state !== 'proposed'))
    return denied(
      'not-adopted',
      proposal.state === 'proposed' ? 'a person must stand for it first' : `it is ${proposal.state} already`,
    );
  const fault = firstFault(checks.approver, person);
  if (fault) return fault;
  const { now, policy } = person.world;
  const approval = { by, hash: proposal.hash, at: now, expiresAt: now + hours(policy.approvalHours) };
  return { proposal: { ...proposal, state: 'approved', approvals: [...proposal.approvals, approval] } };
}

/** The worker's question: may it run now? Everybody is looked up again, and an approval is used up. */
function start(proposal: Proposal, world: World, checks: Checks): Decided {
  const operator = proposal.editors.at(-1);
  if (checks.needsAdoption && (operator === undefined || proposal.state === 'proposed'))
    return denied('not-adopted', 'a person must stand for it first');
  if (operator !== undefined) {
    const fault = firstFault(checks.operatorAgain, { id: operator, proposal, world });
    if (fault) return fault;
  }
  if (neededTier(proposal, world.policy) !== 'four-eyes')
    return { proposal: { ...proposal, state: 'running' } };
  if (proposal.state !== 'approved' && checks.runsOnce)
    return denied('not-approved', 'a second person must approve it first');
  let last: Decided = denied('not-approved', 'a second person must approve it first');
  for (const approval of proposal.approvals) {
    const fault = approvalFault(approval, proposal, world, checks);
    if (fault) {
      last = fault;
      continue;
    }
    const approvals = proposal.approvals.map((one) =>
      one === approval ? { ...one, usedAt: world.now } : one,
    );
    return { proposal: { ...proposal, state: 'running', approvals } };
  }
  return last;
}

function approvalFault(
  approval: Approval,
  proposal: Proposal,
  world: World,
  checks: Checks,
): Decided | undefined {
  for (const { code, fault } of checks.approval) {
    const reason = fault(approval, proposal, world.now);
    if (reason) return denied(code, reason);
  }
  return firstFault(checks.approverAgain, { id: approval.by, proposal, world });
}
