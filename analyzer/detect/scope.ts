import type { Company } from '../../model/company.ts';
import { fieldOf } from '../../model/event-field.ts';
import { eventMatcher, whereMatcher } from '../../model/event-pattern.ts';
import type { Expectation } from '../../model/expectation.ts';
import { absoluteAmount, compareAmounts } from '../../model/money.ts';
import type { CaseEvent } from './case-event.ts';
import type { EvaluationContext } from './evaluator.ts';

const ANYTHING = (): boolean => true;
const NOTHING = (): boolean => false;

/**
 * The test whether an event may start an obligation of the rule in its case: it is within the rule's scope, and in a live
 * judgement it is no history, which, chosen as the first of a case, would stand in for the live event that the obligation
 * started with.
 */
export function starter(
  rule: Expectation,
  events: readonly CaseEvent[],
  context: Pick<EvaluationContext, 'live' | 'company'>,
): (event: CaseEvent) => boolean {
  const scoped = scopeTest(rule, events, context.company);
  return context.live ? (event) => !event.history && scoped(event) : scoped;
}

/** The test whether an event is where obligations of the rule start. `scope` limits that, not who answers them. */
export function scopeTest(
  rule: Expectation,
  events: readonly CaseEvent[],
  company: Company,
): (event: CaseEvent) => boolean {
  const { scope } = rule;
  if (!scope) return ANYTHING;
  if (scope.with && !events.some(eventMatcher(scope.with))) return NOTHING;
  if (scope.without && events.some(eventMatcher(scope.without))) return NOTHING;
  const meets = scope.where && whereMatcher(scope.where);
  return (event) =>
    (!scope.companies || scope.companies.includes(event.company)) &&
    (!scope.sources || scope.sources.includes(event.source)) &&
    (!meets || meets(event) || meets(lent(event, events, Object.keys(scope.where ?? {})))) &&
    (!scope.amount || isWithin(event, scope.amount, company));
}

/** The event with fields that it lacks taken from the first event of its case that has them. */
function lent(event: CaseEvent, events: readonly CaseEvent[], fields: readonly string[]): CaseEvent {
  const attributes: Record<string, string> = { ...event.attributes };
  const values: Record<string, string> = {};
  for (const field of fields) {
    if (fieldOf(event, field) !== undefined) continue;
    const lender = events.find((one) => fieldOf(one, field) !== undefined);
    if (!lender) continue;
    const value = fieldOf(lender, field) as string;
    if (field.startsWith('attribute.')) attributes[field.slice('attribute.'.length)] = value;
    else values[field] = value;
  }
  const data = Object.keys(values).some((field) => field.startsWith('data.'))
    ? { ...events.find((one) => Object.keys(one.data).length > 0)?.data, ...event.data }
    : event.data;
  return {
    ...event,
    attributes,
    data,
    amount: values.amount ?? event.amount,
    currency: values.currency ?? event.currency,
    partyKey: values.party ?? event.partyKey,
    docNumber: values.docnumber ?? event.docNumber,
    state: values.state ?? event.state,
    period: values.period ?? event.period,
  };
}

type AmountLimits = NonNullable<NonNullable<Expectation['scope']>['amount']>;

/** The event's amount in company currency; undefined when it is not known in it. */
const companyAmountOf = (event: CaseEvent, company: Company): string | undefined =>
  event.companyAmount ?? (event.currency === company.currency ? event.amount : undefined);

/** An amount that is not known in company currency counts as in the middle band; it meets no other limit. */
function isWithin(event: CaseEvent, { atLeast, below }: AmountLimits, company: Company): boolean {
  const amount = companyAmountOf(event, company);
  const limitOf = (limit: string): string | undefined =>
    /^[+-]?\d/.test(limit) ? limit : company.materiality?.[limit as 'trivial' | 'performance' | 'overall'];
  // The middle band begins at the trivial amount and ends at performance materiality.
  const isMiddle = (limit: string, above: boolean): boolean =>
    above ? limit === 'trivial' : limit === 'performance' || limit === 'overall';
  const meets = (limit: string | undefined, above: boolean): boolean => {
    if (limit === undefined) return true;
    const value = limitOf(limit);
    if (amount === undefined || value === undefined) return isMiddle(limit, above);
    const order = compareAmounts(absoluteAmount(amount), value);
    return above ? order >= 0 : order < 0;
  };
  return meets(atLeast, true) && meets(below, false);
}
