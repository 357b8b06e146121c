import { type NoDuplicateExpectation, typeMatcher } from '../../../model/flow.ts';
import { canonicalAmount } from '../../../model/money.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import { type CaseEvent, isSameSubject, joinKeysOfTypes, subjectKeyOf } from '../case-event.ts';
import { caseKeysOf } from '../cases.ts';
import { type Evaluator, inScope, mayStart, obligationOf } from '../evaluator.ts';

/**
 * Judges that distinct subjects share no key together with equal `same` fields. A subject counts once, from its first
 * creating event. The first of those that share is satisfied; each later one is open and names the earlier one it repeats.
 * A subject with an `unless` event is voided, and nobody is a duplicate of it. A field that an event lacks equals nothing.
 */
export const noDuplicate: Evaluator<NoDuplicateExpectation> = (rule, events, context) => {
  const takenOut = takenOutBy(rule, events);
  const creates = typeMatcher(rule.when.types);
  const seen = new Set<string>();
  const firstWith = new Map<string, CaseEvent>();
  return events.flatMap((event) => {
    const subject = subjectKeyOf(event);
    if (!creates(event.type) || !inScope(rule, event) || seen.has(subject)) return [];
    const out = takenOut.get(subject);
    const signatures = out ? [] : signaturesOf(rule, event);
    const earlier = signatures
      .flatMap((signature) => firstWith.get(signature) ?? [])
      .find((first) => !isSameSubject(first, event));
    for (const signature of signatures) if (!firstWith.has(signature)) firstWith.set(signature, event);
    // History is there to be repeated, but its subject counts from its first live event.
    if (!mayStart(rule, event, context)) return [];
    seen.add(subject);
    const state: ObligationState = out ? 'voided' : earlier ? 'open' : 'satisfied';
    const outcome = {
      anchor: event,
      occurrence: 'first',
      state,
      dueAt: event.at,
      events: [event, ...((out ?? earlier) ? [(out ?? earlier) as CaseEvent] : [])],
      joinKeys: caseKeysOf(rule, event),
      why: () => whyOf(rule, event, earlier, out),
    };
    return [obligationOf(rule, outcome, context, [event])];
  });
};

function whyOf(
  rule: NoDuplicateExpectation,
  event: CaseEvent,
  earlier: CaseEvent | undefined,
  out: CaseEvent | undefined,
): string {
  if (out) return `${event.subject} was taken out by ${out.type} at ${formatInstant(out.at)}`;
  if (!earlier) return `no earlier document has the same ${[...rule.by, ...rule.same].join(', ')}`;
  const shared = joinKeysOfTypes(event, rule.by).find((key) =>
    joinKeysOfTypes(earlier, rule.by).includes(key),
  );
  const equal = rule.same.length > 0 ? ` and the same ${rule.same.join(', ')}` : '';
  return `${event.subject} shares ${shared ?? rule.by.join(', ')}${equal} with ${earlier.subject} of ${formatInstant(earlier.at)}`;
}

/** By subject, the first event that takes it out. */
function takenOutBy(rule: NoDuplicateExpectation, events: readonly CaseEvent[]): Map<string, CaseEvent> {
  const found = new Map<string, CaseEvent>();
  if (!rule.unless) return found;
  const matches = typeMatcher(rule.unless.types);
  for (const event of events) {
    const subject = subjectKeyOf(event);
    if (matches(event.type) && !found.has(subject)) found.set(subject, event);
  }
  return found;
}

/** One text for each key with the `same` fields; two events that have one in common repeat each other. */
function signaturesOf(rule: NoDuplicateExpectation, event: CaseEvent): string[] {
  const fields = rule.same.map((field) => fieldOf(event, field));
  if (fields.some((value) => value === undefined || value === '')) return [];
  return joinKeysOfTypes(event, rule.by).map((key) => JSON.stringify([key, ...fields]));
}

function fieldOf(event: CaseEvent, field: string): string | undefined {
  switch (field) {
    case 'amount':
      return event.amount === undefined ? undefined : canonicalAmount(event.amount);
    case 'currency':
      return event.currency;
    case 'party':
      return event.partyKey;
    case 'docnumber':
      return event.docNumber;
    case 'date':
      return formatInstant(event.at).slice(0, 10);
    case 'type':
      return event.type;
    default:
      return event.attributes[field.slice('attribute.'.length)];
  }
}
