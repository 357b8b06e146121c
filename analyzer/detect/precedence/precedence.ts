import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { sameTest } from '../compare.ts';
import { type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { distance } from '../following.ts';
import { lookbackOf } from '../groups.ts';
import { occurrenceOf, pickedOf } from '../picking.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

/**
 * Judges "B only after A": each picked event must have one of `require` before it in the order of events, within the
 * lookback. With `after`, only what came after the last of those counts, and where none came nothing is required. It is
 * due at its own time; what comes later does not mend it.
 */
export const precedence: Evaluator<RuleOf<'precedence'>> = (rule, events, context) => {
  const { require: required } = rule;
  const [starts, needs] = [eventMatcher(rule.when), eventMatcher(required)];
  const triggers = required.after && eventMatcher(required.after);
  const voids = rule.unless && eventMatcher(rule.unless);
  const isSame = sameTest(required.same);
  const mayStart = starter(rule, events, context);
  const lookback = lookbackOf(rule);
  const positions = events.flatMap((event, index) => (starts(event) && mayStart(event) ? [index] : []));
  const voided = voids && events.find(voids);
  return pickedOf(rule, positions).flatMap((index) => {
    const anchor = events[index] as CaseEvent;
    const isNear = (event: CaseEvent): boolean =>
      lookback === undefined || distance(event, anchor) <= lookback;
    const lastBefore = (test: (event: CaseEvent) => boolean): number => {
      for (let at = index - 1; at >= 0; at -= 1) {
        const event = events[at] as CaseEvent;
        if (!isNear(event)) break;
        if (test(event)) return at;
      }
      return -1;
    };
    const trigger = triggers ? lastBefore(triggers) : -1;
    if (triggers && trigger < 0) return [];
    const found = lastBefore((event) => needs(event) && isSame(anchor, event));
    const base = {
      anchor,
      occurrence: occurrenceOf(rule, events, positions, anchor),
      dueAt: anchor.at,
    };
    const what = (): string => `${anchor.type} at ${formatInstant(anchor.at)}`;
    if (found > trigger) {
      const by = events[found] as CaseEvent;
      const why = () => `${what()} has ${by.type} of ${formatInstant(by.at)} before it`;
      const outcome = { ...base, state: 'satisfied', answeredAt: by.at, events: [anchor, by], why } as const;
      return [obligationOf(rule, outcome, context, events)];
    }
    if (voided) {
      const why = () => `${what()} was voided by ${voided.type} at ${formatInstant(voided.at)}`;
      return [
        obligationOf(rule, { ...base, state: 'voided', events: [anchor, voided], why }, context, events),
      ];
    }
    const complete = context.complete(anchor.source);
    const state = unansweredState(anchor.at, context.at, complete.watermark);
    const changed = trigger < 0 ? undefined : (events[trigger] as CaseEvent);
    const since = changed ? ` since ${changed.type} of ${formatInstant(changed.at)}` : '';
    const why = (): string =>
      state === 'indeterminate'
        ? `${what()}: ${incompleteText(required.types, anchor.at, complete)}`
        : `${what()} came without ${anyOf(required.types)} before it${since}${assumedText(complete)}`;
    const outcome = {
      ...base,
      state,
      events: changed ? [anchor, changed] : [anchor],
      why,
      watermark: complete.watermark,
    };
    return [obligationOf(rule, outcome, context, events)];
  });
};
