import { type Company, companyFinder } from '../../model/company.ts';
import { type Expectation, typesOf } from '../../model/expectation.ts';
import type { Flow } from '../../model/flow.ts';
import { OBLIGATION_STATES, type Obligation, type StateCounts } from '../../model/obligation.ts';
import { formatInstant, type Instant } from '../../model/time.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { withSpan } from '../../store/tracing.ts';
import {
  type CaseEvent,
  caseEventOf,
  inEventOrder,
  isSameSubject,
  type StoredEvent,
} from '../detect/case-event.ts';
import { casesOf, isSubjectOnly } from '../detect/cases.ts';
import { companyOfCase, ruleOfCompany } from '../detect/company-rules.ts';
import { type CompletenessQuestion, createCompleteness, isApplicable } from '../detect/completeness.ts';
import { evaluate } from '../detect/evaluators.ts';
import { dataTypesOf, type Rule, rulesByType, rulesOf } from '../detect/rules.ts';

export interface BacktestQuestion {
  readonly flows: readonly Flow[];
  readonly companies: readonly Company[];
  /** Epoch nanoseconds: only events with a time up to it exist. */
  readonly asOf: bigint;
  /** Limits events, and the sources that absence depends on, to this one. */
  readonly source?: string | undefined;
}

export interface BacktestDeps {
  readonly events: {
    /** Stored events ordered by company, source, subject, time, sequence. */
    scan(o: {
      asOf: bigint;
      sources?: readonly string[];
      types: readonly string[];
      dataTypes?: readonly string[];
    }): AsyncIterable<StoredEvent>;
  };
  readonly sources: readonly SourceStream[];
  /** The clock now, epoch nanoseconds. */
  readonly now: bigint;
  /** Told the number of events read so far, now and then. */
  readonly onProgress?: (events: number) => void;
  /** Told every obligation, with its rule as it holds for its company. */
  readonly onObligation?: ((obligation: Obligation, rule: Expectation, company: Company) => void) | undefined;
  /** Told every case that a rule judges, its events in event order. */
  readonly onCase?: ((events: readonly CaseEvent[]) => void) | undefined;
}

interface BacktestRule {
  readonly id: string;
  readonly anchors: number;
  readonly counts: StateCounts;
}

/** An obligation that is open, late or indeterminate. */
interface BacktestException {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
  readonly state: 'open' | 'late' | 'indeterminate';
  readonly anchorAt: Instant;
  readonly dueAt: Instant;
  readonly answeredAt: Instant | null;
  readonly amount: string | null;
  readonly currency: string | null;
  /** Ids of the events that decided it, the one that started it first. */
  readonly events: readonly string[];
  /** One sentence. */
  readonly why: string;
}

export interface BacktestResult {
  readonly asOf: Instant;
  readonly rules: readonly BacktestRule[];
  readonly exceptions: readonly BacktestException[];
}

const PROGRESS_EVERY = 50_000;

/**
 * What the flows would say of the stored history as of an instant: by rule the number of obligations in each state, and
 * those that are open, late or indeterminate, in the order of rules, then of their start. Writes nothing. Rules that
 * join by the subject alone read case by case; a rule that joins by other keys holds its own events, without payload.
 */
export function backtest(question: BacktestQuestion, deps: BacktestDeps): Promise<BacktestResult> {
  return withSpan('backtest', {}, () => run(question, deps));
}

async function run(question: BacktestQuestion, deps: BacktestDeps): Promise<BacktestResult> {
  const streams = deps.sources.filter(({ source }) => !question.source || source === question.source);
  const companyOf = companyFinder(question.companies);
  const complete = { at: question.asOf, now: deps.now, companyOf };
  const tallies = rulesOf(question.flows).map((rule) => new Tally(rule, streams, complete, deps));
  const streamed = rulesByType(tallies.filter(({ expectation }) => isSubjectOnly(expectation)));
  const joined = rulesByType(tallies.filter(({ expectation }) => !isSubjectOnly(expectation)));

  let subject: CaseEvent[] = [];
  const judgeSubject = (): void => {
    const rules = new Set(subject.flatMap((event) => streamed(event.type)));
    for (const tally of rules) {
      const events = subject.filter((event) => tally.looksAt(event.type)).sort(inEventOrder);
      tally.judge(events, companyOf);
    }
    subject = [];
  };

  let read = 0;
  for await (const stored of eventsOf(question, tallies, deps)) {
    const event = caseEventOf(stored);
    const last = subject.at(-1);
    if (last && !isSameSubject(last, event)) judgeSubject();
    if (streamed(event.type).length > 0) subject.push(event);
    for (const tally of joined(event.type)) tally.keep(event);
    read += 1;
    if (read % PROGRESS_EVERY === 0) deps.onProgress?.(read);
  }
  judgeSubject();
  deps.onProgress?.(read);
  for (const tally of tallies) tally.judgeKept(companyOf);
  return {
    asOf: formatInstant(question.asOf),
    rules: tallies.map((tally) => tally.row()),
    exceptions: tallies.flatMap((tally) => tally.exceptions()),
  };
}

