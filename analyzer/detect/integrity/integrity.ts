import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { canonicalValue, compareWithin } from '../compare.ts';
import { type Evaluator, obligationOf } from '../evaluator.ts';
import { lineField, lineSum } from '../lines.ts';
import { starter } from '../scope.ts';

interface Fault {
  readonly event: CaseEvent;
  readonly with?: CaseEvent | undefined;
  readonly occurrence: string;
  readonly why: string;
}

/**
 * Judges that what stands stays as it is: fields of `constant`, once seen in a case, neither change nor vanish; sums of lines
 * equal what the document says; nothing of `forbid` follows. One open obligation for each fault; one satisfied for a case
 * without.
 */
export const integrity: Evaluator<RuleOf<'integrity'>> = (rule, events, context) => {
  const matches = eventMatcher(rule.when);
  const forbidden = rule.forbid && eventMatcher(rule.forbid);
  const voids = rule.unless && eventMatcher(rule.unless);
  const mayStart = starter(rule, events, context);
  const faults: Fault[] = [];
  const seen = new Map<string, { value: string; event: CaseEvent }>();
  let first: CaseEvent | undefined;
  let standing: CaseEvent | undefined;
  for (const event of events) {
    if (voids?.(event)) {
      // What is taken back no longer stands: it may change until it stands again.
      standing = undefined;
      seen.clear();
    }
    if (forbidden?.(event) && standing && event !== standing && mayStart(event))
      faults.push({
        event,
        with: standing,
        occurrence: `forbid ${event.id}`,
        why: `${event.type} at ${formatInstant(event.at)} came after ${standing.type} of ${formatInstant(standing.at)}, when it must stand as it is`,
      });
    if (!matches(event)) continue;
    standing ??= event;
    if (!mayStart(event)) continue;
    first ??= event;
    faults.push(...changes(rule, seen, event), ...unequal(rule, event));
  }
  if (!first) return [];
  if (faults.length === 0) {
    const clean = {
      anchor: first,
      occurrence: 'whole',
      state: 'satisfied' as ObligationState,
      dueAt: first.at,
    };
    const why = () => 'it stands as it was first seen';
    return [obligationOf(rule, { ...clean, events: [first], why }, context, events)];
  }
  return faults.map(({ event, with: other, occurrence, why }) =>
    obligationOf(
      rule,
      {
        anchor: event,
        occurrence,
        state: 'open',
        dueAt: event.at,
        events: other ? [event, other] : [event],
        why: () => why,
      },
      context,
      events,
    ),
  );
};

function changes(
  { constant = [] }: RuleOf<'integrity'>,
  seen: Map<string, { value: string; event: CaseEvent }>,
  event: CaseEvent,
): Fault[] {
  return constant.flatMap((field) => {
    const value = fieldOf(event, field);
    const before = seen.get(field);
    if (!before) {
      if (value !== undefined) seen.set(field, { value: canonicalValue(value), event });
      return [];
    }
    if (value !== undefined && canonicalValue(value) === before.value) return [];
    const to = value === undefined ? 'vanished' : `became ${value}`;
    return [
      {
        event,
        with: before.event,
        occurrence: `${field} ${event.id}`,
        why: `${field} ${before.value} of ${formatInstant(before.event.at)} ${to} with ${event.type} at ${formatInstant(event.at)}`,
      },
    ];
  });
}

function unequal({ totals = [] }: RuleOf<'integrity'>, event: CaseEvent): Fault[] {
  return totals.flatMap(({ sum, equals, tolerance }) => {
    const [lines, whole] = [lineSum(event, lineField(sum) ?? sum), fieldOf(event, equals)];
    if (lines === undefined || whole === undefined || compareWithin(lines, whole, tolerance) === 0) return [];
    const why = `the ${sum} of ${event.type} at ${formatInstant(event.at)} sum to ${lines}, its ${equals} is ${whole}`;
    return [{ event, occurrence: `${sum} ${event.id}`, why }];
  });
}
