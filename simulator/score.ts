import type { Planted } from './faults.ts';

export type Finding = Pick<Planted, 'company' | 'subject'> & { readonly rule: string };

export interface Score {
  /** Faults that were planted, were found, were not found; and findings that are no planted fault. */
  readonly planted: number;
  readonly found: number;
  readonly missed: number;
  readonly wrong: number;
}

const keyOf = ({ rule, company, subject }: Finding): string => JSON.stringify([rule, company, subject]);

/** Holds findings against the truth, over all and by rule. A fault that is found twice is found once and wrong once. */
export function score(
  truth: readonly Finding[],
  findings: readonly Finding[],
): Score & { byRule: Record<string, Score> } {
  const left = new Map<string, number>();
  for (const fault of truth) left.set(keyOf(fault), (left.get(keyOf(fault)) ?? 0) + 1);
  const byRule: Record<string, { -readonly [Field in keyof Score]: number }> = {};
  const of = (rule: string) => {
    byRule[rule] ??= { planted: 0, found: 0, missed: 0, wrong: 0 };
    return byRule[rule];
  };
  for (const { rule } of truth) of(rule).planted += 1;
  for (const finding of findings) {
    const open = left.get(keyOf(finding)) ?? 0;
    left.set(keyOf(finding), Math.max(0, open - 1));
    of(finding.rule)[open > 0 ? 'found' : 'wrong'] += 1;
  }
  for (const row of Object.values(byRule)) row.missed = row.planted - row.found;
  const sum = (field: keyof Score) => Object.values(byRule).reduce((total, row) => total + row[field], 0);
  const sorted = Object.fromEntries(Object.entries(byRule).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    planted: truth.length,
    found: sum('found'),
    missed: sum('missed'),
    wrong: sum('wrong'),
    byRule: sorted,
  };
}
