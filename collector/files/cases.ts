import type { Key } from '../../model/key.ts';
import { amountOf } from './amounts.ts';
import type { ImportMap } from './map.ts';
import { joinedOf, MAX_KEY, type Row } from './row.ts';

/** What the second file says of a case. */
export interface CaseFields {
  readonly company: string | undefined;
  readonly amount: string | undefined;
  readonly currency: string | undefined;
  readonly docNumber: string | undefined;
  readonly party: string | undefined;
  readonly keys: readonly Key[];
  readonly attributes: Readonly<Record<string, string>>;
}
export type CaseAttributes = ReadonlyMap<string, CaseFields>;

/** Reads the file of case attributes into memory; rows that cannot be used go to `bad` with their number. */
export async function readCases(
  rows: AsyncIterable<Row>,
  map: ImportMap,
  bad: (row: number, what: string) => void,
): Promise<CaseAttributes> {
  const told = map.cases;
  const cases = new Map<string, CaseFields>();
  if (!told) return cases;
  const columns = [told.case].flat();
  const taken = new Set([...columns, told.company, told.amount, told.currency, told.docNumber, told.party]);
  for await (const { number, fields, problem } of rows) {
    if (problem) {
      bad(number, problem);
      continue;
    }
    const subject = joinedOf(fields, columns);
    if (subject === '') {
      bad(number, `${columns.join(', ')}: the case is missing`);
      continue;
    }
    if (cases.has(subject)) {
      bad(number, `${columns.join(', ')}: the case ${JSON.stringify(subject.slice(0, 80))} was told before`);
      continue;
    }
    const amount = told.amount === undefined ? undefined : amountOf(fields[told.amount], map.decimal);
    if (typeof amount === 'object') {
      bad(number, `${told.amount}: ${amount.wrong}`);
      continue;
    }
    const keys = told.keys.map((key) => ({ ...key, value: joinedOf(fields, key.columns) }));
    const long = keys.find((key) => key.value.length > MAX_KEY);
    if (long) {
      bad(number, `${long.columns.join(', ')}: is longer than ${MAX_KEY}`);
      continue;
    }
    const value = (name: string | undefined): string | undefined => (name && fields[name]) || undefined;
    const listed =
      told.attributes === '*' ? Object.keys(fields).filter((name) => !taken.has(name)) : told.attributes;
    const kept = listed.filter((name) => value(name) !== undefined);
    cases.set(subject, {
      company: value(told.company),
      amount,
      currency: value(told.currency),
      docNumber: value(told.docNumber),
      party: value(told.party),
      keys: keys.filter((key) => key.value !== '').map(({ type, value }) => ({ type, value })),
      attributes: Object.fromEntries(kept.map((name) => [name, fields[name] ?? ''])),
    });
  }
  return cases;
}
