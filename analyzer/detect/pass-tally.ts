import type { ObligationState } from '../../model/obligation.ts';
import type { Recorded } from './record.ts';

export interface RuleTally {
  readonly rule: string;
  readonly judged: number;
  readonly opened: number;
  readonly closed: number;
  /** Anchors, or keys, that were found in order by a screen and not judged one by one. */
  readonly screened?: number;
}

/** What a pass has done so far. */
export class PassTally {
  events = 0;
  readonly #rules = new Map<string, RuleTally>();
  readonly states: Partial<Record<ObligationState, number>> = {};

  /** Counts what was recorded of a rule; of none in particular: ''. */
  add(rule: string, { judged, opened, closed, became = [] }: Recorded): void {
    for (const state of became) this.states[state] = (this.states[state] ?? 0) + 1;
    const sum = this.#rules.get(rule) ?? { rule, judged: 0, opened: 0, closed: 0 };
    this.#rules.set(rule, {
      ...sum,
      judged: sum.judged + judged,
      opened: sum.opened + opened,
      closed: sum.closed + closed,
    });
  }

  /** Counts what a screen found in order. */
  screened(rule: string, found: number): void {
    const sum = this.#rules.get(rule) ?? { rule, judged: 0, opened: 0, closed: 0 };
    this.#rules.set(rule, { ...sum, screened: (sum.screened ?? 0) + found });
  }

  rules(): RuleTally[] {
    return [...this.#rules.values()];
  }

  total(): { judged: number; opened: number; closed: number } {
    const total = { judged: 0, opened: 0, closed: 0 };
    for (const { judged, opened, closed } of this.#rules.values()) {
      total.judged += judged;
      total.opened += opened;
      total.closed += closed;
    }
    return total;
  }
}
