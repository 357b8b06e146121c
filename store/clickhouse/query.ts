import type { z } from 'zod';

/**
 * A query with a name and a type at both ends: parameters are checked before it is sent, rows as they come. SQL names
 * its parameters `{company:String}`; text of users never becomes SQL.
 *
 * JSON has one kind of number, so ask for what it cannot hold as text: 64-bit integers and Decimals arrive as strings
 * (`z.string()` or `z.coerce.bigint()`), an instant in nanoseconds as `toUnixTimestamp64Nano(Time) AS time_ns`, which is
 * a string of digits for `z.coerce.bigint()`; a DateTime64(9) selected as it is comes as `2026-05-31 17:00:00.123456789`
 * without a zone.
 */
export interface NamedQuery<P, R> {
  /** Lower-case words with dots, `case.events`; stands in the span, the query id and `log_comment`. */
  readonly name: string;
  readonly sql: string;
  readonly params: z.ZodType<P>;
  readonly row: z.ZodType<R>;
  /** It looks up a few rows by key, and is sent the short way. */
  readonly isLookup?: boolean;
}

/** The query itself; throws when its name is none. */
export function defineQuery<P, R>(query: NamedQuery<P, R>): NamedQuery<P, R> {
  if (!/^[a-z][a-z0-9_.-]{0,79}$/.test(query.name))
    throw new Error(`'${query.name}' is not the name of a query`);
  return query;
}

/** A query that looks up a few rows by key, on one thread: a second one costs more than it saves, and takes it from others. */
export const defineLookup = <P, R>(query: NamedQuery<P, R>): NamedQuery<P, R> =>
  defineQuery({ ...query, sql: `${query.sql} SETTINGS max_threads = 1`, isLookup: true });
