import type { Company } from '../../model/company.ts';
import type { Expectation } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';
import { isClosing, periodOf } from '../../model/period.ts';
import { type Severity, severityOf } from '../../model/severity.ts';

/**
 * The severity of an unmet obligation at `now` (epoch nanoseconds): by its amount in company currency (unknown when it is
 * in another and the event does not tell), how long it is overdue, and whether its period is closing. The period is the
 * event's own, else the month in which it happened.
 */
export function obligationSeverity(
  rule: Pick<Expectation, 'severity' | 'closeImpact'>,
  obligation: Obligation,
  company: Company,
  now: bigint,
): Severity {
  const allowed = obligation.dueAt - obligation.anchorAt;
  const raises = (obligation.raisesAt ?? []).filter((at) => at <= now).length;
  const overdue = now - obligation.dueAt;
  const inOwnCurrency = obligation.currency === company.currency ? obligation.amount : undefined;
  return severityOf({
    bands: rule.severity,
    amount: obligation.companyAmount ?? inOwnCurrency,
    materiality: company.materiality,
    closeImpact: rule.closeImpact,
    closing: isClosing(obligation.period ?? periodOf(obligation.anchorAt, company), company, now),
    // More than three times the allowed time counts, exactly three times does not.
    raises,
    overdueRatio: allowed > 0n ? (overdue > 3n * allowed ? 4 : Number(overdue) / Number(allowed)) : 0,
  });
}

/** The next instant after `now` at which an unanswered obligation is to be judged again though nothing new came; null: none. */
export function revisitAt(
  {
    anchorAt,
    dueAt,
    raisesAt = [],
    againAt,
  }: Pick<Obligation, 'anchorAt' | 'dueAt' | 'raisesAt' | 'againAt'>,
  now: bigint,
): bigint | null {
  const overdue = dueAt > anchorAt ? [dueAt + 3n * (dueAt - anchorAt) + 1n] : [];
  const next = [...overdue, ...raisesAt, ...(againAt === undefined ? [] : [againAt])].filter(
    (at) => at > now,
  );
  if (next.length === 0) return null;
  const least = next.reduce((a, b) => (a < b ? a : b));
  return least > LAST ? LAST : least;
}

/** The last instant of 64 bits. */
const LAST = 9_223_372_036_854_775_807n;
