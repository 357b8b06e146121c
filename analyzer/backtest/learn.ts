import { addDuration } from '../../model/business-time.ts';
import type { Company } from '../../model/company.ts';
import { type Duration, parseDuration } from '../../model/duration.ts';
import type { Expectation } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';

/** What the history of a rule in a company says of its deadline. Durations are in the rule's own unit of time. */
export interface Learned {
  readonly rule: string;
  readonly company: string;
  /** The deadline as it is. */
  readonly within: string;
  /** Obligations that were answered, and all that were due. */
  readonly answered: number;
  readonly due: number;
  readonly p50: string;
  readonly p95: string;
  readonly p99: string;
  /** The deadline that the 95th percentile proposes, and the alerts a day that it would have made; those of the present one beside it. */
  readonly proposed: string;
  readonly alertsADay: number;
  readonly alertsADayNow: number;
}

/** Answers below which nothing is proposed. */
const LEAST = 30;
const DAY = 86_400_000_000_000n;

/** Gathers how long answers took, by rule and company. */
export class Learning {
  readonly #seen = new Map<
    string,
    {
      rule: Expectation;
      company: Company;
      within: Duration;
      taken: number[];
      due: number;
      first: bigint;
      last: bigint;
    }
  >();

  /** Takes in an obligation of a rule that has a deadline in time; those that nothing can be learned from are left out. */
  add(rule: Expectation, company: Company, obligation: Obligation): void {
    const within = 'within' in rule && rule.within !== undefined ? parseDuration(rule.within) : undefined;
    if (!within || (rule.kind !== 'response' && rule.kind !== 'state-age')) return;
    const { state, anchorAt, answeredAt } = obligation;
    if (state !== 'satisfied' && state !== 'late' && state !== 'open') return;
    const key = `${rule.id}\n${company.key}`;
    const known = this.#seen.get(key) ?? {
      rule,
      company,
      within,
      taken: [],
      due: 0,
      first: anchorAt,
      last: anchorAt,
    };
    this.#seen.set(key, known);
    known.due += 1;
    if (anchorAt < known.first) known.first = anchorAt;
    if (anchorAt > known.last) known.last = anchorAt;
    if (answeredAt !== undefined) known.taken.push(unitsBetween(anchorAt, answeredAt, within, company));
  }

  /** By rule and company, what was learned; those with fewer than 30 answers are left out. */
  result(): Learned[] {
    return [...this.#seen.values()].flatMap(({ rule, company, within, taken, due, first, last }) => {
      if (taken.length < LEAST) return [];
      taken.sort((a, b) => a - b);
      const [unit, now] = unitOf(within);
      const at = (share: number): number =>
        taken[Math.min(taken.length - 1, Math.ceil(share * taken.length) - 1)] as number;
      const proposed = Math.max(1, Math.ceil(at(0.95)));
      const days = Math.max(1, Number((last - first) / DAY));
      const beyond = (limit: number): number =>
        Math.round(((taken.filter((one) => one > limit).length + due - taken.length) / days) * 1000) / 1000;
      return [
        {
          rule: rule.id,
          company: company.key,
          within: within.text,
          answered: taken.length,
          due,
          p50: text(at(0.5), unit),
          p95: text(at(0.95), unit),
          p99: text(at(0.99), unit),
          proposed: `${proposed}${unit}`,
          alertsADay: beyond(proposed),
          alertsADayNow: beyond(now),
        },
      ];
    });
  }
}

const text = (value: number, unit: string): string => `${Number(value.toFixed(2))}${unit}`;

/** The unit in which a deadline counts, and how many of it. */
function unitOf(duration: Duration): [unit: string, count: number] {
  const [, count = '1', unit = 'd'] = /^(\d+)(\w+)$/.exec(duration.text) ?? [];
  return [unit, Number(count)];
}

const NANOS: Record<string, number> = { s: 1e9, m: 60e9, h: 3600e9, d: 86_400e9, w: 604_800e9 };

/** How much of the duration's unit passed from one instant to the other; of business time the least that covers it. */
function unitsBetween(from: bigint, to: bigint, duration: Duration, company: Company): number {
  if (to <= from) return 0;
  const [unit] = unitOf(duration);
  const nanos = NANOS[unit];
  if (nanos !== undefined) return Number(to - from) / nanos;
  let [low, high] = [0, 1];
  const covers = (count: number): boolean =>
    addDuration(from, parseDuration(`${count}${unit}`) as Duration, company) >= to;
  while (!covers(high) && high < 4000) high *= 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (covers(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
