import type { Obligation } from '../../model/obligation.ts';

/** How long obligations of a rule in a company wait for their answer: the share that still waits after a time (Kaplan and Meier 1958). */
export class Survival {
  readonly #times: { nanos: number; isAnswer: boolean }[] = [];
  #curve: { nanos: number; share: number }[] | undefined;

  get count(): number {
    return this.#times.length;
  }

  /** Takes in an obligation as it stood at the instant (epoch nanoseconds): answered, or waiting so far. Voided ones tell nothing. */
  add(
    { state, anchorAt, answeredAt }: Pick<Obligation, 'state' | 'anchorAt' | 'answeredAt'>,
    at: bigint,
  ): void {
    if (state === 'voided' || state === 'waived') return;
    const end = answeredAt ?? at;
    this.#times.push({ nanos: Math.max(0, Number(end - anchorAt)), isAnswer: answeredAt !== undefined });
    this.#curve = undefined;
  }

  /** The share that still waits after so many nanoseconds. */
  waiting(nanos: number): number {
    const curve = this.#curve ?? this.#estimate();
    let [low, high] = [0, curve.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((curve[middle] as { nanos: number }).nanos <= nanos) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 1 : (curve[low - 1] as { share: number }).share;
  }

  /**
   * The chance that what has waited for `age` is not answered by `allowed`, both nanoseconds; 1 when nothing that waited as long
   * was ever answered in time.
   */
  risk(age: number, allowed: number): number {
    if (age >= allowed) return 1;
    const still = this.waiting(age);
    return still === 0 ? 1 : Math.min(1, this.waiting(allowed) / still);
  }

  #estimate(): { nanos: number; share: number }[] {
    const sorted = [...this.#times].sort(
      (a, b) => a.nanos - b.nanos || Number(b.isAnswer) - Number(a.isAnswer),
    );
    const curve: { nanos: number; share: number }[] = [];
    let share = 1;
    sorted.forEach(({ nanos, isAnswer }, index) => {
      if (!isAnswer) return;
      share *= 1 - 1 / (sorted.length - index);
      const last = curve.at(-1);
      if (last?.nanos === nanos) curve[curve.length - 1] = { nanos, share };
      else curve.push({ nanos, share });
    });
    this.#curve = curve;
    return curve;
  }
}

/** How well risks told breaches from the rest: the area under the ROC curve, and the mean squared error (Brier). */
export function measureRisks(said: readonly { readonly risk: number; readonly breached: boolean }[]): {
  readonly count: number;
  readonly breaches: number;
  readonly auc: number | null;
  readonly brier: number | null;
} {
  const breaches = said.filter(({ breached }) => breached).length;
  const count = said.length;
  if (count === 0) return { count, breaches, auc: null, brier: null };
  const brier = said.reduce((sum, { risk, breached }) => sum + (risk - Number(breached)) ** 2, 0) / count;
  if (breaches === 0 || breaches === count) return { count, breaches, auc: null, brier };
  const sorted = [...said].sort((a, b) => a.risk - b.risk);
  let [rankSum, at] = [0, 0];
  while (at < sorted.length) {
    let end = at;
    while (end < sorted.length && sorted[end]?.risk === sorted[at]?.risk) end += 1;
    const rank = (at + 1 + end) / 2;
    for (; at < end; at += 1) if (sorted[at]?.breached) rankSum += rank;
  }
  const auc = (rankSum - (breaches * (breaches + 1)) / 2) / (breaches * (count - breaches));
  return { count, breaches, auc, brier };
}
