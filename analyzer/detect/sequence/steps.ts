import { addDuration } from '../../../model/business-time.ts';
import { parseDuration } from '../../../model/duration.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, obligationOf, unansweredState } from '../evaluator.ts';
import { starter } from '../scope.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

type Rule = RuleOf<'sequence'> & { readonly steps: NonNullable<RuleOf<'sequence'>['steps']> };

interface Fault {
  readonly event: CaseEvent;
  readonly why: string;
}

/**
 * Judges that a case takes its steps in their order, each once and none left out but optional ones: one obligation a case.
 * It is open with the first step out of its place, and names all of them; with every step in place and some still to come
 * it waits for them `within` after the last. An `unless` event ends the case where it stands.
 */
export function steps(rule: Rule, events: readonly CaseEvent[], context: EvaluationContext): Obligation[] {
  const looks = eventMatcher(rule.when);
  const ends = rule.unless && eventMatcher(rule.unless);
  const mayStart = starter(rule, events, context);
  const tests = rule.steps.map((step) => eventMatcher(step));
  const walked = events.filter((event) => looks(event) || ends?.(event));
  const end = ends ? walked.findIndex(ends) : -1;
  const path = end < 0 ? walked : walked.slice(0, end);
  const anchor = path.find(mayStart);
  if (!anchor) return [];

  const faults: Fault[] = [];
  const taken = new Set<number>();
  let at = -1;
  for (const event of path) {
    const step = nextStep(event);
    if (step === undefined) {
      faults.push({ event, why: faultOf(event) });
      continue;
    }
    const left = between(at, step);
    if (left.length > 0)
      faults.push({ event, why: `${event.type} came without ${left.join(', ')} before it` });
    taken.add(step);
    at = Math.max(at, step);
  }
  const base = {
    anchor,
    occurrence: 'steps',
  };
  const first = faults[0];
  const last = path.at(-1) as CaseEvent;
  if (first) {
    const outcome = {
      ...base,
      state: 'open' as ObligationState,
      dueAt: first.event.at,
      events: [anchor, ...faults.slice(0, 10).map(({ event }) => event)],
      why: () =>
        faults
          .slice(0, 5)
          .map(({ why }) => why)
          .join('; '),
    };
    return [obligationOf(rule, outcome, context, events)];
  }
  const missing = between(at, rule.steps.length);
  const over = end < 0 ? undefined : (walked[end] as CaseEvent);
  if (missing.length === 0 || over) {
    const state: ObligationState = missing.length === 0 ? 'satisfied' : 'voided';
    const why = () =>
      missing.length === 0
        ? 'every step was taken in its place'
        : `ended by ${over?.type} at ${formatInstant(over?.at ?? 0n)}`;
    const outcome = {
      ...base,
      state,
      dueAt: last.at,
      answeredAt: missing.length === 0 ? last.at : undefined,
      events: [anchor, over ?? last],
      why,
    };
    return [obligationOf(rule, outcome, context, events)];
  }
  const allowed = parseDuration(rule.within);
  const grace = rule.grace === undefined ? undefined : parseDuration(rule.grace);
  const due = allowed ? addDuration(last.at, allowed, context.company) : last.at;
  const dueAt = grace ? addDuration(due, grace, context.company) : due;
  const complete = context.complete(last.source);
  const state = unansweredState(dueAt, context.at, complete.watermark);
  const why = (): string =>
    state === 'indeterminate'
      ? `after ${last.type}: ${incompleteText(missing, dueAt, complete)}`
      : `after ${last.type} at ${formatInstant(last.at)} ${state === 'pending' ? '' : 'no '}${anyOf(missing.slice(0, 1))}${state === 'pending' ? ' is expected' : ''} by ${formatInstant(dueAt)}${state === 'open' ? assumedText(complete) : ''}`;
  return [
    obligationOf(
      rule,
      { ...base, state, dueAt, events: [anchor, last], why, watermark: complete.watermark },
      context,
      events,
    ),
  ];

  /** The step that the event takes: the next of its kind, or the one it repeats; undefined: none in its place. */
  function nextStep(event: CaseEvent): number | undefined {
    for (let step = Math.max(at, 0); step < tests.length; step += 1) {
      if (!tests[step]?.(event)) continue;
      if (taken.has(step) && !rule.steps[step]?.repeat) continue;
      if (step < at) continue;
      return step;
    }
    return undefined;
  }

  /** The names of the steps between two that may not be left out. */
  function between(from: number, to: number): string[] {
    return rule.steps
      .slice(from + 1, to)
      .flatMap((step, index) => (step.optional || taken.has(from + 1 + index) ? [] : [anyOf(step.types)]));
  }

  function faultOf(event: CaseEvent): string {
    const when = `${event.type} at ${formatInstant(event.at)}`;
    const step = tests.findIndex((test) => test(event));
    if (step < 0) return `${when} is none of the steps`;
    return taken.has(step) ? `${when} was taken again` : `${when} came out of its place`;
  }
}
