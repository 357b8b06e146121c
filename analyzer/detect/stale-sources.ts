import type { Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { expectedTypesOf } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';
import { formatInstant } from '../../model/time.ts';
import { isFresh, type SourceStream } from '../../model/watermark.ts';
import {
  type DetectedException,
  exceptionsOf,
  inhibitExceptions,
  openExceptionsOfRule,
} from '../../store/postgres/exceptions.ts';
import {
  type IndeterminateGroup,
  indeterminateGroups,
  removeObligations,
  saveObligations,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { type CompletenessQuestion, completenessOf, effectiveWatermark } from './completeness.ts';
import { obligationId } from './evaluator.ts';
import { nextException } from './exception-changes.ts';
import {
  asDetected,
  beforeOf,
  columnsOf,
  judgedOf,
  type Recorded,
  rowOf,
  writeExceptions,
} from './record.ts';
import { type Rule, STALE_SOURCE_RULE } from './rules.ts';
import { anyOf } from './sentences.ts';

interface Stale {
  readonly company: string;
  readonly source: string;
  readonly watermark: bigint | undefined;
  readonly earliestDue: bigint;
  readonly rules: readonly string[];
  readonly waiting: number;
}

/**
 * Opens one exception for each stale source of a company that leaves obligations indeterminate, names it on theirs as what
 * inhibits them, and closes those of sources that nothing waits for any more. Runs in the caller's transaction.
 */
export async function recordStaleSources(
  trx: Transaction<Database>,
  rules: readonly Rule[],
  streams: readonly SourceStream[],
  { now, at, companyOf }: { now: bigint; at: Date; companyOf(key: string): Company },
): Promise<Recorded> {
  const groups = await indeterminateGroups(trx);
  const stale = new Map<string, Stale>();
  for (const group of groups) {
    const rule = rules.find(({ expectation }) => expectation.id === group.rule);
    if (!rule) continue;
    const behind = behindOf(rule, group, streams, { at: now, now, companyOf });
    for (const { source, watermark } of behind) {
      const key = `${group.company}\n${source}`;
      const known = stale.get(key);
      stale.set(key, {
        company: group.company,
        source,
        watermark,
        earliestDue: known && known.earliestDue < group.earliestDue ? known.earliestDue : group.earliestDue,
        rules: [...new Set([...(known?.rules ?? []), group.rule])],
        waiting: (known?.waiting ?? 0) + group.count,
      });
    }
    if (behind[0]) await inhibitExceptions(trx, group, `source:${behind[0].source}`, at);
  }
  return await save(trx, [...stale.values()].map(obligationOfStale), at);
}

/**
 * The stale sources that are short of the latest deadline of the group; when none is known, whoever would send the answer.
 * One that is short of it and yet as fresh as it promises is no fault: the deadline waits for it, and nobody is told.
 */
function behindOf(
  rule: Rule,
  group: IndeterminateGroup,
  streams: readonly SourceStream[],
  question: CompletenessQuestion,
): { source: string; watermark: bigint | undefined }[] {
  const { streams: depended } = completenessOf(rule.expectation, streams, group, question);
  if (depended.length === 0) {
    const awaited = rule.expectation.dependsOn?.join(' and ') ?? anyOf(expectedTypesOf(rule.expectation));
    return [{ source: `senders of ${awaited}`, watermark: undefined }];
  }
  return depended
    .filter((stream) => !isFresh(stream, question.now, question.companyOf(group.company)))
    .map((stream) => ({
      source: stream.source,
      watermark: effectiveWatermark(stream, group.company, question),
    }))
    .filter(({ watermark }) => watermark === undefined || watermark < group.latestDue)
    .sort((a, b) => (a.source < b.source ? -1 : 1));
}

function obligationOfStale(stale: Stale): Obligation {
  const { company, source, watermark } = stale;
  const subject = { company, source, subject: source };
  const upTo =
    watermark === undefined
      ? 'is not known to be complete at all'
      : `is complete only up to ${formatInstant(watermark)}`;
  return {
    ...subject,
    id: obligationId(STALE_SOURCE_RULE, subject, 'stale'),
    rule: STALE_SOURCE_RULE,
    ruleVersion: 1,
    flow: 'data-completeness',
    kind: 'watermark',
    occurrence: 'stale',
    state: 'open',
    anchorEvent: '',
    anchorAt: watermark ?? stale.earliestDue,
    dueAt: stale.earliestDue,
    events: [],
    eventSources: [],
    traceIds: [],
    joinKeys: [],
    why: `${source} ${upTo}; ${stale.waiting} deadlines of ${stale.rules.join(', ')} cannot be judged`,
    watermark,
    history: false,
  };
}

async function save(trx: Transaction<Database>, stale: readonly Obligation[], at: Date): Promise<Recorded> {
  const known = await exceptionsOf(
    trx,
    stale.map(({ id }) => id),
  );
  const writes: { row: DetectedException; change: string }[] = [];
  const fresh: Obligation[] = [];
  for (const obligation of stale) {
    const before = known.get(obligation.id);
    const judged = { severity: 'medium', closeImpact: 'warning' } as const;
    const next = nextException(before && beforeOf(before), 'open', judged, at);
    if (!next || next.change === 'changed') continue;
    fresh.push(obligation);
    const { id, rule, flow, kind, company, source, subject, occurrence, why } = obligation;
    writes.push({
      change: next.change,
      row: {
        ...{ id, rule, flow, kind, company, source, subject, occurrence, why },
        rule_version: obligation.ruleVersion,
        due_ns: obligation.dueAt,
        anchor_ns: obligation.anchorAt,
        events: [],
        trace_ids: [],
        ...columnsOf(next),
      },
    });
  }
  const current = new Set(stale.map(({ id }) => id));
  const over = (await openExceptionsOfRule(trx, STALE_SOURCE_RULE)).filter(({ id }) => !current.has(id));
  for (const row of over) {
    const next = nextException(beforeOf(row), 'resolved', judgedOf(row), at);
    if (next) writes.push({ row: { ...asDetected(row), ...columnsOf(next) }, change: next.change });
  }
  await saveObligations(
    trx,
    fresh.map((obligation) => rowOf(obligation, 'medium')),
    new Map(),
    at,
  );
  await removeObligations(
    trx,
    over.map(({ id }) => id),
  );
  await writeExceptions(trx, writes, at);
  return { judged: stale.length, opened: fresh.length, closed: over.length };
}
