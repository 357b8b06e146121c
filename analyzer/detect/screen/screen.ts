import type { Company } from '../../../model/company.ts';
import type { EventPattern } from '../../../model/event-pattern.ts';
import { type Expectation, type RuleOf, typesOf } from '../../../model/expectation.ts';
import { GROUP_KEY_TYPES, surelyJoins } from '../../../model/key.ts';
import { isDecimal } from '../../../model/money.ts';
import type { Timing } from '../../../model/timing.ts';
import { isComparable, type TotalsQuestion } from '../../../store/clickhouse/deviating.ts';
import type { FinanceEventStore } from '../../../store/clickhouse/finance-events.ts';
import type {
  AnchorCondition,
  ScreenedAnchors,
  UnansweredQuestion,
} from '../../../store/clickhouse/unanswered.ts';
import { ruleOfCompany } from '../company-rules.ts';
import { lookbackOf } from '../groups.ts';
import { lineField } from '../lines.ts';
import { allowanceTable, allowedAlways } from './allowance.ts';

/**
 * Rules that can be screened: the store says which of their anchors may not be in order, and only these are judged. A screen errs
 * on one side: it may give out what is in order, and leaves out nothing that is not.
 */

/** What of the store a screen asks. */
export type ScreenedStore = Pick<FinanceEventStore, 'unanswered' | 'deviating' | 'unequalTotals' | 'ofTypes'>;

/** Where and when is screened. */
export interface ScreenPlace {
  /** Those to which the rule applies. */
  readonly companies: readonly string[];
  readonly companyOf: (key: string) => Company;
  /** Of all that is stored, epoch nanoseconds. */
  readonly first: bigint;
  readonly now: bigint;
}

/** Screens the whole history for a rule. */
export type Screen = (events: ScreenedStore, place: ScreenPlace) => AsyncIterable<ScreenedAnchors>;

/** The screen of a rule; undefined for one whose cases must all be judged. */
export function screenOf(rule: Expectation): Screen | undefined {
  if (rule.group || lookbackOf(rule) !== undefined) return undefined;
  switch (rule.kind) {
    case 'response':
      return responseScreen(rule);
    case 'state-age':
      return stateAgeScreen(rule);
    case 'precedence':
      return precedenceScreen(rule);
    case 'no-duplicate':
      return duplicateScreen(rule);
    case 'equal-value':
      return equalValueScreen(rule);
    case 'integrity':
      return integrityScreen(rule);
    default:
      return undefined;
  }
}

/** Which events ask, which answer, and when they are due. */
interface Following {
  readonly anchors: EventPattern;
  readonly answers: readonly string[];
  readonly when: UnansweredQuestion['when'];
  /** The timing as the rule says it at a company; none: an answer is in time whenever it comes. */
  timingOf?(rule: Expectation): Timing;
}

const followScreen =
  (rule: Expectation, following: Following): Screen =>
  (events, place) =>
    events.unanswered(questionOf(rule, following, place));

function responseScreen(rule: RuleOf<'response'>): Screen | undefined {
  const { when, expect, unless, until } = rule;
  const ever = expect.since === 'ever';
  // An anchor never answers itself, so that one of a type that answers is told from its answers by its time.
  const isUnclear = ever && mayOverlap(when.types, expect.types);
  if (typeof until === 'object' || expect.where || expect.same || expect.count !== 1 || isUnclear)
    // Cases that reach across companies are not read a company at a time: all their anchors are given out.
    return rule.across ? followScreen(rule, { anchors: when, answers: [], when: 'after' }) : undefined;
  const voids = unless && !unless.where && !unless.same && unless.since === expect.since;
  const isVoiding = voids && !(ever && mayOverlap(when.types, unless.types));
  return followScreen(rule, {
    anchors: when,
    answers: isVoiding ? [...expect.types, ...unless.types] : expect.types,
    when: ever ? 'ever' : 'after',
    timingOf: (own) => own as RuleOf<'response'>,
  });
}

/** What leaves the state in time of every entry does so of every stay. */
function stateAgeScreen(rule: RuleOf<'state-age'>): Screen | undefined {
  if (rule.leave.where || typeof rule.until === 'object') return undefined;
  return followScreen(rule, {
    anchors: rule.enter,
    answers: rule.leave.types,
    when: 'after',
    timingOf: (own) => own as RuleOf<'state-age'>,
  });
}

