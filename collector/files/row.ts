import type { Key } from '../../model/key.ts';

/** One row of a log: the texts of its columns. `problem`: the row as such cannot be read. */
export interface Row {
  /** Counted from 1, without the header. */
  readonly number: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly problem?: string | undefined;
  /** Where it stands, when that is no row: `$.events[3]`. */
  readonly where?: string | undefined;
  /** Correlation keys that it has beside those that the map makes of its columns. */
  readonly keys?: readonly Key[] | undefined;
}

/** Characters of a correlation key, at most. */
export const MAX_KEY = 512;

/** The joined value of the columns; empty when one of them is. */
export const joinedOf = (fields: Readonly<Record<string, string>>, names: readonly string[]): string =>
  names.every((name) => (fields[name] ?? '') !== '') ? names.map((name) => fields[name]).join('/') : '';
