import type { Kysely } from 'kysely';
import type { BusinessClock } from '../../model/business-time.ts';
import { didClosingMove } from '../../model/period.ts';
import { companiesWithOpen, obligationsOpenIn, type ToJudge } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import type { Rule } from './rules.ts';

/**
 * The unanswered obligations whose severity moves with the close: those of rules that block it, in companies where a
 * period began or ended closing in (since, now].
 */
export async function obligationsOfMovedClose(
  db: Kysely<Database>,
  rules: readonly Rule[],
  { companyOf, ...span }: { companyOf(key: string): BusinessClock; since: bigint; now: bigint },
): Promise<ToJudge[]> {
  const blocking = rules
    .map(({ expectation }) => expectation)
    .filter(({ closeImpact }) => closeImpact === 'blocker')
    .map(({ id }) => id);
  if (blocking.length === 0) return [];
  const companies = (await companiesWithOpen(db, blocking)).filter((key) =>
    didClosingMove(companyOf(key), span),
  );
  return companies.length === 0 ? [] : await obligationsOpenIn(db, blocking, companies);
}
