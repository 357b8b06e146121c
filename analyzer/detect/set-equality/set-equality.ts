import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { absoluteAmount, differenceOf, isDecimal, sumAmounts } from '../../../model/money.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import { type CaseEvent, isSameSubject } from '../case-event.ts';
import { compareWithin } from '../compare.ts';
import { dueOf } from '../deadline.ts';
import { type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { groupName } from '../groups.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

type Rule = RuleOf<'set-equality'>;
type Side = Rule['left'];

/** A set as it stood at an instant: what it says of itself, or its items. */
interface Held {
  readonly count: string | undefined;
  readonly sum: string | undefined;
  /** Amounts by item; undefined for a side that only states its totals. */
  readonly items?: ReadonlyMap<string, string | undefined>;
  readonly events: readonly CaseEvent[];
}

/** Names that a sentence lists of those missing. */
const NAMED = 10;

/**
 * Judges that two sides of a case or a group hold the same: the same items by name, or what a side states of its count and
 * sum. It is due by the first event that may start it; judged by what had happened at the deadline it is satisfied or not,
 * and late when the sets became equal afterwards. Which items are missing where is named, and the amount is the difference.
 */
export const setEquality: Evaluator<Rule> = (rule, events, context) => {
  const [isLeft, isRight] = [eventMatcher(rule.left), eventMatcher(rule.right)];
  const mayStart = starter(rule, events, context);
  const anchor =
    events.find((event) => isLeft(event) && mayStart(event)) ??
    events.find((event) => isRight(event) && mayStart(event));
  if (!anchor) return [];
  const dueAt = dueOf(rule, anchor, context.company);
  if (dueAt === undefined) return [];
  const at = (until: bigint) => {
    const seen = events.filter((event) => event.at <= until);
    const out = outOf(rule, seen);
    return { left: held(rule.left, seen.filter(isLeft), out), right: held(rule.right, seen.filter(isRight)) };
  };
  const base = {
    anchor,
    about: rule.group ? groupName(rule, anchor) : undefined,
    occurrence: 'set',
    dueAt,
  };
  const now = at(context.at);
  const faults = differences(rule, now.left, now.right);
  const evidence = [anchor, ...now.left.events.slice(-5), ...now.right.events.slice(-5)];
  const isDue = context.at >= dueAt;
  if (faults.length === 0) {
    const wasEqual = !isDue || differences(rule, at(dueAt).left, at(dueAt).right).length === 0;
    const state: ObligationState = !isDue ? 'pending' : wasEqual ? 'satisfied' : 'late';
    const mended = wasEqual ? undefined : events.findLast((event) => event.at > dueAt);
    const why = (): string =>
      `both sides hold ${now.left.count ?? '?'} items${state === 'late' ? `, but did not at the deadline ${formatInstant(dueAt)}` : ''}`;
    const answeredAt = mended?.at;
    return [obligationOf(rule, { ...base, state, answeredAt, events: evidence, why }, context, events)];
  }
  const complete = context.complete(anchor.source);
  const state = unansweredState(dueAt, context.at, complete.watermark);
  const why = (): string =>
    state === 'indeterminate'
      ? `${faults.join('; ')}: ${incompleteText([anyOf([...rule.left.types, ...rule.right.types])], dueAt, complete)}`
      : `${faults.join('; ')}${state === 'pending' ? `; due by ${formatInstant(dueAt)}` : assumedText(complete)}`;
  const amount = amountOf(now.left, now.right);
  return [
    obligationOf(
      rule,
      { ...base, state, events: evidence, why, watermark: complete.watermark, amount },
      context,
      events,
    ),
  ];
};

/** The test whether an event of the left side was taken out by an `unless` event of its subject or its item. */
function outOf({ unless, left }: Rule, events: readonly CaseEvent[]): (event: CaseEvent) => boolean {
  if (!unless) return () => false;
  const matches = eventMatcher(unless);
  const outs = events.filter(matches);
  const items = new Set(outs.flatMap((event) => (left.item && fieldOf(event, left.item)) || []));
  return (event) =>
    outs.some((out) => isSameSubject(out, event)) ||
    (left.item !== undefined && items.has(fieldOf(event, left.item) ?? ''));
}

function held(side: Side, events: readonly CaseEvent[], isOut?: (event: CaseEvent) => boolean): Held {
  if (side.states) {
    const last = events.at(-1);
    return {
      count: last && side.states.count ? fieldOf(last, side.states.count) : undefined,
      sum: last && side.states.sum ? fieldOf(last, side.states.sum) : undefined,
      events: last ? [last] : [],
    };
  }
  const items = new Map<string, string | undefined>();
  const kept = isOut ? events.filter((event) => !isOut(event)) : events;
  for (const event of kept)
    items.set(
      (side.item ? fieldOf(event, side.item) : event.subject) ?? event.subject,
      side.sum ? fieldOf(event, side.sum) : undefined,
    );
  const sum = side.sum ? sumAmounts([...items.values()].filter(isDecimal)) : undefined;
  return { count: `${items.size}`, sum, items, events: kept };
}

/** The words for every way in which the two sets differ; none: they are equal. */
function differences(rule: Rule, left: Held, right: Held): string[] {
  const faults: string[] = [];
  if (left.items && right.items) {
    const { items: mine } = left;
    const { items: theirs } = right;
    const missing = [...mine.keys()].filter((item) => !theirs.has(item));
    const extra = [...theirs.keys()].filter((item) => !mine.has(item));
    const other = [...mine].filter(([item, amount]) => {
      const value = theirs.get(item);
      return isDecimal(amount) && isDecimal(value) && compareWithin(amount, value, rule.tolerance) !== 0;
    });
    if (missing.length > 0) faults.push(`missing on the right: ${named(missing)}`);
    if (extra.length > 0) faults.push(`only on the right: ${named(extra)}`);
    if (other.length > 0)
      faults.push(
        `other amounts: ${named(other.map(([item, amount]) => `${item} ${amount} / ${theirs.get(item)}`))}`,
      );
    return faults;
  }
  if (left.count !== undefined && right.count !== undefined && compareWithin(left.count, right.count) !== 0)
    faults.push(`${left.count} items on the left, ${right.count} on the right`);
  if (isDecimal(left.sum) && isDecimal(right.sum) && compareWithin(left.sum, right.sum, rule.tolerance) !== 0)
    faults.push(`sum ${left.sum} on the left, ${right.sum} on the right`);
  if (left.events.length === 0 || right.events.length === 0)
    faults.push(`no ${anyOf(left.events.length === 0 ? rule.left.types : rule.right.types)}`);
  return faults;
}

const named = (items: readonly string[]): string =>
  `${items.length} (${[...items].sort().slice(0, NAMED).join(', ')}${items.length > NAMED ? ', …' : ''})`;

function amountOf(left: Held, right: Held): string | undefined {
  if (!isDecimal(left.sum) || !isDecimal(right.sum)) return undefined;
  return absoluteAmount(differenceOf(left.sum, right.sum));
}
