import { z } from 'zod';
import { type ActionKind, actionKind, type Tier, tier } from './action.ts';
import { absoluteAmount, compareAmounts } from './money.ts';
import { hasRole, mayReadCompany, type Principal, role } from './principal.ts';
import type { Materiality } from './severity.ts';

/** The limits of materiality that an amount lies at or above, the highest of them; `below`: of none. */
export const BANDS = ['below', 'trivial', 'performance', 'overall'] as const;
export type Band = (typeof BANDS)[number];
const band = z.enum(BANDS);
const roles = z.array(role).min(1);

const actionPolicy = z.strictObject({
  tier: tier.describe('how many people it takes'),
  from: z
    .partialRecord(band, tier)
    .default({})
    .describe('how many it takes from an amount on: performance: four-eyes'),
  operate: roles.describe('who may propose it, adopt a proposal, and have it run when one person is enough'),
  approve: roles.describe('who may be the second person'),
  enabled: z.boolean().default(true),
});

/** Who may do what: data, so that it can be shown, tested and audited. Nobody is above it, administrators neither. */
export const policy = z.strictObject({
  acknowledge: z.strictObject({ roles }),
  actions: z.record(actionKind, actionPolicy),
  limits: z
    .partialRecord(role, band)
    .describe(
      'by role the band of amounts that one may approve at most; a role that is not named approves none',
    ),
  approvalHours: z.number().positive().max(720).describe('how long an approval holds'),
  proposalHours: z.number().positive().max(2_160).describe('how long a proposal waits'),
});
export type Policy = z.infer<typeof policy>;

const OPERATORS = ['finance', 'sre'] as const;
const one = {
  operate: [...OPERATORS],
  approve: ['finance' as const, 'manager' as const],
  from: {},
  enabled: true,
};

/** What holds unless policy.yaml says otherwise. */
export const DEFAULT_POLICY: Policy = {
  acknowledge: { roles: ['support', 'finance', 'sre'] },
  actions: {
    'reprocess-events': { ...one, tier: 'operator' },
    'redrive-events': { ...one, tier: 'operator', from: { trivial: 'four-eyes' } },
    'requeue-job': { ...one, tier: 'operator' },
    'nudge-approver': { ...one, tier: 'none', operate: ['finance', 'sre', 'support'] },
    'create-odoo-activity': { ...one, tier: 'operator' },
    'rerun-posting': { ...one, tier: 'four-eyes' },
    'mark-for-accrual': { ...one, tier: 'operator', operate: ['finance'] },
    waive: { ...one, tier: 'operator', operate: ['finance'], from: { performance: 'four-eyes' } },
    'open-ticket': { ...one, tier: 'operator' },
    investigate: { ...one, tier: 'none' },
  },
  limits: { finance: 'performance', manager: 'overall' },
  approvalHours: 24,
  proposalHours: 168,
};

/** What the policy says of a wish: allowed at once, allowed after others agreed, or denied, with the reason. */
export type PolicyVerdict =
  | { readonly outcome: 'allowed' }
  | { readonly outcome: 'needs-approval'; readonly tier: Tier; readonly reason: string }
  | { readonly outcome: 'denied'; readonly reason: string };

/** Why the principal may not touch the company's things in one of these roles; undefined when it may. A model never may. */
function refusal(
  actor: Principal,
  company: string,
  allowed: Policy['acknowledge']['roles'],
): string | undefined {
  if (actor.kind === 'model') return 'a model holds no grant';
  if (!mayReadCompany(actor, company)) return `no access to company ${company}`;
  if (!hasRole(actor, ...allowed)) return `needs one of the roles ${allowed.join(', ')}`;
  return undefined;
}

/** May the principal take over an incident (acknowledge it)? */
export function mayAcknowledge(
  actor: Principal,
  company: string,
  rules: Policy = DEFAULT_POLICY,
): PolicyVerdict {
  const reason = refusal(actor, company, rules.acknowledge.roles);
  return reason ? { outcome: 'denied', reason } : { outcome: 'allowed' };
}

/**
 * The band of an amount in company currency; an amount that is not known, or that a company without materiality has, counts
 * as the highest.
 */
export function bandOf(amount: string | undefined, limits: Materiality | undefined): Band {
  if (amount === undefined || !limits) return 'overall';
  const size = absoluteAmount(amount);
  if (compareAmounts(size, limits.overall) >= 0) return 'overall';
  if (compareAmounts(size, limits.performance) >= 0) return 'performance';
  return compareAmounts(size, limits.trivial) >= 0 ? 'trivial' : 'below';
}

export const isWithinBand = (one: Band, limit: Band): boolean => BANDS.indexOf(one) <= BANDS.indexOf(limit);

/** How many people an action on so much takes: the tier of the highest band that it reaches. */
export function tierOf(rules: Policy, kind: ActionKind, amount: Band): Tier {
  const { tier: base, from } = rules.actions[kind];
  return BANDS.filter((limit) => isWithinBand(limit, amount)).reduce<Tier>(
    (needed, limit) => from[limit] ?? needed,
    base,
  );
}
