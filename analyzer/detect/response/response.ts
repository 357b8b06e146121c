import { addDuration } from '../../../model/business-time.ts';
import { parseDuration } from '../../../model/duration.ts';
import { type ResponseExpectation, typeMatcher } from '../../../model/flow.ts';
import type { Obligation } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { caseKeysOf } from '../cases.ts';
import {
  type EvaluationContext,
  type Evaluator,
  inScope,
  obligationOf,
  unansweredState,
} from '../evaluator.ts';
import { anyOf, incompleteText } from '../sentences.ts';

/**
 * Judges "A then B": every picked anchor must be answered by its deadline, exactly at it counts as in time. Of answer and
 * voiding event the one that comes first in event order decides; an event that is both is an answer. With `since: ever`
 * an event before the anchor decides as well: an answer from before is in time. The anchor never answers itself.
 */
export const response: Evaluator<ResponseExpectation> = (rule, events, context) => {
  const duration = parseDuration(rule.within);
  if (!duration) throw new RangeError(`rule ${rule.id}: ${rule.within} is no duration`);
  const answers = follower(rule.expect, events);
  const voids = rule.unless && follower(rule.unless, events);
  return anchorsOf(rule, events).map((index) => {
    const anchor = events[index] as CaseEvent;
    const dueAt = addDuration(anchor.at, duration, context.company);
    return judge(rule, events, { anchor, dueAt, answer: answers(index), voided: voids?.(index) }, context);
  });
};

interface Found {
  readonly anchor: CaseEvent;
  readonly dueAt: bigint;
  /** Positions among the case's events. */
  readonly answer: number | undefined;
  readonly voided: number | undefined;
}

function judge(
  rule: ResponseExpectation,
  events: readonly CaseEvent[],
  { anchor, dueAt, answer, voided }: Found,
  context: EvaluationContext,
): Obligation {
  const base = {
    anchor,
    dueAt,
    occurrence: rule.when.pick === 'each' ? anchor.id : rule.when.pick,
    joinKeys: caseKeysOf(rule, anchor),
  };
  const asked = (): string => `${anchor.type} at ${formatInstant(anchor.at)}`;
  if (answer !== undefined && (voided === undefined || answer <= voided)) {
    const by = events[answer] as CaseEvent;
    const state = by.at <= dueAt ? 'satisfied' : 'late';
    const when = () => (state === 'late' ? `after the deadline ${formatInstant(dueAt)}` : 'in time');
    const why = () => `${asked()} was answered ${when()} by ${by.type} at ${formatInstant(by.at)}`;
    return obligationOf(
      rule,
      { ...base, state, answeredAt: by.at, events: [anchor, by], why },
      context,
      events,
    );
  }
  if (voided !== undefined) {
    const by = events[voided] as CaseEvent;
    const why = () => `${asked()} was voided by ${by.type} at ${formatInstant(by.at)}`;
    return obligationOf(rule, { ...base, state: 'voided', events: [anchor, by], why }, context, events);
  }
  const watermark = context.watermark(anchor.source);
  const state = unansweredState(dueAt, context.at, watermark);
  return obligationOf(
    rule,
    {
      ...base,
      state,
      events: [anchor],
      why: () => whyUnanswered(rule, asked(), state, dueAt, watermark),
      watermark,
    },
    context,
    events,
  );
}

function whyUnanswered(
  rule: ResponseExpectation,
  asked: string,
  state: string,
  dueAt: bigint,
  watermark: bigint | undefined,
): string {
  const { types } = rule.expect;
  if (state === 'indeterminate') return `${asked}: ${incompleteText(types, dueAt, watermark)}`;
  const until = `within ${rule.within}, by ${formatInstant(dueAt)}`;
  return state === 'pending'
    ? `${asked}: ${anyOf(types)} is expected ${until}`
    : `${asked}: no ${anyOf(types)} ${until}`;
}

/** Positions of the events that start an obligation. */
function anchorsOf(rule: ResponseExpectation, events: readonly CaseEvent[]): number[] {
  const matches = typeMatcher(rule.when.types);
  const all: number[] = [];
  events.forEach((event, index) => {
    if (matches(event.type) && inScope(rule, event)) all.push(index);
  });
  if (rule.when.pick === 'each' || all.length === 0) return all;
  return [rule.when.pick === 'first' ? all[0] : all.at(-1)] as number[];
}

/** Finds for an anchor's position the position of the first event that follows it (or, `ever`, that is not it). */
function follower(
  { types, since }: ResponseExpectation['expect'],
  events: readonly CaseEvent[],
): (anchor: number) => number | undefined {
  const matches = typeMatcher(types);
  const positions: number[] = [];
  events.forEach((event, index) => {
    if (matches(event.type)) positions.push(index);
  });
  if (since === 'ever') return (anchor) => (positions[0] === anchor ? positions[1] : positions[0]);
  // Anchors come in rising order, so one walk over the positions serves them all.
  let next = 0;
  return (anchor) => {
    while (next < positions.length && (positions[next] as number) <= anchor) next += 1;
    return positions[next];
  };
}
