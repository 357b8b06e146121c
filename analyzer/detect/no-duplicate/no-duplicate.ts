import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import { type CaseEvent, joinKeysOfTypes, subjectKeyOf } from '../case-event.ts';
import { samePartsOf } from '../compare.ts';
import { type Evaluator, obligationOf } from '../evaluator.ts';
import { groupName } from '../groups.ts';
import { scopeTest, starter } from '../scope.ts';
import { createEarlier, nearnessOf } from './earlier.ts';

type Rule = RuleOf<'no-duplicate'>;

/**
 * Judges that distinct subjects are not the same thing: that they do not share a key (or a group) together with equal
 * `same` fields, nearly equal ones of `near`, and others of `differ`. A subject counts once, from its first creating event. The
 * first of those that are alike is satisfied; each later one is open and names the earliest one that it repeats. A subject
 * with an `unless` event is voided, and nobody is a duplicate of it. A field that an event lacks equals nothing.
 */
export const noDuplicate: Evaluator<Rule> = (rule, events, context) => {
  const takenOut = takenOutBy(rule, events);
  const creates = eventMatcher(rule.when);
  const isInScope = scopeTest(rule, events, context.company);
  const mayStart = starter(rule, events, context);
  const seen = new Set<string>();
  const known = createEarlier(rule);
  return events.flatMap((event) => {
    if (!creates(event) || !isInScope(event)) return [];
    const subject = subjectKeyOf(event);
    if (seen.has(subject)) return [];
    const out = takenOut.get(subject);
    const isWanted = context.wanted?.(event.at) ?? true;
    const earlier = out || !isWanted ? undefined : known.find(event);
    if (!out) known.add(event);
    // History is there to be repeated, but its subject counts from its first live event.
    if (!mayStart(event)) return [];
    seen.add(subject);
    if (!isWanted) return [];
    const state: ObligationState = out ? 'voided' : earlier ? 'open' : 'satisfied';
    const outcome = {
      anchor: event,
      occurrence: rule.group ? `first ${groupName(rule, event)}` : 'first',
      state,
      dueAt: event.at,
      events: [event, ...((out ?? earlier) ? [(out ?? earlier) as CaseEvent] : [])],
      why: () => whyOf(rule, event, earlier, out),
    };
    return [obligationOf(rule, outcome, context, [event])];
  });
};

function whyOf(
  rule: Rule,
  event: CaseEvent,
  earlier: CaseEvent | undefined,
  out: CaseEvent | undefined,
): string {
  if (out) return `${event.subject} was taken out by ${out.type} at ${formatInstant(out.at)}`;
  const fields = samePartsOf(rule.same).map(({ field }) => field);
  if (!earlier)
    return `no earlier document has the same ${[...(rule.group ?? rule.by), ...fields].join(', ')}${rule.near ? ` and nearly the same ${rule.near.field}` : ''}`;
  const theirs = new Set(joinKeysOfTypes(earlier, rule.by));
  const shared = joinKeysOfTypes(event, rule.by).find((key) => theirs.has(key));
  const common = rule.group
    ? `the same ${rule.group.join(', ') || 'company'}`
    : (shared ?? rule.by.join(', '));
  const equal = fields.length > 0 ? ` and the same ${fields.join(', ')}` : '';
  const nearly = rule.near
    ? `, and nearly the same ${rule.near.field} (${nearnessOf(rule, event, earlier)}: ${fieldOf(event, rule.near.field)} and ${fieldOf(earlier, rule.near.field)}),`
    : '';
  return `${event.subject} shares ${common}${equal}${nearly} with ${earlier.subject} of ${formatInstant(earlier.at)}`;
}

/** By subject, the first event that takes it out. */
function takenOutBy(rule: Rule, events: readonly CaseEvent[]): Map<string, CaseEvent> {
  const found = new Map<string, CaseEvent>();
  if (!rule.unless) return found;
  const matches = eventMatcher(rule.unless);
  for (const event of events) {
    if (!matches(event)) continue;
    const subject = subjectKeyOf(event);
    if (!found.has(subject)) found.set(subject, event);
  }
  return found;
}
