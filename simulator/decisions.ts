import { ACTION_PARAMETERS, type ActionKind } from '../model/action.ts';
import { BANDS, type Band, DEFAULT_POLICY, type Policy } from '../model/policy.ts';
import type { Principal, Role } from '../model/principal.ts';
import {
  ALL_CHECKS,
  type Checks,
  type Command,
  decide,
  type Maker,
  type Proposal,
  proposalHash,
} from '../model/proposal.ts';
import { createRandom, type Random } from './random.ts';

/**
 * Random histories of proposals and decisions by people, services and models, and what must never happen in them, worked out from
 * the commands alone: not from what the policy said of them.
 */

const HOUR = 3_600_000_000_000n;
const COMPANIES = ['acme', 'globex'];
const KINDS: readonly ActionKind[] = [
  'rerun-posting',
  'redrive-events',
  'waive',
  'requeue-job',
  'nudge-approver',
];
/** Proposals that are alive at a time: few, so that many hands meet at each. */
const ALIVE = 3;

export interface Walk {
  readonly steps: number;
  /** Commands that were let through, actions that ran, and those of them that needed a second person. */
  readonly accepted: number;
  readonly ran: number;
  readonly ranWithFourEyes: number;
  readonly violations: readonly string[];
}

const ENDED: ReadonlySet<string> = new Set(['running', 'done', 'failed', 'rejected', 'withdrawn', 'expired']);

interface Person {
  readonly id: string;
  readonly kind: Principal['kind'];
  roles: Role[];
  companies: string[];
  isDisabled: boolean;
}

/** What the oracle remembers of a proposal: who did what, in their own words. */
interface Memory {
  readonly editors: Set<string>;
  lastEditor: string | undefined;
  readonly approvals: { by: string; saidHash: string; at: bigint; isUsed: boolean }[];
  runs: number;
}

const ROLES_PICKED: readonly Role[][] = [
  ['finance'],
  ['finance'],
  ['manager'],
  ['manager'],
  ['finance', 'manager'],
  ['sre'],
  ['support', 'admin', 'auditor'],
];

function people(random: Random): Person[] {
  const kinds = [
    ...Array.from({ length: 7 }, () => 'human' as const),
    'service' as const,
    'service' as const,
    'model' as const,
  ];
  return kinds.map((kind, index) => ({
    id: `${kind}-${index}`,
    kind,
    roles: kind === 'model' ? [] : [...random.pick(ROLES_PICKED)],
    companies: kind === 'model' ? [] : random.chance(0.5) ? ['*'] : [random.pick(COMPANIES)],
    isDisabled: false,
  }));
}

const asPrincipal = ({ id, kind, roles, companies }: Person): Principal =>
  kind === 'model' ? { kind, id, name: id } : { kind, id, name: id, roles, companies };

function parametersOf(kind: ActionKind, random: Random): unknown {
  const source = '/odoo/prod';
  const some = `${random.int(1, 4)}`;
  const given: Partial<Record<ActionKind, unknown>> = {
    'rerun-posting': { source, id: Number(some) },
    'redrive-events': { flow: 'ap', events: [{ source, id: some }] },
    waive: { exceptions: [some], until: '2026-12-31' },
    'requeue-job': { source, job: Number(some) },
    'nudge-approver': { source, model: 'account.move', id: Number(some) },
  };
  return ACTION_PARAMETERS[kind].parse(given[kind]);
}

