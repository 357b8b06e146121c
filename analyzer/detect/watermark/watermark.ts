import { addDuration } from '../../../model/business-time.ts';
import { parseDuration } from '../../../model/duration.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, type Evaluator, obligationOf } from '../evaluator.ts';
import { groupName } from '../groups.ts';
import { starter } from '../scope.ts';

type Rule = RuleOf<'watermark'>;

/**
 * Judges that a stream moves on: after its last event the next is due. Every earlier gap that was too long is late, and counts
 * once. It needs no watermark of the source: that the stream stands still is the finding.
 */
export const watermark: Evaluator<Rule> = (rule, events, context) => {
  const moves = eventMatcher(rule.when);
  const ends = rule.unless && eventMatcher(rule.unless);
  const mayStart = starter(rule, events, context);
  const steps = events.filter((event) => moves(event) || ends?.(event));
  return steps.flatMap((event, index) => {
    if (!moves(event) || !mayStart(event)) return [];
    const dueAt = dueAfter(rule, event, context);
    const next = steps[index + 1];
    const base = {
      anchor: event,
      about: rule.group ? groupName(rule, event) : undefined,
      dueAt,
    };
    const since = (): string => `${event.type} at ${formatInstant(event.at)}`;
    if (next) {
      if (next.at <= dueAt) return [];
      const why = () =>
        `nothing followed ${since()} until ${formatInstant(next.at)}, after the deadline ${formatInstant(dueAt)}`;
      const late = {
        ...base,
        occurrence: event.id,
        state: 'late',
        answeredAt: next.at,
        events: [event, next],
        why,
      } as const;
      return [obligationOf(rule, late, context, events)];
    }
    const state = context.at < dueAt ? 'pending' : 'open';
    const why = () => `nothing has followed ${since()}; the next was due by ${formatInstant(dueAt)}`;
    return [
      obligationOf(rule, { ...base, occurrence: 'last', state, events: [event], why }, context, events),
    ];
  });
};

function dueAfter({ within, grace }: Rule, event: CaseEvent, { company }: EvaluationContext): bigint {
  const [allowed, more] = [parseDuration(within), grace === undefined ? undefined : parseDuration(grace)];
  if (!allowed) throw new RangeError(`${within} is no duration`);
  const due = addDuration(event.at, allowed, company);
  return more ? addDuration(due, more, company) : due;
}
