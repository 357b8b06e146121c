import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { isDecimal, sumAmounts } from '../../../model/money.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { compareWithin } from '../compare.ts';
import { type Evaluator, obligationOf } from '../evaluator.ts';
import { distance } from '../following.ts';
import { lookbackOf } from '../groups.ts';
import { lineField, lineSums } from '../lines.ts';
import { occurrenceOf } from '../picking.ts';
import { starter } from '../scope.ts';

type Rule = RuleOf<'equal-value'>;
type Compared = Rule['compare'][number];

/** What one comparison came to: nothing compared, equal, or the words for what is not. */
type Finding = undefined | 'equal' | string;

/**
 * Judges that the two sides of a case agree. A side is its first or last event, or the sum of all; the starting side may
 * also be each of its events alone. What only one side has is not compared, unless `missing: zero`. One obligation a case (or
 * an event, for each), and none where nothing can be compared.
 */
export const equalValue: Evaluator<Rule> = (rule, events, context) => {
  const [isLeft, isRight] = [eventMatcher(rule.when), eventMatcher(rule.with)];
  if (rule.missing === 'skip' && !events.some(isRight)) return [];
  const voids = rule.unless && eventMatcher(rule.unless);
  const mayStart = starter(rule, events, context);
  const lookback = lookbackOf(rule);
  const voided = voids && events.find(voids);
  const positions = events.flatMap((event, index) => (isLeft(event) && mayStart(event) ? [index] : []));
  const lefts = positions.map((index) => events[index] as CaseEvent);
  if (lefts.length === 0) return [];
  const { pick } = rule.when;
  const sides: (readonly CaseEvent[])[] =
    pick === 'each'
      ? lefts.map((one) => [one])
      : [pick === 'sum' ? lefts : pick === 'first' ? lefts.slice(0, 1) : lefts.slice(-1)];
  return sides.flatMap((left) => {
    const anchor = left.at(-1) as CaseEvent;
    const near = events.filter(
      (event) =>
        isRight(event) &&
        !left.includes(event) &&
        (lookback === undefined || distance(event, anchor) <= lookback),
    );
    const right =
      rule.with.pick === 'sum' ? near : rule.with.pick === 'first' ? near.slice(0, 1) : near.slice(-1);
    if (right.length === 0 && rule.missing === 'skip') return [];
    const findings = rule.compare.map((compared) => compare(rule, compared, left, right));
    if (findings.every((finding) => finding === undefined)) return [];
    const faults = findings.filter((finding) => finding !== undefined && finding !== 'equal');
    const state: ObligationState = voided ? 'voided' : faults.length > 0 ? 'open' : 'satisfied';
    const other = right.at(-1);
    const why = (): string => {
      const pair = `${anchor.type} of ${formatInstant(anchor.at)}${other ? ` and ${other.type} of ${formatInstant(other.at)}` : ''}`;
      if (voided) return `${pair}: voided by ${voided.type} at ${formatInstant(voided.at)}`;
      return faults.length > 0 ? `${pair}: ${faults.join('; ')}` : `${pair} agree`;
    };
    const outcome = {
      anchor,
      occurrence:
        pick === 'each'
          ? anchor.id
          : occurrenceOf({ ...rule, when: { pick: 'last' } }, events, positions, anchor),
      state,
      dueAt: other && other.at > anchor.at ? other.at : anchor.at,
      events: [anchor, ...(voided ? [voided] : []), ...right.slice(-20), ...left.slice(-20, -1)],
      why,
    };
    return [obligationOf(rule, outcome, context, events)];
  });
};

function compare(
  rule: Rule,
  compared: Compared,
  left: readonly CaseEvent[],
  right: readonly CaseEvent[],
): Finding {
  const { field, to = field } = compared;
  const [mine, theirs] = [lineField(field), lineField(to)];
  if (mine !== undefined && theirs !== undefined)
    return compareLines(rule, compared, left, right, mine, theirs);
  const a = sideValue(left, field, rule.when.pick === 'sum');
  const b = sideValue(right, to, rule.with.pick === 'sum') ?? (rule.missing === 'zero' ? '0' : undefined);
  if (a === undefined || b === undefined) return undefined;
  return fault(compared, a, b) ?? 'equal';
}

function compareLines(
  rule: Rule,
  compared: Compared,
  left: readonly CaseEvent[],
  right: readonly CaseEvent[],
  mine: string,
  theirs: string,
): Finding {
  const [a, b] = [lineSums(left, rule.lines, mine), lineSums(right, rule.lines, theirs)];
  const faults: string[] = [];
  let any = false;
  for (const [name, value] of a) {
    const other = b.get(name) ?? (rule.missing === 'zero' ? '0' : undefined);
    if (other === undefined) continue;
    any = true;
    const found = fault(compared, value, other);
    if (found) faults.push(`line ${name}: ${found}`);
  }
  if (!any) return undefined;
  return faults.length === 0
    ? 'equal'
    : faults.slice(0, 5).join(', ') + (faults.length > 5 ? ` and ${faults.length - 5} more lines` : '');
}

const sideValue = (events: readonly CaseEvent[], field: string, sum: boolean): string | undefined => {
  const values = events.flatMap((event) => fieldOf(event, field) ?? []);
  if (values.length === 0) return undefined;
  return sum ? sumAmounts(values.filter((value) => isDecimal(value))) : values.at(-1);
};

const MUST = { equal: 'equal', 'at-most': 'be at most', 'at-least': 'be at least' } as const;

/** The words for two values that do not stand as they must; undefined when they do. */
function fault({ field, must, tolerance }: Compared, a: string, b: string): string | undefined {
  const order = compareWithin(a, b, tolerance);
  const holds =
    must === 'equal'
      ? order === 0
      : must === 'at-most'
        ? order === 0 || order === -1
        : order === 0 || order === 1;
  return holds ? undefined : `${field} ${a} must ${MUST[must]} ${b}`;
}
