import { Decimal } from 'decimal.js';
import { parseDuration } from '../../../model/duration.ts';
import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { compareAmounts, isDecimal, sumAmounts } from '../../../model/money.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, type Evaluator, obligationOf } from '../evaluator.ts';
import { groupName } from '../groups.ts';
import { starter } from '../scope.ts';

type Rule = RuleOf<'threshold'>;

/**
 * Judges that something keeps within limits. A `value` is judged event by event. A count, a sum or a ratio is judged over the
 * case, or over the window `over` that ends with each event; a window out of its limits opens an obligation, and the first that
 * is within them again, or its running empty, ends it (late).
 */
export const threshold: Evaluator<Rule> = (rule, events, context) => {
  const voids = rule.unless && eventMatcher(rule.unless);
  const voided = voids && events.find(voids);
  if (rule.value !== undefined) return values({ ...rule, value: rule.value }, events, context, voided);
  return rule.over === undefined
    ? whole(rule, events, context, voided)
    : windows({ ...rule, over: rule.over }, events, context, voided);
};

/** The words for a value out of the limits; undefined when it is within. */
function fault({ atMost, atLeast }: Rule, value: string): string | undefined {
  if (atMost !== undefined && compareAmounts(value, atMost) > 0) return `above ${atMost}`;
  if (atLeast !== undefined && compareAmounts(value, atLeast) < 0) return `below ${atLeast}`;
  return undefined;
}

function values(
  rule: Rule & { readonly value: string },
  events: readonly CaseEvent[],
  context: EvaluationContext,
  voided: CaseEvent | undefined,
): Obligation[] {
  const matches = eventMatcher(rule.when);
  const mayStart = starter(rule, events, context);
  return events.flatMap((event) => {
    if (!matches(event) || !mayStart(event)) return [];
    const value = fieldOf(event, rule.value);
    if (!isDecimal(value)) return [];
    const found = fault(rule, value);
    const state: ObligationState = voided ? 'voided' : found ? 'open' : 'satisfied';
    const why = () =>
      `${rule.value} of ${event.type} at ${formatInstant(event.at)} is ${value}${found ? `, ${found}` : ''}`;
    const outcome = {
      anchor: event,
      occurrence: event.id,
      state,
      dueAt: event.at,
      events: voided ? [event, voided] : [event],
      why,
    };
    return [obligationOf(rule, outcome, context, [event])];
  });
}

/** What is counted of a case as a whole: one obligation, open from the event with which the limit was passed. */
function whole(
  rule: Rule,
  events: readonly CaseEvent[],
  context: EvaluationContext,
  voided: CaseEvent | undefined,
): Obligation[] {
  const matches = eventMatcher(rule.when);
  const mayStart = starter(rule, events, context);
  const counted = events.filter((event) => matches(event));
  const first = counted.find(mayStart);
  if (!first) return [];
  let total = '0';
  let passed: { event: CaseEvent; total: string } | undefined;
  for (const event of counted) {
    const value = rule.sum === undefined ? '1' : fieldOf(event, rule.sum);
    if (isDecimal(value)) total = sumAmounts([total, value]);
    if (fault(rule, total)) passed ??= { event, total };
    else passed = undefined;
  }
  const state: ObligationState = voided ? 'voided' : passed ? 'open' : 'satisfied';
  const what =
    rule.sum === undefined
      ? `${total} of ${rule.when.types.join(' or ')}`
      : `the sum of ${rule.sum} is ${total}`;
  const why = () =>
    `${what}${passed ? `, ${fault(rule, total)} since ${formatInstant(passed.event.at)}` : ''}`;
  const outcome = {
    anchor: first,
    about: rule.group ? groupName(rule, first) : undefined,
    occurrence: 'whole',
    state,
    dueAt: passed?.event.at ?? first.at,
    events: [first, ...(passed ? [passed.event] : []), ...(voided ? [voided] : [])],
    why,
  };
  return [obligationOf(rule, outcome, context, events)];
}

/** A ratio is rounded to four places: so much below its limit it is within it. */
const NEAR = 0.001;

/** A stay of the window out of its limits. */
interface Episode {
  readonly onset: CaseEvent;
  readonly worst: string;
  readonly ended?: bigint;
  /** When it may end though nothing more comes. */
  readonly againAt?: bigint | undefined;
}

