import type { CaseEvent } from '../detect/case-event.ts';

/** A follow-up that nearly always comes: after the first A of a case a B. */
export interface Discovered {
  readonly after: string;
  readonly comes: string;
  /** Cases with A, and the share of them in which B came later. */
  readonly support: number;
  readonly confidence: number;
  /** Days from A to B: median, 95th and 99th percentile. */
  readonly days: { readonly p50: number; readonly p95: number; readonly p99: number };
  /** The deadline that the 99th percentile proposes. */
  readonly within: string;
}

interface Pair {
  count: number;
  taken: number[];
}

const DAY = 86_400_000_000_000;
/** Types that a case may have; what has more is a log of everything. */
const MOST_TYPES = 60;

/** Gathers, case by case, which types follow which (response constraints of Declare, with their temporal profile). */
export class Discovery {
  readonly #cases = new Map<string, number>();
  readonly #pairs = new Map<string, Pair>();

  /** Takes in the events of a case, in event order. */
  add(events: readonly CaseEvent[]): void {
    const first = new Map<string, CaseEvent>();
    for (const event of events) if (!first.has(event.type)) first.set(event.type, event);
    if (first.size > MOST_TYPES) return;
    for (const [after, start] of first) {
      this.#cases.set(after, (this.#cases.get(after) ?? 0) + 1);
      const followed = new Set<string>();
      const from = events.indexOf(start);
      for (let at = from + 1; at < events.length; at += 1) {
        const event = events[at] as CaseEvent;
        if (event.type === after || followed.has(event.type)) continue;
        followed.add(event.type);
        const key = `${after}\n${event.type}`;
        const pair = this.#pairs.get(key) ?? { count: 0, taken: [] };
        pair.count += 1;
        pair.taken.push(Number(event.at - start.at) / DAY);
        this.#pairs.set(key, pair);
      }
    }
  }

  /**
   * The follow-ups with at least so many cases and so high a share, the surest first. One that others explain (A then B then
   * C) is left out: the steps say it better.
   */
  result({ support, confidence }: { support: number; confidence: number }): Discovered[] {
    const sure = new Map<string, Discovered>();
    for (const [key, { count, taken }] of this.#pairs) {
      const [after = '', comes = ''] = key.split('\n');
      const cases = this.#cases.get(after) ?? 0;
      if (cases < support || count / cases < confidence) continue;
      taken.sort((a, b) => a - b);
      const at = (share: number): number =>
        taken[Math.min(taken.length - 1, Math.ceil(share * taken.length) - 1)] as number;
      const days = { p50: round(at(0.5)), p95: round(at(0.95)), p99: round(at(0.99)) };
      sure.set(key, {
        after,
        comes,
        support: cases,
        confidence: round(count / cases),
        days,
        within: deadlineOf(at(0.99)),
      });
    }
    const isBetween = ({ after, comes, days }: Discovered): boolean =>
      [...sure.values()].some(
        (one) =>
          one.after === after &&
          one.comes !== comes &&
          one.days.p50 <= days.p50 &&
          sure.has(`${one.comes}\n${comes}`) &&
          !sure.has(`${comes}\n${one.comes}`),
      );
    return [...sure.values()]
      .filter((one) => !isBetween(one))
      .sort((a, b) => b.confidence - a.confidence || b.support - a.support || (a.after < b.after ? -1 : 1));
  }
}

const round = (value: number): number => Number(value.toFixed(4));

/** Rounded up to whole minutes, hours or days. */
function deadlineOf(days: number): string {
  const minutes = Math.max(1, Math.ceil(days * 1440));
  if (minutes < 120) return `${minutes}m`;
  return minutes < 2880 ? `${Math.ceil(minutes / 60)}h` : `${Math.ceil(minutes / 1440)}d`;
}
