import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher, valueMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import { canonicalValue } from '../compare.ts';
import { type Evaluator, obligationOf, unansweredState } from '../evaluator.ts';
import { starter } from '../scope.ts';
import { assumedText, incompleteText } from '../sentences.ts';

/**
 * Judges that a field of each event is one of a set: of `in`, none of `notIn`, one that an event of `known` gave before in the
 * same case or group. An event without the field is not judged, unless `absent: open`.
 */
export const membership: Evaluator<RuleOf<'membership'>> = (rule, events, context) => {
  const matches = eventMatcher(rule.when);
  const mayStart = starter(rule, events, context);
  const voids = rule.unless && eventMatcher(rule.unless);
  const gives = rule.known && eventMatcher(rule.known);
  const voided = voids && events.find(voids);
  const allowed = rule.in && valueMatcher(rule.in);
  const refused = rule.notIn && valueMatcher(rule.notIn);
  const known = new Set<string>();
  return events.flatMap((event) => {
    if (gives?.(event) && rule.known) {
      const value = fieldOf(event, rule.known.field);
      if (value !== undefined) known.add(canonicalValue(value));
    }
    if (!matches(event) || !mayStart(event)) return [];
    const value = fieldOf(event, rule.field);
    if (value === undefined && rule.absent === 'skip') return [];
    const isUnknown = value !== undefined && gives !== undefined && !known.has(canonicalValue(value));
    const isFault = value === undefined || (allowed && !allowed(value)) || refused?.(value) || isUnknown;
    const complete = isFault && isUnknown ? context.complete(event.source) : undefined;
    const state: ObligationState = voided
      ? 'voided'
      : !isFault
        ? 'satisfied'
        : complete
          ? unansweredState(event.at, context.at, complete.watermark)
          : 'open';
    const why = (): string => {
      if (voided) return `voided by ${voided.type} at ${formatInstant(voided.at)}`;
      if (value === undefined) return `${event.type} at ${formatInstant(event.at)} has no ${rule.field}`;
      if (!isFault) return `${rule.field} ${value} is one of those allowed`;
      if (complete && state === 'indeterminate')
        return `${rule.field} ${value}: ${incompleteText(rule.known?.types ?? [], event.at, complete)}`;
      if (isUnknown)
        return `${rule.field} ${value} of ${event.type} was not known before${complete ? assumedText(complete) : ''}`;
      return `${rule.field} of ${event.type} is ${value}, which is not allowed`;
    };
    const outcome = {
      anchor: event,
      occurrence: event.id,
      state,
      dueAt: event.at,
      events: voided ? [event, voided] : [event],
      why,
      watermark: complete?.watermark,
    };
    return [obligationOf(rule, outcome, context, [event])];
  });
};
