import { addDuration } from '../../../model/business-time.ts';
import { parseDuration } from '../../../model/duration.ts';
import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, obligationOf, unansweredState } from '../evaluator.ts';
import { distance } from '../following.ts';
import { groupName, lookbackOf } from '../groups.ts';
import { starter } from '../scope.ts';
import { assumedText, incompleteText } from '../sentences.ts';

/** A number that was used, and the event that first used it. */
interface Used {
  readonly number: bigint;
  readonly event: CaseEvent;
}

/** The series and the number of a document number: the last run of digits counts, what stands around it names the series. */
export function readNumber(text: string): { series: string; number: bigint } | undefined {
  const [, before, digits, after] = /^(.*?)(\d{1,18})(\D*)$/s.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return { series: `${before}#${after}`, number: BigInt(digits) };
}

/** How many are not before the instant, of some of which the latest is the first. */
function countSince(used: readonly Used[], at: bigint): number {
  let [from, to] = [0, used.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((used[middle] as Used).event.at >= at) from = middle + 1;
    else to = middle;
  }
  return from;
}

/**
 * Judges that numbers leave no gap: one obligation for each gap below a number, due `within` after the first event above the
 * gap; late when it closed after that. An `unless` event uses its number too. The least number known begins its series.
 */
export function numbers(
  rule: RuleOf<'sequence'> & { readonly number: string },
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] {
  const matches = eventMatcher(rule.when);
  const explains = rule.unless && eventMatcher(rule.unless);
  const mayStart = starter(rule, events, context);
  const lookback = lookbackOf(rule);
  const allowed = parseDuration(rule.within);
  const grace = rule.grace === undefined ? undefined : parseDuration(rule.grace);
  const series = new Map<string, Map<bigint, Used>>();
  for (const event of events) {
    if (!matches(event) && !explains?.(event)) continue;
    const text = fieldOf(event, rule.number);
    const read = text === undefined ? undefined : readNumber(text);
    if (!read) continue;
    const used = series.get(read.series) ?? new Map<bigint, Used>();
    series.set(read.series, used);
    if (!used.has(read.number)) used.set(read.number, { number: read.number, event });
  }
  return [...series].flatMap(([name, used]) => gapsOf(name, [...used.values()]));

  function dueAfter(event: CaseEvent): bigint {
    const due = allowed ? addDuration(event.at, allowed, context.company) : event.at;
    return grace ? addDuration(due, grace, context.company) : due;
  }

  function gapsOf(name: string, used: Used[]): Obligation[] {
    used.sort((a, b) => (a.number < b.number ? -1 : 1));
    const found: Obligation[] = [];
    for (let at = 1; at < used.length; at += 1) {
      const above = used[at] as Used;
      if (!mayStart(above.event)) continue;
      // What was used too far from it in time is not seen together with it, whatever else is looked at.
      let next = at - 1;
      while (next >= 0 && !isNear((used[next] as Used).event, above.event)) next -= 1;
      const below = used[next];
      // The first that was used above the gap tells that the numbers in between were given out.
      if (below && above.number - below.number > 1n) found.push(gap(name, below, above));
    }
    return [...found, ...filledLate(name, used)];
  }

  function isNear(a: CaseEvent, b: CaseEvent): boolean {
    return lookback === undefined || distance(a, b) <= lookback;
  }

  /** Numbers that came after a greater one, and later than allowed. */
  function filledLate(name: string, used: readonly Used[]): Obligation[] {
    const found: Obligation[] = [];
    // The latest first: numbers mostly come in order, so that the next one goes to the end.
    const above: Used[] = [];
    for (const one of used.toReversed()) {
      const { at } = one.event;
      const earliest = lookback === undefined ? above.at(-1) : above[countSince(above, at - lookback) - 1];
      if (earliest && mayStart(earliest.event)) {
        const dueAt = dueAfter(earliest.event);
        if (at > dueAt) found.push(late(name, earliest, one, dueAt));
      }
      above.splice(countSince(above, at), 0, one);
    }
    return found;
  }

  function late(name: string, above: Used, one: Used, dueAt: bigint): Obligation {
    const why = () =>
      `number ${one.number} of ${name} came at ${formatInstant(one.event.at)}, after ${above.number} of ${formatInstant(above.event.at)} and its deadline ${formatInstant(dueAt)}`;
    const state: ObligationState = 'late';
    return obligationOf(
      rule,
      {
        ...base(above.event, `late ${name} ${one.number}`, dueAt),
        state,
        answeredAt: one.event.at,
        events: [above.event, one.event],
        why,
      },
      context,
      [above.event],
    );
  }

  function gap(name: string, below: Used, above: Used): Obligation {
    const dueAt = dueAfter(above.event);
    const complete = context.complete(above.event.source);
    const state = unansweredState(dueAt, context.at, complete.watermark);
    const first = below.number + 1n;
    const last = above.number - 1n;
    const missing = first === last ? `number ${first}` : `numbers ${first} to ${last}`;
    const why = (): string =>
      state === 'indeterminate'
        ? `${missing} of ${name}: ${incompleteText(rule.when.types, dueAt, complete)}`
        : `${missing} of ${name} ${first === last ? 'is' : 'are'} missing between ${below.event.subject} and ${above.event.subject}${state === 'open' ? assumedText(complete) : ''}`;
    return obligationOf(
      rule,
      {
        ...base(above.event, `gap ${name} ${above.number}`, dueAt),
        state,
        events: [above.event, below.event],
        why,
        watermark: complete.watermark,
      },
      context,
      [above.event],
    );
  }

  function base(event: CaseEvent, occurrence: string, dueAt: bigint) {
    const about = rule.group ? groupName(rule, event) : undefined;
    return { anchor: event, about, occurrence, dueAt };
  }
}
