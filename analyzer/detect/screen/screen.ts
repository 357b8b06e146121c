import type { Company } from '../../../model/company.ts';
import type { EventPattern } from '../../../model/event-pattern.ts';
import type { Expectation, RuleOf } from '../../../model/expectation.ts';
import { GROUP_KEY_TYPES } from '../../../model/key.ts';
import { isDecimal } from '../../../model/money.ts';
import type { Timing } from '../../../model/timing.ts';
import type { AnchorCondition, UnansweredQuestion } from '../../../store/clickhouse/unanswered.ts';
import { ruleOfCompany } from '../company-rules.ts';
import { lookbackOf } from '../groups.ts';
import { allowanceTable, allowedAlways } from './allowance.ts';

/**
 * Rules that can be screened: the store says which of their anchors may be unanswered, and only these are judged. A screen errs
 * on one side: it may give out what is answered, and leaves out nothing that is not.
 */

/** What of a rule can be screened: which events ask, which answer, and when they are due. */
export interface Screen {
  readonly anchors: EventPattern;
  readonly answers: readonly string[];
  readonly ever: boolean;
  /** The timing as the rule says it at a company. */
  timingOf(rule: Expectation): Timing;
}

/** Where and when is screened. */
export interface ScreenPlace {
  /** Those to which the rule applies. */
  readonly companies: readonly string[];
  readonly companyOf: (key: string) => Company;
  /** Of all that is stored, epoch nanoseconds. */
  readonly first: bigint;
  readonly now: bigint;
}

/** The screen of a rule; undefined for one whose cases must all be judged. */
export function screenOf(rule: Expectation): Screen | undefined {
  if (rule.group || lookbackOf(rule) !== undefined) return undefined;
  if (rule.kind === 'response') return followScreen(rule);
  if (rule.kind === 'state-age' && !rule.leave.where)
    return {
      anchors: rule.enter,
      answers: rule.leave.types,
      ever: false,
      timingOf: (own) => own as RuleOf<'state-age'>,
    };
  return undefined;
}

function followScreen(rule: RuleOf<'response'>): Screen | undefined {
  const { when, expect, unless, until } = rule;
  if (typeof until === 'object' || expect.where || expect.same || expect.count !== 1) return undefined;
  const ever = expect.since === 'ever';
  // An anchor never answers itself, so that one of a type that answers is told from its answers by its time.
  if (ever && mayOverlap(when.types, expect.types)) return undefined;
  const voids = unless && !unless.where && !unless.same && unless.since === expect.since;
  const isVoiding = voids && !(ever && mayOverlap(when.types, unless.types));
  return {
    anchors: when,
    answers: isVoiding ? [...expect.types, ...unless.types] : expect.types,
    ever,
    timingOf: (own) => own as RuleOf<'response'>,
  };
}

const isGlob = (pattern: string): boolean => pattern.includes('*');

const mayOverlap = (some: readonly string[], others: readonly string[]): boolean =>
  some.some(isGlob) || others.some(isGlob) || some.some((type) => others.includes(type));

/** What the store is asked for the rule, at the place. */
export function questionOf(rule: Expectation, screen: Screen, place: ScreenPlace): UnansweredQuestion {
  const { companyOf, first, now } = place;
  const owns = place.companies.map((key) => {
    const company = companyOf(key);
    return { key, company, timing: screen.timingOf(ruleOfCompany(rule, company)) };
  });
  const nanos = new Set(owns.map(({ timing }) => allowedAlways(timing)));
  const [always] = nanos;
  const isSame = nanos.size <= 1 && (always !== undefined || owns.length === 0);
  const calendars = new Map<string, { index: number; company: Company; timing: Timing }>();
  const companies = new Map<string, number | undefined>();
  for (const { key, company, timing } of owns) {
    if (isUnsure(timing)) {
      companies.set(key, undefined);
      continue;
    }
    const { within, closing, cutoff, until, grace } = timing;
    const name = isSame
      ? ''
      : JSON.stringify([company.timezone, company.calendar, within, closing, cutoff, until, grace]);
    const known = calendars.get(name) ?? { index: calendars.size, company, timing };
    calendars.set(name, known);
    companies.set(key, known.index);
  }
  return {
    by: rule.by.filter((type) => !GROUP_KEY_TYPES.has(type)),
    across: rule.across,
    anchors: screen.anchors.types,
    conditions: conditionsOf(screen.anchors),
    answers: screen.answers,
    ever: screen.ever,
    asOf: now,
    companies,
    allowed: isSame ? (always ?? 0n) : allowanceTable([...calendars.values()], { from: first, to: now }),
    byPeriod: owns.some(({ timing }) => timing.until !== undefined),
  };
}

/** Is it due at a date that its event names? */
const isUnsure = ({ until, grace }: Timing): boolean =>
  typeof until === 'object' || (until !== undefined && grace !== undefined);

/** Those of the pattern's conditions that the store can test: leaving one out only gives out more. */
function conditionsOf({ where = {} }: EventPattern): AnchorCondition[] {
  return Object.entries(where).flatMap(([field, wanted]): AnchorCondition[] => {
    const attribute = field.startsWith('attribute.') ? field.slice('attribute.'.length) : undefined;
    if (attribute === undefined && field !== 'source') return [];
    // Numbers are equal by value, which the store does not compare.
    const isText = (values: readonly string[]): boolean => !values.some((value) => isDecimal(value));
    if (typeof wanted === 'string' || Array.isArray(wanted)) {
      const values = [wanted].flat();
      return isText(values) ? [{ attribute, must: 'one-of', values }] : [];
    }
    const found: AnchorCondition[] = [];
    if (wanted.exists !== undefined)
      found.push({ attribute, must: wanted.exists ? 'exist' : 'lack', values: [] });
    // A number that is left out here by its text is left out by its value.
    if (wanted.not !== undefined) found.push({ attribute, must: 'none-of', values: [wanted.not].flat() });
    return found;
  });
}