function windows(
  rule: Rule & { readonly over: string },
  events: readonly CaseEvent[],
  context: EvaluationContext,
  voided: CaseEvent | undefined,
): Obligation[] {
  const mayStart = starter(rule, events, context);
  return episodesOf(rule, events, context.at)
    .filter(({ onset }) => mayStart(onset))
    .map(({ onset, worst, ended, againAt }) => {
      const state: ObligationState = voided ? 'voided' : ended === undefined ? 'open' : 'late';
      const what = rule.ratio ? 'ratio' : rule.sum === undefined ? 'number' : `sum of ${rule.sum}`;
      const why = () =>
        `the ${what} of ${rule.when.types.join(' or ')} within ${rule.over} went ${fault(rule, worst)} at ${formatInstant(onset.at)}, up to ${worst}${ended === undefined ? '' : `, until ${formatInstant(ended)}`}`;
      const outcome = {
        anchor: onset,
        about: rule.group ? groupName(rule, onset) : undefined,
        occurrence: onset.id,
        state,
        dueAt: onset.at,
        answeredAt: ended,
        againAt,
        events: voided ? [onset, voided] : [onset],
        why,
      };
      return obligationOf(rule, outcome, context, [onset]);
    });
}

/** Walks the window over the events; a stay out of the limits ends with the window that is within them, or runs empty. */
function episodesOf(
  rule: Rule & { readonly over: string },
  events: readonly CaseEvent[],
  until: bigint,
): Episode[] {
  const duration = parseDuration(rule.over);
  if (duration?.clock !== 'elapsed')
    throw new RangeError(`rule ${rule.id}: over ${rule.over} must be elapsed time`);
  const [counts, divides] = [eventMatcher(rule.when), rule.ratio ? eventMatcher(rule.ratio) : undefined];
  const seen: CaseEvent[] = [];
  // What each is counted as is asked once, though it comes into the window and leaves it.
  const [isCounted, isDivisor]: [boolean[], boolean[]] = [[], []];
  for (const event of events) {
    const [counted, divisor] = [counts(event), divides?.(event) ?? false];
    if (!counted && !divisor) continue;
    seen.push(event);
    isCounted.push(counted);
    isDivisor.push(divisor);
  }
  const found: Episode[] = [];
  let [from, count, others, sum] = [0, 0, 0, '0'];
  let open: { onset: CaseEvent; worst: string } | undefined;
  const surely = rule.atLeast === undefined ? Number(rule.atMost ?? 0) - NEAR : 0;
  const amountOf = (event: CaseEvent): string => {
    const value = rule.sum === undefined ? undefined : fieldOf(event, rule.sum);
    return isDecimal(value) ? value : '0';
  };
  const move = (at: number, sign: 1 | -1): void => {
    if (isCounted[at]) {
      const event = seen[at] as CaseEvent;
      count += sign;
      if (rule.sum !== undefined)
        sum = sumAmounts([sum, sign > 0 ? amountOf(event) : new Decimal(amountOf(event)).neg().toFixed()]);
    }
    if (isDivisor[at]) others += sign;
  };
  const measured = (): string | undefined => {
    if (divides && others < rule.least) return undefined;
    // Far from its limit a ratio need not be worked out.
    if (divides && count < surely * others) return '0';
    if (divides) return new Decimal(count).div(others).toDecimalPlaces(4).toString();
    if (count < rule.least) return undefined;
    return rule.sum === undefined ? `${count}` : sum;
  };
  for (let at = 0; at < seen.length; at += 1) {
    const event = seen[at] as CaseEvent;
    while (from < seen.length && (seen[from] as CaseEvent).at <= event.at - duration.nanos) {
      const gone = seen[from] as CaseEvent;
      move(from, -1);
      from += 1;
      if (open && !isOut(measured())) end(gone.at + duration.nanos);
    }
    move(at, 1);
    const value = measured();
    if (isOut(value)) {
      open ??= { onset: event, worst: value as string };
      if (compareAmounts(value as string, open.worst) > 0) open = { ...open, worst: value as string };
    } else if (open) end(event.at);
  }
  if (open) {
    // What comes no more leaves the window, and it may be within its limits again.
    for (; open && from < seen.length; from += 1) {
      const gone = seen[from] as CaseEvent;
      if (gone.at + duration.nanos > until) break;
      move(from, -1);
      if (!isOut(measured())) end(gone.at + duration.nanos);
    }
  }
  const next = seen[from];
  if (open) found.push({ ...open, againAt: next && next.at + duration.nanos });
  return found;

  function isOut(value: string | undefined): boolean {
    return value !== undefined && fault(rule, value) !== undefined;
  }
  function end(ended: bigint): void {
    if (open) found.push({ ...open, ended });
    open = undefined;
  }
}
