import { addDuration } from '../../../model/business-time.ts';
import { parseDuration } from '../../../model/duration.ts';
import { type ResponseExpectation, typeMatcher } from '../../../model/flow.ts';
import type { Obligation } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import { type CaseEvent, isSameSubject } from '../case-event.ts';
import { caseKeysOf, caseNameOf } from '../cases.ts';
import type { Completeness } from '../completeness.ts';
import {
  type EvaluationContext,
  type Evaluator,
  mayStart,
  obligationOf,
  unansweredState,
} from '../evaluator.ts';
import { anyOf, assumedText, incompleteText } from '../sentences.ts';

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
  const starts = startsOf(rule, events, context);
  return pickedOf(rule, starts).map((index) => {
    const anchor = events[index] as CaseEvent;
    const dueAt = addDuration(anchor.at, duration, context.company);
    const occurrence = occurrenceOf(rule, events, starts, anchor);
    const found = { anchor, occurrence, dueAt, answer: answers(index), voided: voids?.(index) };
    return judge(rule, events, found, context);
  });
};

interface Found {
  readonly anchor: CaseEvent;
  readonly occurrence: string;
  readonly dueAt: bigint;
  /** Positions among the case's events. */
  readonly answer: number | undefined;
  readonly voided: number | undefined;
}

function judge(
  rule: ResponseExpectation,
  events: readonly CaseEvent[],
  { anchor, occurrence, dueAt, answer, voided }: Found,
  context: EvaluationContext,
): Obligation {
  const base = { anchor, dueAt, occurrence, joinKeys: caseKeysOf(rule, anchor) };
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
  const complete = context.complete(anchor.source);
  const { watermark } = complete;
  const state = unansweredState(dueAt, context.at, watermark);
  return obligationOf(
    rule,
    {
      ...base,
      state,
      events: [anchor],
      why: () => whyUnanswered(rule, asked(), state, dueAt, complete),
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
  complete: Pick<Completeness, 'watermark' | 'assumed'>,
): string {
  const { types } = rule.expect;
  if (state === 'indeterminate') return `${asked}: ${incompleteText(types, dueAt, complete)}`;
  const until = `within ${rule.within}, by ${formatInstant(dueAt)}`;
  return state === 'pending'
    ? `${asked}: ${anyOf(types)} is expected ${until}`
    : `${asked}: no ${anyOf(types)} ${until}${assumedText(complete)}`;
}

/** Positions of the events that may start an obligation. */
function startsOf(
  rule: ResponseExpectation,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): number[] {
  const matches = typeMatcher(rule.when.types);
  const starts: number[] = [];
  events.forEach((event, index) => {
    if (matches(event.type) && mayStart(rule, event, context)) starts.push(index);
  });
  return starts;
}

/** Those of them that do. */
function pickedOf({ when: { pick } }: ResponseExpectation, starts: readonly number[]): readonly number[] {
  if (pick === 'each') return starts;
  return pick === 'first' ? starts.slice(0, 1) : starts.slice(-1);
}

/**
 * Tells the obligations of one subject apart: by the event when each starts one, else by the pick, and by the case when
 * keys part the subject's events into several. The subject's first start names the case, so that a later one with
 * another key, picked as the last, keeps the identity.
 */
function occurrenceOf(
  rule: ResponseExpectation,
  events: readonly CaseEvent[],
  starts: readonly number[],
  anchor: CaseEvent,
): string {
  const { pick } = rule.when;
  if (pick === 'each') return anchor.id;
  const index = starts.find((start) => isSameSubject(events[start] as CaseEvent, anchor));
  const name = caseNameOf(rule, index === undefined ? anchor : (events[index] as CaseEvent));
  return name === '' ? pick : `${pick} ${name}`;
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
