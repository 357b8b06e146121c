import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import type { Completeness } from '../completeness.ts';
import { dueOf } from '../deadline.ts';
import { type EvaluationContext, type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

/** A stay in the state: entered by one event, left by another or not yet. */
interface Stay {
  readonly entered: CaseEvent;
  readonly left?: CaseEvent;
}

/**
 * Judges how long a case stays in a state: each stay must end within the allowed time. A stay begins with the first
 * `enter` while the case is outside; repeats do not restart the clock; the next `leave` ends it. An event that is both
 * ends one stay and begins the next.
 */
export const stateAge: Evaluator<RuleOf<'state-age'>> = (rule, events, context) => {
  return staysOf(rule, events, context).flatMap(({ entered, left }) => {
    const dueAt = dueOf(rule, entered, context.company);
    if (dueAt === undefined) return [];
    const base = { anchor: entered, occurrence: entered.id, dueAt };
    const since = () => `in this state since ${entered.type} at ${formatInstant(entered.at)}`;
    if (left) {
      const state = left.at <= dueAt ? 'satisfied' : 'late';
      const when = () => (state === 'late' ? `after the deadline ${formatInstant(dueAt)}` : 'in time');
      const why = () => `${since()}, left ${when()} by ${left.type} at ${formatInstant(left.at)}`;
      const answered = { state, answeredAt: left.at, events: [entered, left], why } as const;
      return [obligationOf(rule, { ...base, ...answered }, context, events)];
    }
    const complete = context.complete(entered.source);
    const { watermark } = complete;
    const state = unansweredState(dueAt, context.at, watermark);
    const why = () => `${since()}: ${whyInside(rule, state, dueAt, complete)}`;
    return [obligationOf(rule, { ...base, state, events: [entered], why, watermark }, context, events)];
  });
};

function whyInside(
  { leave, within }: RuleOf<'state-age'>,
  state: string,
  dueAt: bigint,
  complete: Pick<Completeness, 'watermark' | 'assumed'>,
): string {
  if (state === 'indeterminate') return incompleteText(leave.types, dueAt, complete);
  const until = within ? `within ${within}, by ${formatInstant(dueAt)}` : `by ${formatInstant(dueAt)}`;
  return state === 'pending'
    ? `${anyOf(leave.types)} is expected ${until}`
    : `no ${anyOf(leave.types)} ${until}${assumedText(complete)}`;
}

function staysOf(
  rule: RuleOf<'state-age'>,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Stay[] {
  const [enters, leaves] = [eventMatcher(rule.enter), eventMatcher(rule.leave)];
  const mayStart = starter(rule, events, context);
  const stays: Stay[] = [];
  let entered: CaseEvent | undefined;
  for (const event of events) {
    if (entered && leaves(event)) {
      stays.push({ entered, left: event });
      entered = undefined;
    }
    if (!entered && enters(event) && mayStart(event)) entered = event;
  }
  if (entered) stays.push({ entered });
  return stays;
}
