import { type RawBuilder, sql } from 'kysely';

/** What JSON has no word for: whole numbers of 64 bits go as text, and text that is no Unicode as PostgreSQL would take it. */
const plain = (_name: string, value: unknown): unknown =>
  typeof value === 'bigint' ? `${value}` : typeof value === 'string' ? value.toWellFormed() : value;

/**
 * The rows as the SELECT of an INSERT into these columns of the table: one JSON parameter, read by the columns' own types. A
 * thousand rows of VALUES are tens of thousands of parameters to parse and plan; this is one. A missing field is NULL.
 */
export const recordset = <Row extends object>(
  table: string,
  columns: readonly (keyof Row & string)[],
  rows: readonly Row[],
): RawBuilder<Row> =>
  sql<Row>`SELECT ${sql.join(columns.map((name) => sql.ref(name)))}
    FROM json_populate_recordset(NULL::${sql.table(table)}, ${JSON.stringify(rows, plain)}::json)`;
