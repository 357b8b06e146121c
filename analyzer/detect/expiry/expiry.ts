import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { shifted } from '../deadline.ts';
import { type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { follower } from '../following.ts';
import { occurrenceOf, pickedOf } from '../picking.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

/**
 * Judges that what ends is dealt with in time: by the longest of `before` ahead of the end that the event names; with each
 * shorter one that passes the severity rises. An event that names no end is not judged.
 */
export const expiry: Evaluator<RuleOf<'expiry'>> = (rule, events, context) => {
  const starts = eventMatcher(rule.when);
  const mayStart = starter(rule, events, context);
  const answers = follower(rule, rule.expect, events, 1);
  const voids = rule.unless && follower(rule, rule.unless, events, 1);
  const positions = events.flatMap((event, index) => (starts(event) && mayStart(event) ? [index] : []));
  return pickedOf(rule, positions).flatMap((index) => {
    const anchor = events[index] as CaseEvent;
    const end = fieldOf(anchor, rule.at);
    const stages =
      end === undefined
        ? []
        : rule.before
            .flatMap((before) => shifted(end, `-${before}`, context.company) ?? [])
            .sort((a, b) => (a < b ? -1 : 1));
    const first = stages[0];
    if (first === undefined) return [];
    const dueAt = first < anchor.at ? anchor.at : first;
    const [answer, voided] = [answers(index), voids?.(index)];
    const base = {
      anchor,
      occurrence: occurrenceOf(rule, events, positions, anchor),
      dueAt,
      raisesAt: stages.slice(1),
    };
    const what = (): string => `what ${anchor.type} of ${formatInstant(anchor.at)} names ends ${end}`;
    const by = events[Math.min(answer ?? Number.MAX_SAFE_INTEGER, voided ?? Number.MAX_SAFE_INTEGER)];
    if (by) {
      const isAnswer = answer !== undefined && (voided === undefined || answer <= voided);
      const state = !isAnswer ? 'voided' : by.at <= dueAt ? 'satisfied' : 'late';
      const answeredAt = isAnswer ? by.at : undefined;
      const why = () =>
        `${what()}: ${isAnswer ? 'dealt with' : 'voided'} by ${by.type} at ${formatInstant(by.at)}`;
      return [obligationOf(rule, { ...base, state, answeredAt, events: [anchor, by], why }, context, events)];
    }
    const complete = context.complete(anchor.source);
    const state = unansweredState(dueAt, context.at, complete.watermark);
    const why = (): string =>
      state === 'indeterminate'
        ? `${what()}: ${incompleteText(rule.expect.types, dueAt, complete)}`
        : `${what()}; ${state === 'pending' ? '' : 'no '}${anyOf(rule.expect.types)} ${state === 'pending' ? 'is expected ' : ''}by ${formatInstant(dueAt)}${state === 'open' ? assumedText(complete) : ''}`;
    const outcome = { ...base, state, events: [anchor], why, watermark: complete.watermark };
    return [obligationOf(rule, outcome, context, events)];
  });
};
