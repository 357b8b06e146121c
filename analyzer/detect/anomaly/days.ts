import { addDuration } from '../../../model/business-time.ts';
import type { Company } from '../../../model/company.ts';
import { parseDuration } from '../../../model/duration.ts';
import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { dateOfDayNumber } from '../../../model/zone.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, obligationOf } from '../evaluator.ts';
import { groupName, lookbackOf } from '../groups.ts';
import { scopeTest } from '../scope.ts';
import { DAYS_ALIKE, type DayType, dayTypeOf, LIKENESSES, localDay, startOfDay } from './day-types.ts';
import { binomialTail, countTail } from './tails.ts';

type Rule = RuleOf<'anomaly'>;

const DAY = 86_400_000_000_000n;

/** What a day had, and what came of judging it. */
interface Day {
  readonly day: number;
  readonly type: DayType;
  /** Events of the day; for a completeness those that were to be followed, and how many were. */
  readonly total: number;
  readonly answered: number;
  readonly events: readonly CaseEvent[];
}

interface Finding {
  readonly day: Day;
  readonly direction: 'too few' | 'too many';
  readonly why: string;
}

/** Days without any event after which a stream is taken to have ended: the anomaly that this is stands, and no more days are judged. */
const SILENT_DAYS = 60;
/** Days alike that a baseline needs before it is as fine. */
const LEAST_ALIKE = 5;
/** A slow shortfall is told when the sum of standardised shortfalls, less this slack a day, reaches the limit (Page 1954). */
const SLACK = 0.5;
const LIMIT = 6;

/**
 * Judges days: the number of events against a negative binomial whose mean is that of earlier days alike (weekday, turn of the
 * month, holiday) and whose dispersion is that of all days; or the share of events that were followed against a binomial
 * with the share of earlier days. A shortfall too small for one day is found by its sum over days. Days in a row are one
 * anomaly, from its onset to the first day that is usual again. The day judged is never in its own baseline, nor are
 * days that were found unusual.
 */
export function days(
  rule: Rule & { readonly measure: 'count' | 'completeness' },
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] {
  const all = daysOf(rule, events, context);
  const last = all.at(-1);
  if (!last) return [];
  const findings = new Map<number, Finding>();
  const usual: Day[] = [];
  let [slow, run]: [number, Day[]] = [0, []];
  const reach = Number((lookbackOf(rule) ?? 0n) / DAY) || Number.POSITIVE_INFINITY;
  for (const day of all.slice(0, -1)) {
    while (usual[0] && day.day - usual[0].day > reach) usual.shift();
    if (usual.length < rule.least) {
      usual.push(day);
      continue;
    }
    const judged = rule.measure === 'count' ? judgeCount(rule, day, usual) : judgeShare(rule, day, usual);
    if (judged.finding) findings.set(day.day, judged.finding);
    slow = Math.max(0, slow - judged.z - SLACK);
    run = slow === 0 ? [] : [...run, day];
    if (!judged.finding && rule.shortfall && slow > LIMIT) {
      const why = `over ${run.length} days ${what(rule)} fell short of what is usual, by ${slow.toFixed(1)} deviations in sum`;
      findings.set(day.day, { day, direction: 'too few', why });
      slow = 0;
      run = [];
    }
    if (!findings.has(day.day)) usual.push(day);
  }
  return [...episodes(rule, all.slice(0, -1), findings, events, context), next(rule, last, events, context)];
}

const what = (rule: Rule): string =>
  rule.measure === 'count'
    ? `the number of ${rule.when.types.join(' or ')}`
    : `the share that ${rule.when.types.join(' or ')} followed`;

/** The days from the first event to the instant; the last one is not over, or cannot be judged yet. */
function daysOf(rule: Rule, events: readonly CaseEvent[], context: EvaluationContext): Day[] {
  const { company } = context;
  const [ends, starts] = [eventMatcher(rule.when), rule.from ? eventMatcher(rule.from) : undefined];
  const isInScope = scopeTest(rule, events, company);
  const counted = events.filter((event) => (starts ?? ends)(event) && isInScope(event));
  const first = counted[0];
  if (!first) return [];
  const answers = starts ? answeredIn(rule, events) : undefined;
  const byDay = Map.groupBy(counted, ({ at }) => localDay(at, company));
  const days: Day[] = [];
  const today = localDay(context.at, company);
  const end = localDay((counted.at(-1) as CaseEvent).at, company) + SILENT_DAYS;
  for (let day = localDay(first.at, company); day <= today && day <= end; day += 1) {
    const some = byDay.get(day) ?? [];
    const answered = answers ? some.filter((event) => answers.has(event)).length : 0;
    days.push({ day, type: dayTypeOf(day, company), total: some.length, answered, events: some });
    if (dueOf(rule, day, context) > context.at) break;
  }
  return days;
}