/** Walks so many random commands from a seed, under these checks. Stops at the first `most` violations. */
export function walkDecisions(
  { seed, steps, most = 1 }: { seed: number; steps: number; most?: number },
  checks: Checks = ALL_CHECKS,
  policy: Policy = DEFAULT_POLICY,
): Walk {
  const random = createRandom(seed);
  const everybody = people(random);
  const byId = new Map(everybody.map((person) => [person.id, person]));
  const proposals: Proposal[] = [];
  const memories = new Map<string, Memory>();
  const seenHashes: string[] = [];
  const violations: string[] = [];
  let [now, made, accepted, ran, ranWithFourEyes, step] = [HOUR * 24n, 0, 0, 0, 0, 0];

  const principal = (id: string): Principal | undefined => {
    const person = byId.get(id);
    return person && !person.isDisabled ? asPrincipal(person) : undefined;
  };

  function propose(): void {
    made += 1;
    const origin = random.pick(['rules', 'model', 'human'] as const);
    const action = random.pick(KINDS);
    const author =
      origin === 'human' ? random.pick(everybody.filter(({ kind }) => kind === 'human')) : undefined;
    const makers: Maker[] = [];
    if (random.chance(0.5)) makers.push(makerOf(random.pick(everybody)));
    if (random.chance(0.15)) makers.push({ kind: 'human', account: 'somebody' });
    if (random.chance(0.2)) makers.push({ kind: 'service', account: 'bot' });
    const plain = {
      id: `p${made}`,
      incident: 'i',
      company: random.pick(COMPANIES),
      action,
      parameters: parametersOf(action, random),
      amount: `${random.int(1, 999)}`,
      band: random.pick(BANDS),
    };
    const proposal: Proposal = {
      ...plain,
      origin,
      editors: author ? [author.id] : [],
      makers,
      state: author ? 'adopted' : 'proposed',
      hash: proposalHash(plain),
      approvals: [],
      expiresAt: now + BigInt(random.int(6, 120)) * HOUR,
    };
    proposals.push(proposal);
    memories.set(proposal.id, {
      editors: new Set(proposal.editors),
      lastEditor: author?.id,
      approvals: [],
      runs: 0,
    });
    if (proposals.length > ALIVE) proposals.splice(random.int(0, proposals.length - 1), 1);
  }

  /** Somebody whose decision counts now: it is they whose change makes a difference. */
  function whoDecided(): Person {
    const decided = proposals.flatMap(({ state, approvals, editors }) =>
      state === 'approved' ? [approvals.at(-1)?.by, editors.at(-1)] : [],
    );
    return byId.get(decided.length > 0 ? (random.pick(decided) ?? '') : '') ?? random.pick(everybody);
  }

  /** Mostly somebody who could be the right one, sometimes anybody. */
  function somebody(): string {
    const fit = everybody.filter(
      ({ kind, roles, isDisabled }) =>
        kind !== 'model' && !isDisabled && /finance|manager/.test(roles.join()),
    );
    return random.pick(fit.length > 0 && random.chance(0.7) ? fit : everybody).id;
  }

  /** What comes next for a proposal in its state, or anything at all. */
  function kindOn({ state }: Proposal): Command['kind'] {
    if (random.chance(0.35))
      return random.pick([
        'adopt',
        'edit',
        'edit',
        'approve',
        'start',
        'start',
        'finish',
        'reject',
        'withdraw',
      ] as const);
    if (state === 'proposed') return 'adopt';
    if (state === 'adopted') return random.chance(0.7) ? 'approve' : 'start';
    // What is approved may lie for a while: that is when the world changes.
    if (state === 'approved') return random.chance(0.3) ? 'start' : 'approve';
    return 'finish';
  }

  function commandOn(proposal: Proposal): Command {
    const by = somebody();
    // Mostly what is there now; sometimes what was there before, or stands elsewhere.
    const hash = random.chance(0.85)
      ? proposal.hash
      : random.pick(seenHashes.length > 0 ? seenHashes : ['none']);
    const kind = kindOn(proposal);
    switch (kind) {
      case 'edit': {
        const band: Band = random.pick(BANDS);
        return {
          kind,
          by,
          parameters: parametersOf(proposal.action, random),
          amount: `${random.int(1, 999)}`,
          band,
        };
      }
      case 'withdraw':
        return { kind, by };
      case 'finish':
        return { kind, ok: random.chance(0.5) };
      case 'start':
        return { kind };
      default:
        return { kind, by, hash };
    }
  }

  for (; step < steps && violations.length < most; step += 1) {
    if (random.chance(0.3)) {
      const ended = proposals.findIndex(
        ({ state, expiresAt }) => ENDED.has(state) || now > expiresAt + 2n * HOUR,
      );
      if (ended >= 0) proposals.splice(ended, 1);
    }
    if (proposals.length < 2 || random.chance(0.03)) propose();
    // Mostly minutes, and sometimes a night.
    now += random.chance(0.015) ? BigInt(random.int(8, 30)) * HOUR : BigInt(random.int(0, 9)) * (HOUR / 60n);
    if (random.chance(0.1)) change(random.chance(0.6) ? whoDecided() : random.pick(everybody), random);
    const index = random.int(0, proposals.length - 1);
    const proposal = proposals[index] as Proposal;
    const command = commandOn(proposal);
    const decided = decide(proposal, command, { policy, now, principal }, checks);
    if (decided.denied) continue;
    accepted += 1;
    const memory = memories.get(proposal.id) as Memory;
    if (command.kind === 'start') {
      ran += 1;
      const used = decided.proposal.approvals.findIndex(
        ({ usedAt }, i) => usedAt !== undefined && !memory.approvals[i]?.isUsed,
      );
      const broken = brokenBy(proposal, memory, { byId, policy, now }, used);
      if (broken) violations.push(`step ${step}: ${proposal.action} of ${proposal.id} ran: ${broken}`);
      if (needs(policy, proposal) === 'four-eyes') ranWithFourEyes += 1;
      memory.runs += 1;
      const known = memory.approvals[used];
      if (known) known.isUsed = true;
    } else if (command.kind === 'approve')
      memory.approvals.push({ by: command.by, saidHash: command.hash, at: now, isUsed: false });
    else if (command.kind === 'adopt' || command.kind === 'edit') {
      memory.editors.add(command.by);
      memory.lastEditor = command.by;
    }
    proposals[index] = decided.proposal;
    seenHashes.push(decided.proposal.hash);
    if (seenHashes.length > 50) seenHashes.shift();
  }
  return { steps: step, accepted, ran, ranWithFourEyes, violations };
}

