import { type RawBuilder, sql } from 'kysely';
import { SEVERITIES, type Severity } from '../../model/severity.ts';

/** How a list is ordered: the newest first, or what is open first and the gravest of it first, the newest of equal ones. */
export const ORDERS = ['newest', 'worst'] as const;
export type Order = (typeof ORDERS)[number];

/** Higher than the rank of any severity: what is open stands before all that is not. */
const OPEN = 10;

/** The rank of a row, higher for worse: the same number as `rank` gives in SQL. */
export const rankOf = (isOpen: boolean, severity: Severity): number =>
  (isOpen ? OPEN : 0) + SEVERITIES.indexOf(severity) + 1;

/** The rank as SQL, of a table with the columns `state` and `severity`. */
export const rank = (openStates: readonly string[]): RawBuilder<number> =>
  sql<number>`(CASE WHEN state = ANY(${[...openStates]}::text[]) THEN ${sql.lit(OPEN)} ELSE 0 END
    + array_position(${[...SEVERITIES]}::text[], severity))`;
