import { z } from 'zod';
import type { Company } from '../../model/company.ts';
import type { Problem } from '../../model/errors.ts';
import { typeMatcher } from '../../model/event-pattern.ts';
import { type Expectation, expectation, startTypesOf } from '../../model/expectation.ts';
import type { CaseEvent } from './case-event.ts';

/** What a company may say otherwise of a rule: when, how much and how loud; never which events and cases. */
export const OVERRIDES = [
  'enabled',
  'observe',
  'severity',
  'closeImpact',
  'within',
  'closing',
  'cutoff',
  'until',
  'grace',
  'before',
  'atMost',
  'atLeast',
  'over',
  'least',
  'false',
  'tolerance',
  'owner',
  'runbook',
] as const;

const KNOWN = new WeakMap<Company, Map<Expectation, Expectation>>();

/** The rule as it holds for the company: what companies.yaml says otherwise, and the rest as it is. */
export function ruleOfCompany(rule: Expectation, company: Company): Expectation {
  const other = company.rules[rule.id];
  if (!other) return rule;
  const rules = KNOWN.get(company) ?? new Map<Expectation, Expectation>();
  KNOWN.set(company, rules);
  let made = rules.get(rule);
  if (!made) {
    made = expectation.parse({ ...rule, ...other });
    rules.set(rule, made);
  }
  return made;
}

/** What is wrong with what companies say of rules: a rule that is not there, a field that no company decides, a value that is none. */
export function overrideProblems(rules: readonly Expectation[], companies: readonly Company[]): Problem[] {
  const byId = new Map(rules.map((rule) => [rule.id, rule]));
  return companies.flatMap(({ key, rules: others }) =>
    Object.entries(others).flatMap(([id, other]): Problem[] => {
      const where = `companies.yaml, company ${key}, rules.${id}`;
      const rule = byId.get(id);
      if (!rule) return [{ where, what: `there is no rule ${id}` }];
      const wrong = Object.keys(other).filter((field) => !OVERRIDES.some((known) => known === field));
      if (wrong.length > 0)
        return [{ where, what: `${wrong.join(', ')}: a company may only say ${OVERRIDES.join(', ')}` }];
      const parsed = expectation.safeParse({ ...rule, ...other });
      return parsed.success ? [] : [{ where, what: z.prettifyError(parsed.error) }];
    }),
  );
}

/** The company of a case: of one that reaches across companies that of the first event that may start something. */
export function companyOfCase(
  rule: Expectation,
  events: readonly Pick<CaseEvent, 'company' | 'type'>[],
): string {
  const starts = rule.across ? typeMatcher(startTypes(rule)) : undefined;
  return (starts ? events.find(({ type }) => starts(type)) : undefined)?.company ?? events[0]?.company ?? '';
}

const STARTS = new WeakMap<Expectation, readonly string[]>();
const startTypes = (rule: Expectation): readonly string[] => {
  const types = STARTS.get(rule) ?? startTypesOf(rule);
  STARTS.set(rule, types);
  return types;
};
