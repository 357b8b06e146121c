import jStat from 'jstat';

/** The share of counts at most `count` of a negative binomial with the mean and the dispersion k (variance = mean + mean²/k). */
export function countTail(count: number, mean: number, dispersion: number): number {
  if (count < 0) return 0;
  const share = jStat.ibeta(dispersion / (dispersion + mean), dispersion, Math.floor(count) + 1);
  return share === false ? 1 : share;
}

/** The share of outcomes with at most `successes` of `trials` when each succeeds with the probability. */
export function binomialTail(successes: number, trials: number, probability: number): number {
  if (successes >= trials) return 1;
  if (successes < 0) return 0;
  const share = jStat.ibeta(1 - probability, trials - successes, successes + 1);
  return share === false ? 1 : share;
}

/** The share of values further from the middle than `z` deviations that were estimated from `n` values (Student's t, both sides). */
export const studentTail = (z: number, n: number): number =>
  Math.min(1, 2 * jStat.studentt.cdf(-Math.abs(z), Math.max(1, n - 1)));
