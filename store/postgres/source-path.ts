import { type RawBuilder, sql } from 'kysely';

/** Is the source in this column the one that is named, or does it lie below it by `/`? */
export const isOrLiesBelow = (column: string, source: string): RawBuilder<boolean> =>
  sql<boolean>`(${sql.ref(column)} = ${source} OR starts_with(${sql.ref(column)}, ${`${source.replace(/\/$/, '')}/`}))`;
