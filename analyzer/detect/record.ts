import type { Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { isOpenException } from '../../model/exception.ts';
import type { Obligation, ObligationState } from '../../model/obligation.ts';
import type { Logger } from '../../store/logger.ts';
import { appendChanges, type Change } from '../../store/postgres/change-log.ts';
import { type DetectedException, type ExceptionRow, exceptionsOf } from '../../store/postgres/exceptions.ts';
import {
  type NewObligation,
  type ObligationHead,
  type ObligationRow,
  removeObligations,
  saveObligations,
} from '../../store/postgres/obligations.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { ruleOfCompany } from './company-rules.ts';
import { inState } from './evaluator.ts';
import { exceptionStateOf, nextException } from './exception-changes.ts';
import {
  asDetected,
  beforeOf,
  columnsOf,
  differs,
  exceptionDiffers,
  goneChange,
  judgedOf,
  obligationChange,
  revisitOf,
  rowOf,
  sharedColumns,
  type Write,
  writeExceptions,
} from './rows.ts';
import type { Rule } from './rules.ts';
import { obligationSeverity } from './severity.ts';
import type { StoredCases } from './stored-cases.ts';

/** What the judgement of some cases of a rule came to. */
export interface Judgement {
  readonly rule: Rule;
  /** The obligations of these cases that count live. */
  readonly obligations: readonly Obligation[];
  /** The keys that lead to the cases. */
  readonly caseKeys: readonly string[];
  /** Stored obligations that were to be judged. */
  readonly ids: readonly string[];
  /** Was it judged whether this is an obligation? Others that the keys lead to stay as they are. */
  isJudged(row: JudgedRow): boolean;
}

/** What tells whether a stored obligation was judged. */
export type JudgedRow = Pick<ObligationHead, 'source' | 'anchor_event' | 'anchor_ns' | 'case_key'>;

/** What was stored of the judged cases. */
export interface Stored {
  readonly isAny: boolean;
  readonly rows: readonly ObligationRow[];
  /** Ids of those that waited, and for which there is nothing left to ask: that much is known of them. */
  readonly answered: ReadonlySet<string>;
}

/** How many exceptions opened and closed. */
export interface Recorded {
  readonly judged: number;
  readonly opened: number;
  readonly closed: number;
  /** The states into which obligations came. */
  readonly became?: readonly ObligationState[];
}

export interface RecordContext {
  /** Epoch nanoseconds, and the same as a Date. */
  readonly now: bigint;
  readonly at: Date;
  companyOf(key: string): Company;
  readonly logger: Logger;
}

/** A judgement, and what was stored of its cases. */
export interface Judged {
  readonly judgement: Judgement;
  readonly stored: Stored;
}

/**
 * Brings what is stored into line with judgements of different rules, in the caller's transaction: obligations, exceptions and the
 * log of changes. What does not differ is not written, so that the same judgement again changes nothing. Says of each what it did.
 */
export async function record(
  trx: Transaction<Database>,
  judged: readonly Judged[],
  context: RecordContext,
): Promise<Recorded[]> {
  const drafts = judged.map((one) => draftOf(one, context));
  const exceptions = await exceptionsOf(
    trx,
    drafts.flatMap(({ obligations, gone }) => [...obligations, ...gone].map(({ id }) => id)),
  );
  const changes = drafts.map((draft) => changesOf(draft, exceptions, context));
  await saveObligations(
    trx,
    changes.flatMap(({ rows }) => rows),
    context.at,
  );
  await removeObligations(
    trx,
    changes.flatMap(({ removed }) => removed),
  );
  await appendChanges(
    trx,
    changes.flatMap(({ told }) => told),
  );
  await writeExceptions(
    trx,
    changes.flatMap(({ writes }) => writes),
    context.at,
  );
  return changes.map(({ recorded }) => recorded);
}

/** What a judgement says of what is stored, or is to be. */
interface Draft {
  readonly judgement: Judgement;
  readonly before: ReadonlyMap<string, ObligationRow>;
  readonly obligations: readonly Obligation[];
  /** What is stored and is no obligation any more. */
  readonly gone: readonly ObligationRow[];
}

function draftOf({ judgement, stored: { rows, answered } }: Judged, context: RecordContext): Draft {
  const before = new Map(rows.map((row) => [row.id, row]));
  const obligations = onceEach(judgement, context)
    .map((obligation) => steady(obligation, before.get(obligation.id), context.now))
    .filter(
      (obligation) => before.has(obligation.id) || answered.has(obligation.id) || !isSettled(obligation),
    );
  const there = new Set(obligations.map(({ id }) => id));
  return { judgement, before, obligations, gone: rows.filter(({ id }) => !there.has(id)) };
}

/** What is to be written of a draft. */
interface Changes {
  readonly rows: readonly NewObligation[];
  readonly removed: readonly string[];
  readonly told: readonly Change[];
  readonly writes: readonly Write[];
  readonly recorded: Recorded;
}

function changesOf(
  { judgement, before, obligations, gone }: Draft,
  exceptions: ReadonlyMap<string, ExceptionRow>,
  context: RecordContext,
): Changes {
  const isKept = (obligation: Obligation): boolean => !isSettled(obligation) || exceptions.has(obligation.id);
  const kept = obligations.filter(isKept);
  const settled = obligations.filter((obligation) => !isKept(obligation));
  const severities = new Map<string, DetectedException['severity']>();
  const writes: Write[] = [];
  for (const obligation of kept) {
    const known = exceptions.get(obligation.id);
    const state = exceptionStateOf(obligation);
    if (!known && !isOpenException(state)) continue;
    const company = context.companyOf(obligation.company);
    const expectation = ruleOfCompany(judgement.rule.expectation, company);
    const severity =
      isOpenException(state) || !known
        ? obligationSeverity(expectation, obligation, company, context.now)
        : known.severity;
    severities.set(obligation.id, severity);
    const { closeImpact, observe } = expectation;
    const asked = { severity, closeImpact, quiet: observe };
    const next = nextException(known && beforeOf(known), state, asked, context.at);
    if (!next) continue;
    const row: DetectedException = {
      ...sharedColumns(obligation),
      why: obligation.why,
      event_sources: [...obligation.eventSources],
      trace_ids: [...obligation.traceIds],
      ...columnsOf(next),
    };
    if (!known || exceptionDiffers(row, known)) writes.push({ row, change: next.change });
  }
  for (const { id } of gone) {
    const known = exceptions.get(id);
    const next = known && nextException(beforeOf(known), 'resolved', judgedOf(known), context.at);
    if (!known || !next || next.change !== 'closed') continue;
    const why = 'Events that came later show that this was not expected';
    writes.push({ row: { ...asDetected(known), ...columnsOf(next), why }, change: 'closed' });
  }
  const changed = kept.filter((obligation) => differs(obligation, before.get(obligation.id), context.now));
  const moved = changed.filter((obligation) => before.get(obligation.id)?.state !== obligation.state);
  return {
    rows: changed.map((obligation) =>
      rowOf(obligation, severities.get(obligation.id), revisitOf(obligation, context.now)),
    ),
    removed: [...gone, ...settled].map(({ id }) => id),
    told: [
      ...moved.filter(isTold).map((obligation) => obligationChange(obligation, context.at)),
      ...gone.filter(isTold).map((row) => goneChange(row, context.at)),
    ],
    writes,
    recorded: {
      judged: judgement.obligations.length + gone.length,
      opened: writes.filter(({ change }) => change === 'opened' || change === 'reopened').length,
      closed: writes.filter(({ change }) => change === 'closed').length,
      became: [...moved, ...settled].map(({ state }) => state),
    },
  };
}

/** What is stored of the judged cases, of what lies where they lie: other cases, and other parts of a group, are left out. */
export async function storedOf(
  cases: StoredCases,
  { rule, caseKeys, ids, obligations, isJudged }: Judgement,
): Promise<Stored> {
  const heads = await cases.heads(rule.expectation.id, caseKeys);
  const asked = new Set(ids);
  if (heads.length === 0 && asked.size === 0) return { isAny: false, rows: [], answered: new Set() };
  const judged = new Map(obligations.map((obligation) => [obligation.id, obligation]));
  const answered = new Set<string>();
  for (const head of heads) {
    const obligation = judged.get(head.id);
    if (head.state === 'pending' && obligation && isSettled(obligation)) answered.add(head.id);
    else if (obligation || isJudged(head)) asked.add(head.id);
  }
  const rows = await cases.rows(
    rule.expectation.id,
    [...asked].filter((id) => !answered.has(id)),
  );
  return { isAny: rows.length > 0 || answered.size > 0, rows, answered };
}

/** Kinds without an answer: late is a fault that was over before anybody saw it. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set(['threshold', 'watermark', 'sequence', 'anomaly']);

/** Is any of the judgement to be stored, though nothing of its cases was? */
export const hasNews = ({ obligations }: Judgement): boolean =>
  obligations.some((obligation) => !isSettled(obligation));

/**
 * Is there nothing left to ask of it? Such an obligation is stored only when there is an exception of it: what was answered before
 * anybody missed it was never a question to anybody. The control run counts it, and its case tells it again when it is touched.
 */
const isSettled = ({ kind, state }: Obligation): boolean =>
  state === 'satisfied' || state === 'voided' || (state === 'late' && WITHOUT_ANSWER.has(kind));

/** Does the history tell of its state? That it waits for its deadline is told by its row alone. */
const isTold = ({ state }: { readonly state: string }): boolean => state !== 'pending';

/**
 * The obligations, one for each id. Two with one id would be a mistake of an evaluator, and one statement cannot write
 * both: the first stands and the log tells, so that such a mistake costs an obligation and not detection.
 */
function onceEach({ rule, obligations }: Judgement, { logger }: RecordContext): Obligation[] {
  const byId = new Map<string, Obligation>();
  for (const obligation of obligations) {
    const { id, company, subject, occurrence } = obligation;
    if (!byId.has(id)) byId.set(id, obligation);
    else
      logger.error(
        { rule: rule.expectation.id, company, subject, occurrence },
        'two obligations have one identity; the second is left out',
      );
  }
  return [...byId.values()];
}

/**
 * What was once found open at a deadline stays so though the source's watermark is behind it again: an assumed source that
 * falls silent takes back nothing of what it had assured. What was assured up to a time that is yet to come, by a clock that
 * was ahead, was not.
 */
function steady(obligation: Obligation, before: ObligationRow | undefined, now: bigint): Obligation {
  const assured =
    obligation.state === 'indeterminate' &&
    before?.state === 'open' &&
    BigInt(before.due_ns) === obligation.dueAt &&
    before.watermark_ns !== null &&
    BigInt(before.watermark_ns) >= obligation.dueAt &&
    BigInt(before.watermark_ns) <= now;
  return assured
    ? inState(obligation, { state: 'open', why: before.why, watermark: BigInt(before.watermark_ns ?? 0) })
    : obligation;
}