function eventsOf(question: BacktestQuestion, rules: readonly Rule[], deps: BacktestDeps) {
  const types = [...new Set(rules.flatMap(({ expectation }) => typesOf(expectation)))];
  if (types.length === 0) return [];
  const dataTypes = dataTypesOf(rules);
  return deps.events.scan({
    asOf: question.asOf,
    types,
    dataTypes,
    ...(question.source ? { sources: [question.source] } : {}),
  });
}

/** An exception with what it is sorted by. */
interface Found {
  readonly anchorAt: bigint;
  readonly place: string;
  readonly exception: BacktestException;
}

/** What is printed of an open, late or indeterminate obligation; undefined for any other. */
function exceptionOf(obligation: Obligation): BacktestException | undefined {
  const { state } = obligation;
  if (state !== 'open' && state !== 'late' && state !== 'indeterminate') return undefined;
  return {
    rule: obligation.rule,
    company: obligation.company,
    subject: obligation.subject,
    state,
    anchorAt: formatInstant(obligation.anchorAt),
    dueAt: formatInstant(obligation.dueAt),
    answeredAt: obligation.answeredAt === undefined ? null : formatInstant(obligation.answeredAt),
    amount: obligation.amount ?? null,
    currency: obligation.currency ?? null,
    events: obligation.events,
    why: obligation.why,
  };
}

/** A rule and what has been counted of it. */
class Tally implements Rule {
  readonly expectation: Rule['expectation'];
  readonly flow: Rule['flow'];
  readonly order: number;
  readonly looksAt: Rule['looksAt'];
  readonly mayAnchor: Rule['mayAnchor'];
  readonly keysOf: Rule['keysOf'];
  readonly way: number;
  readonly #at: bigint;
  readonly #deps: BacktestDeps;
  readonly #streams: readonly SourceStream[];
  readonly #complete: ReturnType<typeof createCompleteness>;
  readonly #counts = Object.fromEntries(OBLIGATION_STATES.map((state) => [state, 0])) as StateCounts;
  #anchors = 0;
  #kept: CaseEvent[] = [];
  readonly #found: Found[] = [];

  constructor(
    rule: Rule,
    streams: readonly SourceStream[],
    { at, now, companyOf }: CompletenessQuestion,
    deps: BacktestDeps,
  ) {
    this.#deps = deps;
    this.expectation = rule.expectation;
    this.flow = rule.flow;
    this.order = rule.order;
    this.looksAt = rule.looksAt;
    this.mayAnchor = rule.mayAnchor;
    this.keysOf = rule.keysOf;
    this.way = rule.way;
    this.#at = at;
    this.#streams = streams;
    this.#complete = createCompleteness(rule.expectation, streams, { at, now, companyOf });
  }

  keep(event: CaseEvent): void {
    this.#kept.push(event);
  }

  judgeKept(companyOf: (key: string) => Company): void {
    if (this.#kept.length === 0) return;
    for (const events of casesOf(this.expectation, this.#kept)) this.judge(events, companyOf);
    this.#kept = [];
  }

  judge(events: readonly CaseEvent[], companyOf: (key: string) => Company): void {
    const key = companyOfCase(this.expectation, events);
    const company = companyOf(key);
    const rule = ruleOfCompany(this.expectation, company);
    const complete = (source: string) => this.#complete(key, source);
    if (!isApplicable(rule, this.#streams, key)) return;
    const context = { flow: this.flow.flow, at: this.#at, company, live: false, complete };
    this.#deps.onCase?.(events);
    for (const obligation of evaluate(rule, events, context)) {
      this.#deps.onObligation?.(obligation, rule, company);
      this.#anchors += 1;
      this.#counts[obligation.state] += 1;
      const exception = exceptionOf(obligation);
      if (!exception) continue;
      const { anchorAt, subject, source, occurrence } = obligation;
      this.#found.push({ anchorAt, place: [subject, company, source, occurrence].join('\n'), exception });
    }
  }

  row(): BacktestRule {
    return { id: this.expectation.id, anchors: this.#anchors, counts: this.#counts };
  }

  exceptions(): BacktestException[] {
    return this.#found.sort(byStart).map(({ exception }) => exception);
  }
}

function byStart(a: Found, b: Found): number {
  if (a.anchorAt !== b.anchorAt) return a.anchorAt < b.anchorAt ? -1 : 1;
  return a.place < b.place ? -1 : a.place > b.place ? 1 : 0;
}
