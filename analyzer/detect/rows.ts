import type { Transaction } from 'kysely';
import type { Obligation } from '../../model/obligation.ts';
import { appendChanges, type Change } from '../../store/postgres/change-log.ts';
import {
  type DetectedException,
  type ExceptionRow,
  saveExceptions,
} from '../../store/postgres/exceptions.ts';
import type { NewObligation, ObligationRow } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import type { ExceptionBefore, nextException } from './exception-changes.ts';
import { revisitAt } from './severity.ts';

/** Obligations and exceptions as they are stored, and what the history says of them. */

/** An exception as it is to be stored, and what became of it. */
export interface Write {
  readonly row: DetectedException;
  readonly change: string;
}

/** Does the obligation differ from its row in more than the wording and the watermark, which move with every pass? */
export function differs(obligation: Obligation, row: ObligationRow | undefined, now: bigint): boolean {
  return (
    !row ||
    row.state !== obligation.state ||
    row.rule_version !== obligation.ruleVersion ||
    row.flow !== obligation.flow ||
    row.anchor_event !== obligation.anchorEvent ||
    BigInt(row.anchor_ns) !== obligation.anchorAt ||
    BigInt(row.due_ns) !== obligation.dueAt ||
    (row.answered_ns === null ? undefined : BigInt(row.answered_ns)) !== obligation.answeredAt ||
    row.amount !== (obligation.amount ?? null) ||
    row.currency !== (obligation.currency ?? null) ||
    row.events.join('\n') !== obligation.events.join('\n') ||
    (row.revisit_ns === null ? null : BigInt(row.revisit_ns)) !== revisitOf(obligation, now)
  );
}

/** When an unanswered obligation is judged again though nothing new came. */
export const revisitOf = (obligation: Obligation, now: bigint): bigint | null =>
  obligation.state === 'open' || obligation.state === 'indeterminate' ? revisitAt(obligation, now) : null;

/** Does an exception differ from its row in more than its wording? */
export function exceptionDiffers(row: DetectedException, known: ExceptionRow): boolean {
  return (
    row.state !== known.state ||
    row.severity !== known.severity ||
    row.close_impact !== known.close_impact ||
    row.rule_version !== known.rule_version ||
    row.notify !== known.notify ||
    row.inhibited_by !== known.inhibited_by ||
    Number(row.opened_at) !== Number(known.opened_at) ||
    row.amount !== known.amount ||
    row.currency !== known.currency ||
    BigInt(row.due_ns) !== BigInt(known.due_ns) ||
    BigInt(row.anchor_ns) !== BigInt(known.anchor_ns) ||
    String(row.answered_ns) !== String(known.answered_ns) ||
    row.events?.join('\n') !== known.events.join('\n') ||
    row.event_sources?.join('\n') !== known.event_sources.join('\n')
  );
}

export const beforeOf = (row: ExceptionRow): ExceptionBefore => ({
  state: row.state,
  openedAt: row.opened_at,
  closedAt: row.closed_at,
  reopened: row.reopened,
  notify: row.notify,
  inhibitedBy: row.inhibited_by,
});

export const judgedOf = (row: ExceptionRow) => ({ severity: row.severity, closeImpact: row.close_impact });

/** A stored exception as detection writes it. */
export function asDetected(row: ExceptionRow): DetectedException {
  const { incident, error_signature, updated_at, obligation, ...rest } = row as ExceptionRow & {
    facts?: unknown;
    seen?: unknown;
  };
  const { facts, seen, ...detected } = rest;
  return detected;
}

export const columnsOf = (next: NonNullable<ReturnType<typeof nextException>>) => ({
  state: next.state,
  severity: next.severity,
  close_impact: next.closeImpact,
  opened_at: next.openedAt,
  closed_at: next.closedAt,
  reopened: next.reopened,
  notify: next.notify,
  inhibited_by: next.inhibitedBy,
});

/** What the rows of an obligation and of its exception have in common. */
export const sharedColumns = (obligation: Obligation) => ({
  id: obligation.id,
  rule: obligation.rule,
  rule_version: obligation.ruleVersion,
  flow: obligation.flow,
  kind: obligation.kind,
  company: obligation.company,
  source: obligation.source,
  subject: obligation.subject,
  occurrence: obligation.occurrence,
  anchor_ns: obligation.anchorAt,
  due_ns: obligation.dueAt,
  answered_ns: obligation.answeredAt ?? null,
  amount: obligation.amount ?? null,
  currency: obligation.currency ?? null,
  events: [...obligation.events],
});

/** An obligation as it is stored. What only waits for its deadline needs no sentence yet. */
export function rowOf(
  obligation: Obligation,
  severity: NewObligation['severity'] = null,
  revisit: bigint | null = null,
): NewObligation {
  return {
    ...sharedColumns(obligation),
    why: obligation.state === 'pending' ? '' : obligation.why,
    state: obligation.state,
    anchor_event: obligation.anchorEvent,
    severity,
    watermark_ns: obligation.watermark ?? null,
    history: obligation.history,
    revisit_ns: revisit,
    case_key: obligation.caseKey,
  };
}

/** What the history says of an obligation that came into a state. */
export const obligationChange = (obligation: Obligation, at: Date): Change => ({
  entity: 'obligation',
  entityId: obligation.id,
  company: obligation.company,
  change: obligation.state,
  at,
  rule: obligation.rule,
  state: obligation.state,
  amount: obligation.amount ?? null,
  currency: obligation.currency ?? null,
  data: { subject: obligation.subject, dueNs: `${obligation.dueAt}`, why: obligation.why },
});

/** What it says of one that is none any more. */
export const goneChange = (row: ObligationRow, at: Date): Change => ({
  entity: 'obligation',
  entityId: row.id,
  company: row.company,
  change: 'removed',
  at,
  rule: row.rule,
  state: 'resolved',
  data: { subject: row.subject },
});

const exceptionChange = (row: DetectedException, change: string, at: Date): Change => ({
  entity: 'exception',
  entityId: row.id,
  company: row.company,
  change,
  at,
  rule: row.rule,
  state: row.state,
  severity: row.severity,
  amount: row.amount ?? null,
  currency: row.currency ?? null,
  data: { subject: row.subject, source: row.source, closeImpact: row.close_impact, why: row.why },
});

/** Saves exceptions and appends to the history what became of each. */
export async function writeExceptions(
  trx: Transaction<Database>,
  writes: readonly Write[],
  at: Date,
): Promise<void> {
  await saveExceptions(
    trx,
    writes.map(({ row }) => row),
    at,
  );
  await appendChanges(
    trx,
    writes.map(({ row, change }) => exceptionChange(row, change, at)),
  );
}
