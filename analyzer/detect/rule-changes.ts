import type { Kysely, Transaction } from 'kysely';
import { exceptionsOf } from '../../store/postgres/exceptions.ts';
import {
  obligationsOfOtherRules,
  obligationsOfOtherVersions,
  removeObligations,
  type ToJudge,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { nextException } from './exception-changes.ts';
import { touchedBy } from './gather.ts';
import type { Recorded } from './record.ts';
import { asDetected, beforeOf, columnsOf, judgedOf, writeExceptions } from './rows.ts';
import { type Rule, STALE_SOURCE_RULE } from './rules.ts';
import type { Touched } from './touched.ts';

/** Unanswered obligations that another version of their rule judged, in pages of 50,000. */
export async function* gatherOtherVersions(
  db: Kysely<Database>,
  rules: readonly Rule[],
): AsyncGenerator<Touched> {
  const versions = rules.map(({ expectation }) => expectation);
  let found: readonly ToJudge[] = [];
  do {
    found = await obligationsOfOtherVersions(db, versions, found.at(-1)?.id ?? '');
    if (found.length > 0) yield touchedBy(rules, found);
  } while (found.length > 0);
}

/**
 * Ends what rules left behind that are no longer there or switched off, 50,000 obligations at most: their open exceptions
 * resolve and say so; `others` are rules that are judged elsewhere. `judged` says how many; none: nothing is left.
 */
export async function closeOtherRules(
  trx: Transaction<Database>,
  rules: readonly Rule[],
  others: readonly string[],
  at: Date,
): Promise<Recorded> {
  const active = [...rules.map(({ expectation }) => expectation.id), ...others, STALE_SOURCE_RULE];
  const left = await obligationsOfOtherRules(trx, active);
  const exceptions = await exceptionsOf(
    trx,
    left.map(({ id }) => id),
  );
  const writes = [...exceptions.values()].flatMap((known) => {
    const next = nextException(beforeOf(known), 'resolved', judgedOf(known), at);
    const why = `Rule ${known.rule} is no longer there or is switched off`;
    return next ? [{ row: { ...asDetected(known), ...columnsOf(next), why }, change: next.change }] : [];
  });
  await removeObligations(
    trx,
    left.map(({ id }) => id),
  );
  await writeExceptions(trx, writes, at);
  return { judged: left.length, opened: 0, closed: writes.length };
}
