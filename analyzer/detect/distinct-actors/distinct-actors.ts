import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type Evaluator, obligationOf } from '../evaluator.ts';
import { distance } from '../following.ts';
import { lookbackOf } from '../groups.ts';
import { starter } from '../scope.ts';
import { anyOf } from '../sentences.ts';

/**
 * Judges that nobody takes both steps of a pair: one obligation for each event of the second step whose case has the first.
 * It is open when some first step, before or after it and within the lookback, is of the same actor; voided when the actor
 * is not known, so that nobody can tell. Actors of the kinds in `ignore` may take both.
 */
export const distinctActors: Evaluator<RuleOf<'distinct-actors'>> = (rule, events, context) => {
  const mayStart = starter(rule, events, context);
  const lookback = lookbackOf(rule);
  const voids = rule.unless && eventMatcher(rule.unless);
  const voided = voids && events.find(voids);
  const isIgnored = ({ actorKind }: CaseEvent): boolean => rule.ignore.some((kind) => kind === actorKind);
  return rule.pairs.flatMap(({ name, first, second }, index) => {
    const [isFirst, isSecond] = [eventMatcher(first), eventMatcher(second)];
    const firsts = events.filter(isFirst);
    const label = name ?? `${anyOf(first.types)} and ${anyOf(second.types)}`;
    return events.flatMap((event) => {
      if (!isSecond(event) || !mayStart(event)) return [];
      const others = firsts.filter(
        (one) => one !== event && (lookback === undefined || distance(one, event) <= lookback),
      );
      if (others.length === 0) return [];
      const conflict = isIgnored(event)
        ? undefined
        : others.find((one) => one.actorId !== undefined && one.actorId === event.actorId);
      const isUnknown = event.actorId === undefined && !isIgnored(event);
      const state: ObligationState = voided || isUnknown ? 'voided' : conflict ? 'open' : 'satisfied';
      const why = (): string => {
        if (voided) return `${label}: voided by ${voided.type} at ${formatInstant(voided.at)}`;
        if (isUnknown) return `${label}: who took the step ${event.type} is not known`;
        if (!conflict) return `${label}: taken by different people`;
        return `${event.actorId} took both ${conflict.type} of ${formatInstant(conflict.at)} and ${event.type} of ${formatInstant(event.at)}`;
      };
      const with_ = voided ?? conflict ?? (others[0] as CaseEvent);
      const outcome = {
        anchor: event,
        occurrence: `${index} ${event.id}`,
        state,
        dueAt: conflict && conflict.at > event.at ? conflict.at : event.at,
        events: [event, with_],
        why,
      };
      return [obligationOf(rule, outcome, context, events)];
    });
  });
};
