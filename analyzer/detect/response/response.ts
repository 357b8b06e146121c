import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { Obligation } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import type { Completeness } from '../completeness.ts';
import { dueOf } from '../deadline.ts';
import { type EvaluationContext, type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { countOf, follower } from '../following.ts';
import { occurrenceOf, pickedOf } from '../picking.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

type Rule = RuleOf<'response'>;

/**
 * Judges "A then B": every picked anchor must be answered by its deadline, exactly at it counts as in time. Of answer and
 * voiding event the one that comes first in event order decides; an event that is both is an answer. With `since: ever`
 * an event before the anchor decides as well: an answer from before is in time. The anchor never answers itself. An anchor
 * whose deadline is a date that it does not have starts nothing.
 */
export const response: Evaluator<Rule> = (rule, events, context) => {
  const answers = follower(rule, rule.expect, events, rule.expect.count);
  const voids = rule.unless && follower(rule, rule.unless, events, 1);
  const starts = startsOf(rule, events, context);
  return pickedOf(rule, starts).flatMap((index) => {
    const anchor = events[index] as CaseEvent;
    const dueAt = dueOf(rule, anchor, context.company);
    if (dueAt === undefined) return [];
    const occurrence = occurrenceOf(rule, events, starts, anchor);
    const found = { anchor, occurrence, dueAt, answer: answers(index), voided: voids?.(index) };
    return [judge(rule, events, found, context)];
  });
};

interface Found {
  readonly anchor: CaseEvent;
  readonly occurrence: string;
  readonly dueAt: bigint;
  /** Positions among the case's events. */
  readonly answer: number | undefined;
  readonly voided: number | undefined;
}

function judge(
  rule: Rule,
  events: readonly CaseEvent[],
  { anchor, occurrence, dueAt, answer, voided }: Found,
  context: EvaluationContext,
): Obligation {
  const base = { anchor, dueAt, occurrence };
  const asked = (): string => `${anchor.type} at ${formatInstant(anchor.at)}`;
  if (answer !== undefined && (voided === undefined || answer <= voided)) {
    const by = events[answer] as CaseEvent;
    const state = by.at <= dueAt ? 'satisfied' : 'late';
    const when = () => (state === 'late' ? `after the deadline ${formatInstant(dueAt)}` : 'in time');
    const why = () => `${asked()} was answered ${when()} by ${by.type} at ${formatInstant(by.at)}`;
    return obligationOf(
      rule,
      { ...base, state, answeredAt: by.at, events: [anchor, by], why },
      context,
      events,
    );
  }
  if (voided !== undefined) {
    const by = events[voided] as CaseEvent;
    const why = () => `${asked()} was voided by ${by.type} at ${formatInstant(by.at)}`;
    return obligationOf(rule, { ...base, state: 'voided', events: [anchor, by], why }, context, events);
  }
  const complete = context.complete(anchor.source);
  const { watermark } = complete;
  const state = unansweredState(dueAt, context.at, watermark);
  return obligationOf(
    rule,
    {
      ...base,
      state,
      events: [anchor],
      why: () => whyUnanswered(rule, anchor, asked(), state, dueAt, complete),
      watermark,
    },
    context,
    events,
  );
}

function whyUnanswered(
  rule: Rule,
  anchor: CaseEvent,
  asked: string,
  state: string,
  dueAt: bigint,
  complete: Pick<Completeness, 'watermark' | 'assumed'>,
): string {
  const { types } = rule.expect;
  if (state === 'indeterminate') return `${asked}: ${incompleteText(types, dueAt, complete)}`;
  const count = countOf(rule.expect.count, anchor);
  const what = count > 1 ? `${count} of ${anyOf(types)}` : anyOf(types);
  const until = rule.within
    ? `within ${rule.within}, by ${formatInstant(dueAt)}`
    : `by ${formatInstant(dueAt)}`;
  if (state === 'pending') return `${asked}: ${what} is expected ${until}`;
  return `${asked}: no ${what} ${until}${assumedText(complete)}`;
}

/** Positions of the events that may start an obligation. */
function startsOf(rule: Rule, events: readonly CaseEvent[], context: EvaluationContext): number[] {
  const matches = eventMatcher(rule.when);
  const mayStart = starter(rule, events, context);
  const starts: number[] = [];
  events.forEach((event, index) => {
    if (matches(event) && mayStart(event)) starts.push(index);
  });
  return starts;
}
