import { sql } from 'kysely';
import type { ExceptionGroup } from '../../model/readiness.ts';
import type { Postgres } from './database.ts';

/** Standing and waived exceptions of the company's documents that began before `before` (epoch ns), grouped and summed exactly. */
export async function exceptionGroups(
  postgres: Postgres,
  company: string,
  before: bigint,
): Promise<ExceptionGroup[]> {
  const rows = await postgres.db
    .selectFrom('exceptions')
    .select(['severity', 'close_impact', 'state', 'currency'])
    .select((eb) => [eb.fn.countAll().as('n'), sql<string | null>`sum(amount::numeric)::text`.as('sum')])
    .where('company', '=', company)
    .where('state', 'in', ['open', 'indeterminate', 'waived'])
    .where('anchor_ns', '<', `${before}`)
    .groupBy(['severity', 'close_impact', 'state', 'currency'])
    .execute();
  return rows.map((row) => ({
    severity: row.severity,
    closeImpact: row.close_impact,
    state: row.state as ExceptionGroup['state'],
    currency: row.currency ?? undefined,
    amount: row.sum ?? undefined,
    count: Number(row.n),
  }));
}

/**
 * Open dead letters that may concern the company: of a source that feeds it, or of one that has never said which company
 * it feeds.
 */
export async function openDeadLetters(postgres: Postgres, company: string): Promise<number> {
  const row = await postgres.db
    .selectFrom('dead_letters')
    .select((eb) => eb.fn.countAll().as('n'))
    .where('state', '=', 'open')
    .where((eb) =>
      eb.or([
        eb(
          'source',
          'in',
          eb.selectFrom('sources').select('sources.source').where('sources.company', '=', company),
        ),
        eb('source', 'not in', eb.selectFrom('sources').select('sources.source')),
      ]),
    )
    .executeTakeFirstOrThrow();
  return Number(row.n);
}