/** The events of `from` that one of `when` with the same field (the subject unless given) follows in time. */
function answeredIn(rule: Rule, events: readonly CaseEvent[]): Set<CaseEvent> {
  const [ends, starts] = [eventMatcher(rule.when), rule.from ? eventMatcher(rule.from) : undefined];
  const pairOf = (event: CaseEvent): string | undefined =>
    rule.field ? fieldOf(event, rule.field) : event.subject;
  const allowed = rule.within === undefined ? undefined : parseDuration(rule.within);
  const nanos = allowed?.clock === 'elapsed' ? allowed.nanos : undefined;
  const waiting = new Map<string, CaseEvent[]>();
  const answered = new Set<CaseEvent>();
  for (const event of events) {
    const pair = pairOf(event);
    if (pair === undefined) continue;
    if (ends(event)) {
      for (const one of waiting.get(pair) ?? [])
        if (nanos === undefined || event.at - one.at <= nanos) answered.add(one);
      waiting.delete(pair);
    }
    if (starts?.(event)) waiting.set(pair, [...(waiting.get(pair) ?? []), event]);
  }
  return answered;
}

/** When a day can be judged: at its end, and when what follows has had its time. */
function dueOf(rule: Rule, day: number, { company }: EvaluationContext): bigint {
  const end = startOfDay(day + 1, company);
  const allowed = rule.measure === 'completeness' && rule.within ? parseDuration(rule.within) : undefined;
  return allowed ? addDuration(end, allowed, company) : end;
}

/**
 * Does an event dated `at` change only what is not judged yet? A day is judged when it is over, and for what was to follow
 * it when that had its time.
 */
export function isOfToday(rule: RuleOf<'anomaly'>, at: bigint, now: bigint, company: Company): boolean {
  if (rule.measure !== 'count' && rule.measure !== 'completeness') return false;
  const allowed = rule.within === undefined ? undefined : parseDuration(rule.within);
  const start = startOfDay(localDay(now, company), company);
  return at >= (allowed && rule.measure === 'completeness' ? addDuration(start, allowed, company) : start);
}

/** The earlier days that are most alike, as fine as there are enough of. */
function alike(day: Day, usual: readonly Day[]): readonly Day[] {
  for (const isAlike of LIKENESSES) {
    const found = usual.filter(({ type }) => isAlike(type, day.type));
    if (found.length >= LEAST_ALIKE) return found;
  }
  return [];
}

const meanOf = (days: readonly Day[]): number =>
  days.reduce((sum, { total }) => sum + total, 0) / Math.max(1, days.length);

/** The dispersion k of all days together, each about the mean of those alike (method of moments). */
function dispersionOf(usual: readonly Day[]): number {
  let [squares, excess] = [0, 0];
  const [sums, counts] = [new Float64Array(DAYS_ALIKE), new Float64Array(DAYS_ALIKE)];
  for (const { type, total } of usual) {
    sums[type.alike] = (sums[type.alike] ?? 0) + total;
    counts[type.alike] = (counts[type.alike] ?? 0) + 1;
  }
  for (const { type, total } of usual) {
    const [sum = 0, count = 0] = [sums[type.alike], counts[type.alike]];
    if (count < 2) continue;
    const mean = sum / count;
    squares += mean * mean;
    excess += ((total - mean) ** 2 * count) / (count - 1) - mean;
  }
  return excess <= 0 ? 1000 : Math.min(1000, Math.max(0.5, squares / excess));
}

interface Judged {
  readonly finding: Finding | undefined;
  /** How many deviations the day lies above what was expected. */
  readonly z: number;
}

function judgeCount(rule: Rule, day: Day, usual: readonly Day[]): Judged {
  const base = alike(day, usual);
  if (base.length === 0) return { finding: undefined, z: 0 };
  const mean = Math.max(meanOf(base), 0.1);
  const own = dispersionOf(usual);
  // The mean is known from so many days alone.
  const k = 1 / (1 / own + (1 / mean + 1 / own) / base.length);
  const deviation = Math.sqrt(mean + (mean * mean) / k);
  const z = (day.total - mean) / deviation;
  const [few, many] = [countTail(day.total, mean, k), 1 - countTail(day.total - 1, mean, k)];
  const share = Math.min(few, many);
  const isFew = few < many;
  if (share >= rule.false / 2 || (isFew ? !rule.shortfall : !rule.excess)) return { finding: undefined, z };
  const direction = isFew ? 'too few' : 'too many';
  const why = `${day.total} of ${rule.when.types.join(' or ')} on ${dateOfDayNumber(day.day)} are ${direction}: ${interval(mean, k, rule.false)} are usual, ${mean.toFixed(1)} expected, of ${base.length} such days (score ${z.toFixed(1)}, ${share.toExponential(1)} of usual days have as ${isFew ? 'few' : 'many'})`;
  return { finding: { day, direction, why }, z };
}

