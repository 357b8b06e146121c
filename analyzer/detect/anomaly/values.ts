import { fieldOf } from '../../../model/event-field.ts';
import { eventMatcher } from '../../../model/event-pattern.ts';
import type { RuleOf } from '../../../model/expectation.ts';
import type { Obligation, ObligationState } from '../../../model/obligation.ts';
import { formatInstant } from '../../../model/time.ts';
import type { CaseEvent } from '../case-event.ts';
import { type EvaluationContext, obligationOf } from '../evaluator.ts';
import { distance } from '../following.ts';
import { groupName, lookbackOf } from '../groups.ts';
import { starter } from '../scope.ts';
import { medianOf } from './running.ts';
import { studentTail } from './tails.ts';

type Rule = RuleOf<'anomaly'>;

/** A number that an event gives, on the scale on which it is compared. */
interface Sample {
  readonly event: CaseEvent;
  readonly x: number;
  readonly other?: CaseEvent | undefined;
}

/** Earlier values that a baseline takes at most: the latest. */
const BASELINE = 500;
/** Median absolute deviation to standard deviation of a normal distribution. */
const SIGMA = 1.4826;
/** Spreads are never taken as less: on the log scale 5 % of an amount and 10 % of a delay, of a ratio 2 %. */
const FLOORS = { value: 0.05, ratio: 0.02, delay: 0.1 } as const;

/**
 * Judges each number by those of its group before it: robust z (median and median absolute deviation, Iglewicz and Hoaglin
 * 1993) of amounts and delays on a log scale and of ratios as they are, against Student's t with as many degrees as the baseline
 * allows. One obligation for each number that is judged; nothing is said of the first ones.
 */
export function values(
  rule: Rule & { readonly measure: 'value' | 'ratio' | 'delay' },
  events: readonly CaseEvent[],
  context: EvaluationContext,
): Obligation[] {
  const mayStart = starter(rule, events, context);
  const lookback = lookbackOf(rule);
  const samples = samplesOf(rule, events);
  const found: Obligation[] = [];
  let from = 0;
  samples.forEach((sample, index) => {
    const { event, x } = sample;
    while (lookback !== undefined && distance((samples[from] as Sample).event, event) > lookback) from += 1;
    if (context.wanted?.(event.at) === false) return;
    const earlier = samples.slice(Math.max(from, index - BASELINE), index).map((one) => one.x);
    if (earlier.length < rule.least || !mayStart(event)) return;
    const middle = medianOf(earlier);
    const deviation = SIGMA * medianOf(earlier.map((one) => Math.abs(one - middle)));
    const floor = rule.measure === 'ratio' ? FLOORS.ratio * Math.abs(middle) : FLOORS[rule.measure];
    const spread = Math.max(deviation, floor, Number.MIN_VALUE) * Math.sqrt(1 + 1 / earlier.length);
    const z = (x - middle) / spread;
    const share = studentTail(z, earlier.length);
    const isFar = share < rule.false && (z > 0 ? rule.excess : rule.shortfall);
    const state: ObligationState = isFar ? 'open' : 'satisfied';
    const reach = spread * 4;
    const why = (): string =>
      `${label(rule, event)} ${said(rule, x)} is ${isFar ? 'unusual' : 'usual'}: ${said(rule, middle - reach)} to ${said(rule, middle + reach)} is usual, ${said(rule, middle)} in the middle, of ${earlier.length} earlier ones (score ${z.toFixed(1)}, ${share.toExponential(1)} of usual ones lie further out)`;
    found.push(
      obligationOf(
        rule,
        {
          anchor: event,
          occurrence: event.id,
          state,
          dueAt: event.at,
          events: sample.other ? [event, sample.other] : [event],
          why,
        },
        context,
        [event],
      ),
    );
  });
  return found;
}

const label = (rule: Rule, event: CaseEvent): string => {
  const of = rule.group && rule.group.length > 0 ? ` of ${groupName(rule, event)}` : '';
  if (rule.measure === 'delay') return `the time to ${event.type}${of} at ${formatInstant(event.at)},`;
  return `${rule.field}${rule.measure === 'ratio' ? ` / ${rule.to}` : ''} of ${event.type}${of} at ${formatInstant(event.at)},`;
};

/** A number on the scale of comparison, as people read it. */
function said({ measure }: Rule, x: number): string {
  if (measure === 'ratio') return `${Number(x.toPrecision(4))}`;
  const value = Math.exp(x) - (measure === 'delay' ? 1 : 0);
  return measure === 'delay' ? `${Math.max(0, Math.round(value))} s` : `${Number(value.toPrecision(6))}`;
}

function samplesOf(rule: Rule, events: readonly CaseEvent[]): Sample[] {
  const matches = eventMatcher(rule.when);
  if (rule.measure === 'delay') return delaysOf(rule, events);
  return events.flatMap((event) => {
    if (!matches(event)) return [];
    const value = numberOf(event, rule.field);
    if (value === undefined) return [];
    if (rule.measure === 'value') return value === 0 ? [] : [{ event, x: Math.log(Math.abs(value)) }];
    const other = numberOf(event, rule.to);
    return other === undefined || other === 0 ? [] : [{ event, x: value / other }];
  });
}

/** Times from the last event of `from` with the same `field` (the subject unless given). */
function delaysOf(rule: Rule, events: readonly CaseEvent[]): Sample[] {
  const [ends, starts] = [eventMatcher(rule.when), rule.from ? eventMatcher(rule.from) : undefined];
  const pairOf = (event: CaseEvent): string | undefined =>
    rule.field ? fieldOf(event, rule.field) : event.subject;
  const started = new Map<string, CaseEvent>();
  return events.flatMap((event) => {
    const pair = pairOf(event);
    if (pair === undefined) return [];
    const other = started.get(pair);
    const isEnd = ends(event) && other !== undefined;
    if (starts?.(event)) started.set(pair, event);
    if (!isEnd) return [];
    started.delete(pair);
    const seconds = Number(event.at - other.at) / 1e9;
    return [{ event, other, x: Math.log(1 + Math.max(0, seconds)) }];
  });
}

function numberOf(event: CaseEvent, field: string | undefined): number | undefined {
  const text = field === undefined ? undefined : fieldOf(event, field);
  if (text === undefined || !/^[+-]?\d/.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