/** What is out of the rule's scope is given out for what it lacks: of cases that must have some other event too many would be. */
function precedenceScreen(rule: RuleOf<'precedence'>): Screen | undefined {
  const { when, require: required, scope } = rule;
  if (required.where || required.same || required.after || scope?.with) return undefined;
  return followScreen(rule, { anchors: when, answers: required.types, when: 'before' });
}

/** Where one subject alone has a key nothing is repeated. */
function duplicateScreen(rule: RuleOf<'no-duplicate'>): Screen | undefined {
  const by = joiningBy(rule);
  if (rule.across || by.length === 0 || by.includes('subject')) return undefined;
  return (events, place) =>
    events.deviating({
      ...placeOf(place),
      by,
      types: rule.when.types,
      conditions: [],
      fields: ['source', 'subject'],
    });
}

/** Where all events that a key joins are alike, so are both sides, also those that are joined through others. */
function equalValueScreen(rule: RuleOf<'equal-value'>): Screen | undefined {
  const { compare, when, with: right, missing, across } = rule;
  const fields = compare.map(({ field }) => field);
  if (across || missing !== 'skip' || when.pick === 'sum' || right.pick === 'sum') return undefined;
  if (compare.some(({ field, to = field }) => field !== to || !isComparable(field))) return undefined;
  // A subject joins what has none of the keys.
  const by = [...new Set([...joiningBy(rule), 'subject'])];
  return (events, place) =>
    events.deviating({ ...placeOf(place), by, types: typesOf(rule), conditions: [], fields });
}

/** What is constant is alike in all events of a subject; what must not follow is itself looked for. */
function integrityScreen(rule: RuleOf<'integrity'>): Screen | undefined {
  const { when, constant = [], totals = [], forbid, by } = rule;
  const joined = by.length === 1 && by[0] === 'subject';
  if (rule.across || (constant.length > 0 && !joined) || !constant.every(isComparable)) return undefined;
  const sums = totals.flatMap(({ sum, equals }): Pick<TotalsQuestion, 'line' | 'equals'>[] => {
    const line = lineField(sum);
    return line !== undefined && (equals === 'amount' || equals === 'companyamount')
      ? [{ line, equals }]
      : [];
  });
  if (sums.length < totals.length) return undefined;
  return async function* (events, place) {
    const at = placeOf(place);
    if (constant.length > 0)
      yield* events.deviating({
        ...at,
        by,
        types: when.types,
        conditions: conditionsOf(when),
        fields: constant,
      });
    for (const sum of sums) yield* events.unequalTotals({ ...at, types: when.types, ...sum });
    if (forbid) yield* events.ofTypes({ ...at, types: forbid.types });
  };
}

const joiningBy = ({ by }: Expectation): string[] => by.filter((type) => !GROUP_KEY_TYPES.has(type));

const placeOf = ({ companies, now }: ScreenPlace) => ({ companies, asOf: now });

const isGlob = (pattern: string): boolean => pattern.includes('*');

const mayOverlap = (some: readonly string[], others: readonly string[]): boolean =>
  some.some(isGlob) || others.some(isGlob) || some.some((type) => others.includes(type));

/** What the store is asked for the rule, at the place. */
function questionOf(rule: Expectation, following: Following, place: ScreenPlace): UnansweredQuestion {
  const { companyOf, first, now } = place;
  const owns = place.companies.map((key) => {
    const company = companyOf(key);
    const timing = following.timingOf?.(ruleOfCompany(rule, company)) ?? ANY_TIME;
    return { key, company, timing };
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
    // What may only suggest that events belong together answers nothing.
    by: rule.by.filter(surelyJoins),
    across: rule.across,
    keyed: isKeyed(rule, following.anchors),
    anchors: following.anchors.types,
    conditions: conditionsOf(following.anchors),
    answers: following.answers,
    when: following.when,
    asOf: now,
    companies,
    allowed: isSame ? (always ?? 0n) : allowanceTable([...calendars.values()], { from: first, to: now }),
    byPeriod: owns.some(({ timing }) => timing.until !== undefined),
  };
}

/** Do anchors have one of the keys, because the pattern asks for it? */
const isKeyed = (rule: Expectation, { where = {} }: EventPattern): boolean =>
  rule.by.filter(surelyJoins).some((type) => {
    const wanted = where[`key.${type}`];
    return typeof wanted === 'string' || Array.isArray(wanted) || wanted?.exists === true;
  });

/** What is asked of what came before is not asked when. */
const ANY_TIME: Timing = { within: '0s' };

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
