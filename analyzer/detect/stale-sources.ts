import type { Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { expectedTypesOf } from '../../model/expectation.ts';
import type { Obligation } from '../../model/obligation.ts';
import { formatInstant } from '../../model/time.ts';
import { isFresh, type SourceStream } from '../../model/watermark.ts';
import { type Explained, inhibitExceptions } from '../../store/postgres/exceptions.ts';
import { type IndeterminateGroup, indeterminateGroups } from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { type CompletenessQuestion, completenessOf, effectiveWatermark } from './completeness.ts';
import { obligationId } from './evaluator.ts';
import type { Recorded } from './record.ts';
import { type Rule, STALE_SOURCE_RULE } from './rules.ts';
import { anyOf } from './sentences.ts';
import { recordStanding } from './standing.ts';

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
  const explained: Explained[] = [];
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
    if (behind[0]) explained.push({ ...placeOf(group), by: `source:${behind[0].source}` });
  }
  await inhibitExceptions(trx, explained, at);
  const standing = [...stale.values()].map((one) => ({
    obligation: obligationOfStale(one),
    severity: 'medium' as const,
    closeImpact: 'warning' as const,
  }));
  return await recordStanding(trx, [STALE_SOURCE_RULE], standing, at);
}

const placeOf = ({ rule, company, source }: IndeterminateGroup) => ({ rule, company, source });

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
    caseKey: '',
    why: `${source} ${upTo}; ${stale.waiting} deadlines of ${stale.rules.join(', ')} cannot be judged`,
    watermark,
    history: false,
  };
}
