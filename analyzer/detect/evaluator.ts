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
  /** Is what starts at the instant asked for? What is not may be left out; when this is left out, all is asked for. */
  wanted?(at: bigint): boolean;
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

/** The obligation of an outcome, which holds no more than what it is made of: most are counted and forgotten. */
class JudgedObligation implements Obligation {
  readonly #rule: Expectation;
  readonly #outcome: Outcome;
  readonly #money: CaseEvent | undefined;
  readonly flow: string;
  readonly state: ObligationState;
  #id: string | undefined;
  #deciding: readonly CaseEvent[] | undefined;

  constructor(rule: Expectation, outcome: Outcome, flow: string, money: CaseEvent | undefined) {
    this.#rule = rule;
    this.#outcome = outcome;
    this.#money = money;
    this.flow = flow;
    this.state = outcome.state;
  }

  get rule(): string {
    return this.#rule.id;
  }
  get ruleVersion(): number {
    return this.#rule.version;
  }
  get kind(): string {
    return this.#rule.kind;
  }
  get company(): string {
    return this.#outcome.anchor.company;
  }
  get source(): string {
    return this.#outcome.about === undefined ? this.#outcome.anchor.source : '';
  }
  get subject(): string {
    return this.#outcome.about ?? this.#outcome.anchor.subject;
  }
  get occurrence(): string {
    return this.#outcome.occurrence;
  }
  get anchorEvent(): string {
    return this.#outcome.anchor.id;
  }
  get anchorAt(): bigint {
    return this.#outcome.anchor.at;
  }
  get dueAt(): bigint {
    return this.#outcome.dueAt;
  }
  get answeredAt(): bigint | undefined {
    return this.#outcome.answeredAt;
  }
  get amount(): string | undefined {
    return this.#outcome.amount ?? this.#money?.amount;
  }
  get currency(): string | undefined {
    return this.#money?.currency;
  }
  get companyAmount(): string | undefined {
    return this.#outcome.amount === undefined ? this.#money?.companyAmount : undefined;
  }
  get period(): string | undefined {
    return this.#outcome.anchor.period;
  }
  get watermark(): bigint | undefined {
    return this.#outcome.watermark;
  }
  get history(): boolean {
    return this.#outcome.anchor.history;
  }
  get raisesAt(): readonly bigint[] | undefined {
    return this.#outcome.raisesAt;
  }
  get againAt(): bigint | undefined {
    return this.#outcome.againAt;
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
    return this.#rule.group ? (groupKeyOf(this.#rule, anchor)[0] ?? '') : subjectKeyOf(anchor);
  }

  get why(): string {
    return this.#outcome.why();
  }

  inState({ state, why, watermark }: Pick<Obligation, 'state' | 'why' | 'watermark'>): Obligation {
    const outcome = { ...this.#outcome, state, why: () => why, watermark };
    return new JudgedObligation(this.#rule, outcome, this.flow, this.#money);
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
  as: Pick<Obligation, 'state' | 'why' | 'watermark'>,
): Obligation => (obligation instanceof JudgedObligation ? obligation.inState(as) : { ...obligation, ...as });

/** The state of something unanswered: pending until its deadline, then open, or indeterminate when the watermark is short of it. */
export function unansweredState(dueAt: bigint, at: bigint, watermark: bigint | undefined): ObligationState {
  if (at < dueAt) return 'pending';
  return watermark !== undefined && watermark >= dueAt ? 'open' : 'indeterminate';
}
