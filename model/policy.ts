import { ACTIONS, type ActionKind, type Tier } from './action.ts';
import { hasRole, mayReadCompany, type Principal } from './principal.ts';

/** What the policy says of a wish: allowed at once, allowed after others agreed, or denied, with the reason. */
export type Verdict =
  | { readonly outcome: 'allowed' }
  | { readonly outcome: 'needs-approval'; readonly tier: Tier; readonly reason: string }
  | { readonly outcome: 'denied'; readonly reason: string };

const denied = (reason: string): Verdict => ({ outcome: 'denied', reason });

/** May the principal take over an incident (acknowledge it)? A model never may; a person needs the company and a working role. */
export function mayAcknowledge(actor: Principal, company: string): Verdict {
  if (actor.kind === 'model') return denied('a model holds no grant');
  if (!mayReadCompany(actor, company)) return denied(`no access to company ${company}`);
  if (!hasRole(actor, 'support', 'finance', 'sre')) return denied('needs the role support, finance or sre');
  return { outcome: 'allowed' };
}

/** May the principal bring about an action of the catalogue on a company's documents? Says which tier must still agree. */
export function mayAct(actor: Principal, action: ActionKind, company: string): Verdict {
  if (actor.kind === 'model') return denied('a model holds no grant');
  if (!mayReadCompany(actor, company)) return denied(`no access to company ${company}`);
  if (!hasRole(actor, 'finance', 'sre')) return denied('needs the role finance or sre');
  const { tier, title } = ACTIONS[action];
  if (tier === 'four-eyes')
    return { outcome: 'needs-approval', tier, reason: `${title}: a second person approves` };
  return { outcome: 'allowed' };
}
