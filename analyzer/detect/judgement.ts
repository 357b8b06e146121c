import type { Company } from '../../model/company.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { type Expectation, startTypesOf } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';
import type { SourceStream } from '../../model/watermark.ts';
import { isOfToday } from './anomaly/days.ts';
import { type CaseEvent, subjectKeyOf } from './case-event.ts';
import { companyOfCase, ruleOfCompany } from './company-rules.ts';
import { createCompleteness, isApplicable } from './completeness.ts';
import type { EvaluationContext } from './evaluator.ts';
import { evaluate } from './evaluators.ts';
import { lookbackOf, readGroupKey } from './groups.ts';
import type { LoadedCases } from './load-cases.ts';
import type { JudgedRow, Judgement } from './record.ts';
import type { Rule } from './rules.ts';
import type { StoredCases } from './stored-cases.ts';
import type { Span, TouchedPart } from './touched.ts';

/** The instant as of which is judged, epoch nanoseconds and the same as a Date, and how complete the sources are then. */
export interface Moment {
  readonly now: bigint;
  readonly at: Date;
  readonly streams: readonly SourceStream[];
}

/**
 * The part without the groups of which days are judged and which only events of today touched: the day is judged when it is over,
 * which an obligation of the group that waits will tell.
 */
export async function withoutToday(
  part: TouchedPart,
  cases: StoredCases,
  now: bigint,
  companyOf: (key: string) => Company,
): Promise<TouchedPart> {
  const { expectation } = part.rule;
  if (expectation.kind !== 'anomaly' || !expectation.group || part.obligations.length > 0) return part;
  const stored = new Set((await cases.heads(expectation.id, part.keys)).map(({ case_key }) => case_key));
  const reach = lookbackOf(expectation) ?? 0n;
  const keys = part.keys.filter((key) => {
    const span = part.spans.get(key);
    if (!span || !stored.has(key)) return true;
    return !isOfToday(expectation, span.from + reach, now, companyOf(readGroupKey(key).company));
  });
  return keys.length === part.keys.length ? part : { ...part, keys };
}

/** The rule as it holds for a company, and what an evaluation takes there. */
interface CompanyContext {
  readonly expectation: Expectation;
  readonly context: EvaluationContext;
}

/** Judges the cases of a part, live. Of a group only what may have changed is judged: the rest was not loaded whole. */
export function judgeCases(
  loaded: LoadedCases,
  { rule, keys, obligations: ids, spans }: TouchedPart,
  { now, streams }: Moment,
  companyOf: (key: string) => Company,
): Judgement {
  const complete = createCompleteness(rule.expectation, streams, { at: now, now, companyOf });
  const starts = typeMatcher(startTypesOf(rule.expectation));
  const contexts = new Map<string, CompanyContext | undefined>();
  const contextOf = (key: string): CompanyContext | undefined => {
    const company = companyOf(key);
    const expectation = ruleOfCompany(rule.expectation, company);
    if (!isApplicable(expectation, streams, key)) return undefined;
    const completeOf = (source: string) => complete(key, source);
    const context = { flow: rule.flow.flow, at: now, company, live: true, complete: completeOf };
    return { expectation, context };
  };
  const obligations: Obligation[] = [];
  const { cases, groups } = loaded;
  for (let i = 0; i < cases.length; i += 1) {
    const events = cases[i] as readonly CaseEvent[];
    if (!events.some(({ type }) => starts(type))) continue;
    const key = companyOfCase(rule.expectation, events);
    if (!contexts.has(key)) contexts.set(key, contextOf(key));
    const found = contexts.get(key);
    if (!found) continue;
    const { expectation, context } = found;
    if (!groups) {
      for (const one of evaluate(expectation, events, context)) obligations.push(one);
      continue;
    }
    const span = spans.get(groups[i] ?? '');
    const wanted = (at: bigint): boolean => isChanged(span, at);
    for (const one of evaluate(expectation, events, { ...context, wanted }))
      if (wanted(one.anchorAt)) obligations.push(one);
  }
  if (!rule.expectation.group) return { rule, ids, obligations, ...placeOf(loaded, rule) };
  return {
    rule,
    ids,
    caseKeys: keys,
    obligations,
    isJudged: ({ case_key, anchor_ns }) => isChanged(spans.get(case_key), BigInt(anchor_ns)),
  };
}

const isChanged = (span: Span | undefined, at: bigint): boolean =>
  span !== undefined && span.changed <= at && at <= span.to;

/** Where obligations of the cases are stored: under the subjects of the events that may be their anchors, which may have other cases as well. */
function placeOf({ cases }: LoadedCases, rule: Rule): Pick<Judgement, 'caseKeys' | 'isJudged'> {
  const caseKeys = new Set<string>();
  for (const events of cases)
    for (const event of events) if (rule.mayAnchor(event.type)) caseKeys.add(subjectKeyOf(event));
  let ids: Set<string> | undefined;
  return {
    caseKeys: [...caseKeys],
    isJudged({ source, anchor_event }: JudgedRow) {
      ids ??= new Set(cases.flat().flatMap(({ source, id }) => [`\n${id}`, `${source}\n${id}`]));
      return ids.has(`${source}\n${anchor_event}`);
    },
  };
}
