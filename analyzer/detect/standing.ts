import type { Transaction } from 'kysely';
import type { Obligation } from '../../model/obligation.ts';
import type { CloseImpact, Severity } from '../../model/severity.ts';
import { exceptionsOf, openExceptionsOfRule } from '../../store/postgres/exceptions.ts';
import { removeObligations, saveObligations } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { nextException } from './exception-changes.ts';
import type { Recorded } from './record.ts';
import { asDetected, beforeOf, columnsOf, judgedOf, rowOf, type Write, writeExceptions } from './rows.ts';

/** Something that stands as long as it is found: a source that is stale, a budget that burns. */
export interface Standing {
  readonly obligation: Obligation;
  readonly severity: Severity;
  readonly closeImpact: CloseImpact;
  /** It is recorded, and nobody is told. */
  readonly quiet?: boolean | undefined;
}

/**
 * Opens an exception for each thing that stands, and closes those of the rules that stand no more, in the caller's
 * transaction. What goes on is left as it is.
 */
export async function recordStanding(
  trx: Transaction<Database>,
  rules: readonly string[],
  standing: readonly Standing[],
  at: Date,
): Promise<Recorded> {
  const known = await exceptionsOf(
    trx,
    standing.map(({ obligation }) => obligation.id),
  );
  const writes: Write[] = [];
  const fresh: Standing[] = [];
  for (const one of standing) {
    const { obligation, severity, closeImpact, quiet = false } = one;
    const before = known.get(obligation.id);
    const next = nextException(before && beforeOf(before), 'open', { severity, closeImpact, quiet }, at);
    if (!next || (next.change === 'changed' && before?.severity === severity)) continue;
    fresh.push(one);
    const { id, rule, flow, kind, company, source, subject, occurrence, why } = obligation;
    writes.push({
      change: next.change,
      row: {
        ...{ id, rule, flow, kind, company, source, subject, occurrence, why },
        rule_version: obligation.ruleVersion,
        due_ns: obligation.dueAt,
        anchor_ns: obligation.anchorAt,
        events: [],
        trace_ids: [...obligation.traceIds],
        ...columnsOf(next),
      },
    });
  }
  const current = new Set(standing.map(({ obligation }) => obligation.id));
  const open = [];
  for (const rule of rules) open.push(...(await openExceptionsOfRule(trx, rule)));
  const over = open.filter(({ id }) => !current.has(id));
  for (const row of over) {
    const next = nextException(beforeOf(row), 'resolved', judgedOf(row), at);
    if (next) writes.push({ row: { ...asDetected(row), ...columnsOf(next) }, change: next.change });
  }
  await saveObligations(
    trx,
    fresh.map(({ obligation, severity }) => rowOf(obligation, severity)),
    at,
  );
  await removeObligations(
    trx,
    over.map(({ id }) => id),
  );
  await writeExceptions(trx, writes, at);
  return { judged: standing.length, opened: fresh.length, closed: over.length };
}
