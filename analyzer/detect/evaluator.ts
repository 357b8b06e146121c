import { hash } from 'node:crypto';
import type { Company } from '../../model/company.ts';
import { eventRefKey } from '../../model/event.ts';
import type { Expectation } from '../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../model/obligation.ts';
import type { CaseEvent } from './case-event.ts';
import type { Completeness } from './completeness.ts';

/** What an evaluation takes from outside the case. */
export interface EvaluationContext {
  /** Id of the flow that the rule belongs to. */
  readonly flow: string;
  /** The instant at which the states hold, epoch nanoseconds. The case holds no later event. */
  readonly at: bigint;
  readonly company: Company;
  /** Does history start nothing, and only answers or voids? A backtest lets it start obligations like any other event. */
  readonly live: boolean;
  /**
   * How complete the sources are that the rule depends on, for an obligation started by an event of `source`. The
   * watermark is at most `at`; undefined: nothing is known.
   */
  complete(source: string): Pick<Completeness, 'watermark' | 'assumed'>;
}

/**
 * Judges one case under one rule: the obligations that its events start, each in its state at `context.at`. `events` are
 * those of the rule's types, in event order. Pure: the same events give the same obligations.
 */
export type Evaluator<Rule extends Expectation> = (
  rule: Rule,
  events: readonly CaseEvent[],
  context: EvaluationContext,
) => Obligation[];

/** The identity of an obligation: rule, company, subject within its source, and occurrence; not the rule's version. */
export const obligationId = (
  rule: string,
  subject: { company: string; source: string; subject: string },
  occurrence: string,
): string =>
  hash('sha256', JSON.stringify([rule, subject.company, subject.source, subject.subject, occurrence]), 'hex');

export interface Outcome {
  readonly anchor: CaseEvent;
  /** What the obligation is about, when it is not the anchor's subject: a group. */
  readonly about?: string | undefined;
  readonly occurrence: string;
  readonly state: ObligationState;
  readonly dueAt: bigint;
  readonly answeredAt?: bigint | undefined;
  /** The events that decided it, the anchor first. */
  readonly events: readonly CaseEvent[];
  readonly joinKeys: readonly string[];
  /** One sentence; asked for only when somebody reads it. */
  why(): string;
  readonly watermark?: bigint | undefined;
  /** The amount at stake, when it is not that of an event. */
  readonly amount?: string | undefined;
  /** Instants after the deadline at which the severity rises by one. */
  readonly raisesAt?: readonly bigint[] | undefined;
  /** An instant at which it may be over though nothing new came. */
  readonly againAt?: bigint | undefined;
}

/**
 * The obligation of an outcome; its id and sentence are made when they are read. The amount is the anchor's; an anchor without one takes that of the first of the deciding
 * events, else of the case, that has one.
 */
export function obligationOf(
  rule: Expectation,
  outcome: Outcome,
  context: EvaluationContext,
  caseEvents: readonly CaseEvent[],
): Obligation {
  const { anchor } = outcome;
  const place =
    outcome.about === undefined
      ? { company: anchor.company, source: anchor.source, subject: anchor.subject }
      : { company: anchor.company, source: '', subject: outcome.about };
  const money =
    anchor.amount === undefined
      ? (outcome.events.find((event) => event.amount !== undefined) ??
        caseEvents.find((event) => event.amount !== undefined))
      : anchor;
  const deciding = [...new Map(outcome.events.map((event) => [eventRefKey(event), event])).values()];
  return {
    get id() {
      return obligationId(rule.id, place, outcome.occurrence);
    },
    rule: rule.id,
    ruleVersion: rule.version,
    flow: context.flow,
    kind: rule.kind,
    ...place,
    occurrence: outcome.occurrence,
    state: outcome.state,
    anchorEvent: anchor.id,
    anchorAt: anchor.at,
    dueAt: outcome.dueAt,
    answeredAt: outcome.answeredAt,
    amount: outcome.amount ?? money?.amount,
    currency: money?.currency,
    companyAmount: outcome.amount === undefined ? money?.companyAmount : undefined,
    period: anchor.period,
    events: deciding.map(({ id }) => id),
    eventSources: deciding.map(({ source }) => source),
    traceIds: [...new Set(outcome.events.flatMap((event) => event.traceId || []))],
    joinKeys: [...new Set(outcome.joinKeys)],
    get why() {
      return outcome.why();
    },
    watermark: outcome.watermark,
    history: anchor.history,
    raisesAt: outcome.raisesAt,
    againAt: outcome.againAt,
  };
}

/** The state of something unanswered: pending until its deadline, then open, or indeterminate when the watermark is short of it. */
export function unansweredState(dueAt: bigint, at: bigint, watermark: bigint | undefined): ObligationState {
  if (at < dueAt) return 'pending';
  return watermark !== undefined && watermark >= dueAt ? 'open' : 'indeterminate';
}
