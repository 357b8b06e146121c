import { hash } from 'node:crypto';
import type { Company } from '../../model/company.ts';
import { eventRefKey } from '../../model/event.ts';
import type { Expectation } from '../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../model/obligation.ts';
import { type CaseEvent, subjectKeyOf } from './case-event.ts';
import type { Completeness } from './completeness.ts';
import { groupKeyOf } from './groups.ts';

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

/** The obligation of an outcome: what only some readers ask for is made when they do. */
class JudgedObligation implements Obligation {
  readonly rule: string;
  readonly ruleVersion: number;
  readonly flow: string;
  readonly kind: string;
  readonly company: string;
  readonly source: string;
  readonly subject: string;
  readonly occurrence: string;
  readonly state: ObligationState;
  readonly anchorEvent: string;
  readonly anchorAt: bigint;
  readonly dueAt: bigint;
  readonly answeredAt: bigint | undefined;
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  readonly companyAmount: string | undefined;
  readonly period: string | undefined;
  readonly watermark: bigint | undefined;
  readonly history: boolean;
  readonly raisesAt: readonly bigint[] | undefined;
  readonly againAt: bigint | undefined;
  readonly #outcome: Outcome;
  readonly #grouping: Pick<Expectation, 'id' | 'group'> | undefined;
  #id: string | undefined;
  #deciding: readonly CaseEvent[] | undefined;

  constructor(rule: Expectation, outcome: Outcome, flow: string, money: CaseEvent | undefined) {
    const { anchor, about } = outcome;
    this.rule = rule.id;
    this.ruleVersion = rule.version;
    this.flow = flow;
    this.kind = rule.kind;
    this.company = anchor.company;
    this.source = about === undefined ? anchor.source : '';
    this.subject = about ?? anchor.subject;
    this.occurrence = outcome.occurrence;
    this.state = outcome.state;
    this.anchorEvent = anchor.id;
    this.anchorAt = anchor.at;
    this.dueAt = outcome.dueAt;
    this.answeredAt = outcome.answeredAt;
    this.amount = outcome.amount ?? money?.amount;
    this.currency = money?.currency;
    this.companyAmount = outcome.amount === undefined ? money?.companyAmount : undefined;
    this.period = anchor.period;
    this.watermark = outcome.watermark;
    this.history = anchor.history;
    this.raisesAt = outcome.raisesAt;
    this.againAt = outcome.againAt;
    this.#outcome = outcome;
    this.#grouping = rule.group ? rule : undefined;
  }

  get #events(): readonly CaseEvent[] {
    const { events } = this.#outcome;
    this.#deciding ??=
      events.length === 1
        ? events
        : [...new Map(events.map((event) => [eventRefKey(event), event])).values()];
    return this.#deciding;
  }

  get id(): string {
    this.#id ??= obligationId(this.rule, this, this.occurrence);
    return this.#id;
  }

  get events(): readonly string[] {
    return this.#events.map(({ id }) => id);
  }

  get eventSources(): readonly string[] {
    return this.#events.map(({ source }) => source);
  }

  get traceIds(): readonly string[] {
    return [...new Set(this.#outcome.events.flatMap(({ traceId }) => traceId || []))];
  }

  get caseKey(): string {
    const { anchor } = this.#outcome;
    return this.#grouping ? (groupKeyOf(this.#grouping, anchor)[0] ?? '') : subjectKeyOf(anchor);
  }

  get why(): string {
    return this.#outcome.why();
  }
}

/**
 * The obligation of an outcome. The amount is the anchor's; an anchor without one takes that of the first of the deciding
 * events, else of the case, that has one.
 */
export function obligationOf(
  rule: Expectation,
  outcome: Outcome,
  context: EvaluationContext,
  caseEvents: readonly CaseEvent[],
): Obligation {
  const hasAmount = ({ amount }: CaseEvent): boolean => amount !== undefined;
  const money = hasAmount(outcome.anchor)
    ? outcome.anchor
    : (outcome.events.find(hasAmount) ?? caseEvents.find(hasAmount));
  return new JudgedObligation(rule, outcome, context.flow, money);
}

/** The obligation in another state, as found before: the rest stays as it was judged now. */
export const inState = (
  obligation: Obligation,
  { state, why, watermark }: Pick<Obligation, 'state' | 'why' | 'watermark'>,
): Obligation => ({
  ...obligation,
  id: obligation.id,
  events: obligation.events,
  eventSources: obligation.eventSources,
  traceIds: obligation.traceIds,
  caseKey: obligation.caseKey,
  state,
  why,
  watermark,
});

/** The state of something unanswered: pending until its deadline, then open, or indeterminate when the watermark is short of it. */
export function unansweredState(dueAt: bigint, at: bigint, watermark: bigint | undefined): ObligationState {
  if (at < dueAt) return 'pending';
  return watermark !== undefined && watermark >= dueAt ? 'open' : 'indeterminate';
}
