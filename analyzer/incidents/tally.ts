import { z } from 'zod';
import type { Company } from '../../model/company.ts';
import { type ExceptionState, exceptionState, isOpenException } from '../../model/exception.ts';
import { absoluteAmount, compareAmounts, sumAmounts } from '../../model/money.ts';
import {
  highestSeverity,
  type Materiality,
  SEVERITIES,
  type Severity,
  severity,
} from '../../model/severity.ts';

/** What an incident counts of an exception: the parts of the column `exceptions.facts`. */
export interface Facts {
  readonly state: ExceptionState;
  readonly severity: Severity;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
}

/** Reads `state|severity|amount|currency|reopened`. */
export function parseFacts(text: string): Facts {
  const [state, level, amount, currency] = text.split('|');
  return {
    state: exceptionState.parse(state),
    severity: severity.parse(level),
    amount: amount || undefined,
    currency: currency || undefined,
  };
}

const money = z.strictObject({ all: z.string(), open: z.string(), gross: z.string(), largest: z.string() });
const tallySchema = z.strictObject({
  count: z.int(),
  open: z.int(),
  severities: z.partialRecord(severity, z.int()),
  money: z.record(z.string(), money),
});

/**
 * An incident's exceptions counted: all and open ones, by severity, and by currency the net sum of all, of the open ones,
 * the sum of absolute amounts and the largest single one ever counted. It is kept by differences, so that a change costs
 * the same in an incident of two and of two hundred thousand.
 */
export type Tally = z.infer<typeof tallySchema>;

export const emptyTally = (): Tally => ({ count: 0, open: 0, severities: {}, money: {} });
export const readTally = (stored: unknown): Tally => {
  const parsed = tallySchema.safeParse(stored);
  return parsed.success ? parsed.data : emptyTally();
};

/** The tally after an exception went from the facts counted before (none: it is new) to those of now. */
export function count(tally: Tally, before: Facts | undefined, after: Facts): Tally {
  return add(before ? add(tally, before, -1) : tally, after, 1);
}

/** The tally without an exception that was counted with these facts. */
export const uncount = (tally: Tally, before: Facts): Tally => add(tally, before, -1);

function add(tally: Tally, facts: Facts, sign: 1 | -1): Tally {
  const open = isOpenException(facts.state);
  const severities = {
    ...tally.severities,
    [facts.severity]: (tally.severities[facts.severity] ?? 0) + sign,
  };
  return {
    count: tally.count + sign,
    open: tally.open + (open ? sign : 0),
    severities,
    money: addMoney(tally.money, facts, open, sign),
  };
}

function addMoney(sums: Tally['money'], facts: Facts, open: boolean, sign: 1 | -1): Tally['money'] {
  const { amount, currency } = facts;
  if (!amount || !currency) return sums;
  const old = sums[currency] ?? { all: '0', open: '0', gross: '0', largest: '0' };
  const size = absoluteAmount(amount);
  const signed = (text: string): string => (sign === 1 ? text : negated(text));
  return {
    ...sums,
    [currency]: {
      all: sumAmounts([old.all, signed(amount)]),
      open: open ? sumAmounts([old.open, signed(amount)]) : old.open,
      gross: sumAmounts([old.gross, signed(size)]),
      largest: compareAmounts(size, old.largest) > 0 ? size : old.largest,
    },
  };
}

const negated = (amount: string): string =>
  amount.startsWith('-') ? amount.slice(1) : `-${amount.replace(/^\+/, '')}`;

/** The incident's sums by currency, sorted: of all its exceptions, and of those still open. */
export const sumsOf = (tally: Tally): { currency: string; amount: string; open: string }[] =>
  Object.entries(tally.money)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([currency, sum]) => ({ currency, amount: sum.all, open: sum.open }));

/** 0 below trivial, 1 below performance, 2 below overall materiality, 3 from there on. */
function bandOf(amount: string, limits: Materiality): number {
  if (compareAmounts(amount, limits.overall) >= 0) return 3;
  if (compareAmounts(amount, limits.performance) >= 0) return 2;
  return compareAmounts(amount, limits.trivial) >= 0 ? 1 : 0;
}

/**
 * The severity of an incident: the highest of its exceptions, raised by the band of their sum: as many steps as the sum
 * (of absolute amounts, in company currency) lies in a higher band than the largest single one; at or above overall
 * materiality always critical. Without materiality or without money in company currency nothing is raised.
 */
export function incidentSeverity(tally: Tally, company: Pick<Company, 'currency' | 'materiality'>): Severity {
  const levels = SEVERITIES.filter((level) => (tally.severities[level] ?? 0) > 0);
  const highest = highestSeverity(levels);
  const sum = tally.money[company.currency];
  if (!sum || !company.materiality) return highest;
  const band = bandOf(sum.gross, company.materiality);
  if (band === 3) return 'critical';
  const steps = Math.max(0, band - bandOf(sum.largest, company.materiality));
  return SEVERITIES[Math.min(SEVERITIES.length - 1, SEVERITIES.indexOf(highest) + steps)] ?? highest;
}
