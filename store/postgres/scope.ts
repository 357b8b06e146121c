import { type RawBuilder, sql } from 'kysely';
import type { CompanyScope } from '../../model/principal.ts';

/** The condition that a row's company lies in the scope; `column` is a constant of ours, `incidents.company`. */
export const inScope = (column: string, companies: CompanyScope): RawBuilder<boolean> =>
  companies === '*' ? sql<boolean>`true` : sql<boolean>`${sql.ref(column)} = any(${[...companies]}::text[])`;
