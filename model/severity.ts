import { z } from 'zod';
import { absoluteAmount, compareAmounts } from './money.ts';

/** The one scale of severity, for technical and finance exceptions alike, in rising order. */
export const SEVERITIES = ['info', 'low', 'medium', 'high', 'critical'] as const;
export const severity = z.enum(SEVERITIES);
export type Severity = z.infer<typeof severity>;

export const CLOSE_IMPACTS = ['none', 'warning', 'blocker'] as const;
export const closeImpact = z.enum(CLOSE_IMPACTS);
export type CloseImpact = z.infer<typeof closeImpact>;

/** Amounts in company currency that part the bands (ISA 320/450); a company may leave them out. */
export const materiality = z.strictObject({
  overall: z.string().describe('overall materiality, decimal text in company currency'),
  performance: z.string().describe('performance materiality, 50–75 % of overall'),
  trivial: z.string().describe('clearly trivial threshold, 3–5 % of overall'),
});
export type Materiality = z.infer<typeof materiality>;

/** The severity below trivial, below performance materiality, and at or above it. */
export const severityByBand = z.tuple([severity, severity, severity]);
export type SeverityByBand = z.infer<typeof severityByBand>;

const rank = (level: Severity): number => SEVERITIES.indexOf(level);
export const highestSeverity = (levels: Iterable<Severity>): Severity =>
  [...levels].reduce<Severity>((top, level) => (rank(level) > rank(top) ? level : top), 'info');

const shift = (level: Severity, steps: number): Severity =>
  SEVERITIES[Math.max(0, Math.min(SEVERITIES.length - 1, rank(level) + steps))] as Severity;

export interface SeverityFacts {
  readonly bands: SeverityByBand;
  /** In company currency; undefined when unknown: the middle band. */
  readonly amount?: string | undefined;
  readonly materiality?: Materiality | undefined;
  readonly closeImpact: CloseImpact;
  /** Is the period of the subject closing (WD−2 until the lock)? */
  readonly closing: boolean;
  /** How many times its allowed time the obligation is overdue: 0 at the deadline. */
  readonly overdueRatio: number;
  /** Steps that have passed at which the rule raises it by one. */
  readonly raises?: number;
}

/**
 * The severity of an exception: the base of its amount's band, one up when overdue by more than three times its allowed
 * time, one up inside the close window when it blocks the close; at or above overall materiality always critical.
 */
export function severityOf(facts: SeverityFacts): Severity {
  const { amount, materiality: limits } = facts;
  let level: Severity = facts.bands[1];
  if (amount !== undefined && limits) {
    const size = absoluteAmount(amount);
    if (compareAmounts(size, limits.overall) >= 0) return 'critical';
    if (compareAmounts(size, limits.performance) >= 0) level = facts.bands[2];
    else if (compareAmounts(size, limits.trivial) < 0) level = facts.bands[0];
  }
  if (facts.overdueRatio > 3) level = shift(level, 1);
  if (facts.raises) level = shift(level, facts.raises);
  if (facts.closing && facts.closeImpact === 'blocker') level = shift(level, 1);
  return level;
}
