import { z } from 'zod';
import { ACTIONS, type ActionKind, actionKind, type Tier, tier } from './action.ts';
import { hasRole, mayReadCompany, type Principal, role } from './principal.ts';

/** Who may do what: data, so that it can be shown, tested and audited. An administrator passes a role, never a tier. */
export const policy = z.strictObject({
  acknowledge: z.strictObject({ roles: z.array(role).min(1) }),
  actions: z.strictObject({
    roles: z.array(role).min(1).describe('who may bring an action about at all'),
    tiers: z.partialRecord(actionKind, tier).describe('overrides the tier of an action of the catalogue'),
  }),
});
export type Policy = z.infer<typeof policy>;

export const DEFAULT_POLICY: Policy = {
  acknowledge: { roles: ['support', 'finance', 'sre'] },
  actions: { roles: ['finance', 'sre'], tiers: {} },
};

/** What the policy says of a wish: allowed at once, allowed after others agreed, or denied, with the reason. */
export type PolicyVerdict =
  | { readonly outcome: 'allowed' }
  | { readonly outcome: 'needs-approval'; readonly tier: Tier; readonly reason: string }
  | { readonly outcome: 'denied'; readonly reason: string };

const denied = (reason: string): PolicyVerdict => ({ outcome: 'denied', reason });

/** Why the principal may not touch the company's things in one of these roles; undefined when it may. A model never may. */
function refusal(
  actor: Principal,
  company: string,
  roles: Policy['acknowledge']['roles'],
): string | undefined {
  if (actor.kind === 'model') return 'a model holds no grant';
  if (!mayReadCompany(actor, company)) return `no access to company ${company}`;
  if (!hasRole(actor, ...roles)) return `needs one of the roles ${roles.join(', ')}`;
  return undefined;
}

/** May the principal take over an incident (acknowledge it)? */
export function mayAcknowledge(
  actor: Principal,
  company: string,
  rules: Policy = DEFAULT_POLICY,
): PolicyVerdict {
  const reason = refusal(actor, company, rules.acknowledge.roles);
  return reason ? denied(reason) : { outcome: 'allowed' };
}

/** May the principal bring about an action of the catalogue on a company's documents? Says which tier must still agree. */
export function mayAct(
  actor: Principal,
  action: ActionKind,
  company: string,
  rules: Policy = DEFAULT_POLICY,
): PolicyVerdict {
  const reason = refusal(actor, company, rules.actions.roles);
  if (reason) return denied(reason);
  const needed = rules.actions.tiers[action] ?? ACTIONS[action].tier;
  if (needed !== 'four-eyes') return { outcome: 'allowed' };
  return {
    outcome: 'needs-approval',
    tier: needed,
    reason: `${ACTIONS[action].title}: a second person approves`,
  };
}