const makerOf = ({ id, kind }: Person): Maker => ({
  kind: kind === 'human' ? 'human' : 'service',
  account: `account of ${id}`,
  ...(kind === 'human' ? { principal: id } : {}),
});

function change(person: Person, random: Random): void {
  if (person.kind === 'model') return;
  switch (random.int(1, 4)) {
    case 1:
    case 2:
      person.roles = [...random.pick(ROLES_PICKED)];
      break;
    case 3:
      person.companies = random.chance(0.5) ? ['*'] : [random.pick(COMPANIES)];
      break;
    default:
      // Who is disabled comes back soon: a house with nobody in it tries nothing.
      person.isDisabled = !person.isDisabled && random.chance(0.3);
  }
}

/** How many people it takes, read from the table of the policy. */
function needs(policy: Policy, { action, band }: Proposal): string {
  const { tier, from } = policy.actions[action];
  let needed: string = tier;
  for (const one of BANDS.slice(0, BANDS.indexOf(band) + 1)) needed = from[one] ?? needed;
  return needed;
}

interface Now {
  readonly byId: ReadonlyMap<string, Person>;
  readonly policy: Policy;
  readonly now: bigint;
}

/** What must never be: an action that ran without the people that it takes, as they are now, for exactly what ran. */
function brokenBy(
  proposal: Proposal,
  memory: Memory,
  { byId, policy, now }: Now,
  used: number,
): string | undefined {
  const rules = policy.actions[proposal.action];
  const stands = (id: string | undefined, roles: readonly Role[]): boolean => {
    const person = id === undefined ? undefined : byId.get(id);
    return (
      person?.kind === 'human' &&
      !person.isDisabled &&
      (person.companies.includes('*') || person.companies.includes(proposal.company)) &&
      person.roles.some((role) => roles.includes(role))
    );
  };
  if (memory.runs > 0) return 'a second time';
  if (now >= proposal.expiresAt) return 'after its time';
  if (!stands(memory.lastEditor, rules.operate)) return `for ${memory.lastEditor ?? 'nobody'}, who may not`;
  if (needs(policy, proposal) !== 'four-eyes') return undefined;
  if (proposal.makers.some(({ kind, principal }) => kind === 'human' && principal === undefined))
    return 'though a maker is unknown';
  const exact = proposalHash(proposal);
  const made = new Set(proposal.makers.map(({ principal }) => principal));
  const agreement = memory.approvals[used];
  const agreed =
    agreement !== undefined &&
    !agreement.isUsed &&
    agreement.saidHash === exact &&
    now < agreement.at + BigInt(policy.approvalHours) * HOUR &&
    stands(agreement.by, rules.approve) &&
    isWithinLimit(byId.get(agreement.by), proposal.band, policy, rules.approve) &&
    !memory.editors.has(agreement.by) &&
    !made.has(agreement.by);
  return agreed ? undefined : 'without a second person who agreed to exactly this and still may';
}

const isWithinLimit = (
  person: Person | undefined,
  band: Band,
  policy: Policy,
  approve: readonly Role[],
): boolean =>
  (person?.roles ?? []).some((role) => {
    const limit = approve.includes(role) ? policy.limits[role] : undefined;
    return limit !== undefined && BANDS.indexOf(band) <= BANDS.indexOf(limit);
  });