/** The counts between which a usual day lies. */
function interval(mean: number, k: number, share: number): string {
  let low = 0;
  while (countTail(low, mean, k) < share / 2) low += 1;
  let high = Math.ceil(mean);
  while (1 - countTail(high, mean, k) >= share / 2) high += 1;
  return `${low} to ${high}`;
}

function judgeShare(rule: Rule, day: Day, usual: readonly Day[]): Judged {
  const [answered, total] = usual.reduce(([a, t], one) => [a + one.answered, t + one.total], [0, 0]);
  if (day.total === 0 || total === 0) return { finding: undefined, z: 0 };
  const share = (answered + 1) / (total + 2);
  const few = binomialTail(day.answered, day.total, share);
  const z = (day.answered - day.total * share) / Math.sqrt(Math.max(0.25, day.total * share * (1 - share)));
  if (few >= rule.false || !rule.shortfall) return { finding: undefined, z };
  const why = `${rule.when.types.join(' or ')} followed ${day.answered} of the ${day.total} of ${dateOfDayNumber(day.day)}: ${(share * 100).toFixed(1)} % is usual, of ${total} before (score ${z.toFixed(1)}, ${few.toExponential(1)} of usual days have as few)`;
  return { finding: { day, direction: 'too few', why }, z };
}

/** Findings of days in a row are one obligation, which ends with the first worked day that is usual again. */
function episodes(
  rule: Rule,
  all: readonly Day[],
  findings: ReadonlyMap<number, Finding>,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] {
  const found: Obligation[] = [];
  let open: { onset: Finding; count: number } | undefined;
  const close = (ended: Day | undefined): void => {
    if (open) found.push(...episode(rule, open.onset, open.count, ended, events, context));
    open = undefined;
  };
  for (const day of all) {
    const finding = findings.get(day.day);
    if (finding && (!open || open.onset.direction === finding.direction))
      open = { onset: open?.onset ?? finding, count: (open?.count ?? 0) + 1 };
    else if (finding) {
      close(day);
      open = { onset: finding, count: 1 };
    } else if (open && day.type.isWorked) close(day);
  }
  close(undefined);
  return found;
}

function episode(
  rule: Rule,
  { day, why }: Finding,
  count: number,
  ended: Day | undefined,
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] {
  const dueAt = dueOf(rule, day.day, context);
  const anchor = day.events[0] ?? lastBefore(rule, events, dueAt);
  if (!anchor || (context.live && anchor.history && day.events.every(({ history }) => history))) return [];
  const complete = context.complete(anchor.source);
  const isTold =
    rule.measure === 'count' || (complete.watermark !== undefined && complete.watermark >= dueAt);
  const state: ObligationState = ended ? 'late' : isTold ? 'open' : 'indeterminate';
  return [
    obligationOf(
      rule,
      {
        anchor,
        about: groupName(rule, anchor),
        occurrence: dateOfDayNumber(day.day),
        state,
        dueAt,
        answeredAt: ended && startOfDay(ended.day, context.company),
        events: [anchor, ...day.events.slice(1, 10)],
        why: () =>
          `${why}${count > 1 ? `, and ${count - 1} more days` : ''}${ended ? `; usual again on ${dateOfDayNumber(ended.day)}` : ''}`,
        watermark: complete.watermark,
      },
      context,
      [anchor],
    ),
  ];
}

/** What is still to be judged: so that a day on which nothing happens is judged too. */
function next(rule: Rule, day: Day, events: readonly CaseEvent[], context: EvaluationContext): Obligation {
  const dueAt = dueOf(rule, day.day, context);
  const anchor = lastBefore(rule, events, dueAt) as CaseEvent;
  const why = () => `${what(rule)} on ${dateOfDayNumber(day.day)} is judged when the day is over`;
  const outcome = {
    anchor,
    about: groupName(rule, anchor),
    occurrence: 'next',
    state: 'pending' as ObligationState,
    dueAt,
    events: [anchor],
    why,
  };
  return obligationOf(rule, outcome, context, [anchor]);
}

function lastBefore(rule: Rule, events: readonly CaseEvent[], at: bigint): CaseEvent | undefined {
  const counts = eventMatcher(rule.from ?? rule.when);
  return events.findLast((event) => event.at <= at && counts(event));
}
