import type { Expectation } from '../../model/expectation.ts';
import { type CaseEvent, isSameSubject } from './case-event.ts';
import { caseNameOf } from './cases.ts';

interface Picking {
  readonly when: { readonly pick: 'first' | 'last' | 'each' };
}

/** Which of the positions of events that may start an obligation do. */
export function pickedOf({ when: { pick } }: Picking, starts: readonly number[]): readonly number[] {
  if (pick === 'each') return starts;
  return pick === 'first' ? starts.slice(0, 1) : starts.slice(-1);
}

/**
 * Tells the obligations of one subject apart: by the event when each starts one, else by the pick, and by the case when
 * keys part the subject's events into several. The subject's first start names the case, so that a later one with
 * another key, picked as the last, keeps the identity.
 */
export function occurrenceOf(
  rule: Pick<Expectation, 'by' | 'kind'> & Picking,
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
