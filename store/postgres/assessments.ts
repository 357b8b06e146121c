import { randomUUID } from 'node:crypto';
import { type Insertable, type Selectable, sql } from 'kysely';
import type { Assessment, FallbackReason, Verdict } from '../../model/assessment.ts';
import { dateOf } from '../../model/time.ts';
import { PROGRAM } from './audit.ts';
import type { Postgres } from './database.ts';
import type { IncidentRow } from './incidents.ts';
import { recordIncident } from './incidents.ts';
import type { AssessmentTable, ExceptionTable } from './schema.ts';

export type AssessmentRow = Selectable<AssessmentTable>;

/** What PostgreSQL knows of an incident's evidence. */
export interface IncidentEvidence {
  readonly incident: IncidentRow;
  /** The gravest exceptions: open first, then by severity and amount. */
  readonly exceptions: readonly Selectable<ExceptionTable>[];
  /** How many exceptions each rule has in each state. */
  readonly rules: readonly { rule: string; kind: string; state: string; count: number }[];
  /** Incidents of the same cause that are over, the last ones first, and what they were taken for. */
  readonly past?: readonly PastIncident[];
  /** What was changed in the configuration in the two days before, the last first. */
  readonly changes?: readonly { readonly what: string; readonly change: string; readonly at: Date }[];
}

export interface PastIncident {
  readonly number: string;
  readonly openedAt: Date;
  readonly resolvedAt: Date;
  /** As a person corrected it, else as it was last assessed. */
  readonly category: string | null;
  readonly isCorrected: boolean;
}

const PAST = 3;
const CHANGES = 5;
const CHANGED_WITHIN_MS = 48 * 3_600_000;

async function pastOf({ db }: Postgres, incident: IncidentRow): Promise<PastIncident[]> {
  const rows = await db
    .selectFrom('incidents as i')
    .select((row) => [
      'i.number',
      'i.opened_at',
      'i.resolved_at',
      row
        .selectFrom('assessments as a')
        .select('a.category')
        .whereRef('a.incident', '=', 'i.id')
        .orderBy('a.version', 'desc')
        .limit(1)
        .as('assessed'),
      row
        .selectFrom('corrections as c')
        .innerJoin('assessments as a', 'a.id', 'c.assessment')
        .select('c.category')
        .whereRef('a.incident', '=', 'i.id')
        .orderBy('c.at', 'desc')
        .limit(1)
        .as('corrected'),
    ])
    .where('i.company', '=', incident.company)
    .where('i.cause_kind', '=', incident.cause_kind)
    .where('i.cause_key', '=', incident.cause_key)
    .where('i.state', '=', 'resolved')
    .where('i.id', '<>', incident.id)
    .orderBy('i.resolved_at', 'desc')
    .limit(PAST)
    .execute();
  return rows.flatMap(({ number, opened_at, resolved_at, assessed, corrected }) =>
    resolved_at
      ? [
          {
            number,
            openedAt: opened_at,
            resolvedAt: resolved_at,
            category: corrected ?? assessed,
            isCorrected: corrected !== null,
          },
        ]
      : [],
  );
}

async function changesBefore({ db }: Postgres, openedAt: Date) {
  const rows = await db
    .selectFrom('audit')
    .select(['entity_id', 'body', 'at'])
    .where('entity', '=', 'setting')
    .where('entity_id', 'in', ['configuration'])
    .where('at', '<=', openedAt)
    .where('at', '>', new Date(openedAt.getTime() - CHANGED_WITHIN_MS))
    .orderBy('seq', 'desc')
    .limit(CHANGES)
    .execute();
  return rows.map(({ entity_id, body, at }) => ({ what: entity_id, change: changedParts(body), at }));
}

/** The parts of the configuration of which a row says that they changed. */
function changedParts(body: string): string {
  const { data = {} } = JSON.parse(body) as {
    data?: { before?: Record<string, string> | null; after?: Record<string, string> };
  };
  const { before, after = {} } = data;
  if (!before) return 'first start';
  return Object.keys(after)
    .filter((part) => after[part] !== before[part])
    .sort()
    .join(' ');
}

/** Incidents that have changed since triage looked at them, the oldest first. */
export async function incidentsToAssess(postgres: Postgres, limit: number): Promise<IncidentRow[]> {
  return await postgres.db
    .selectFrom('incidents')
    .selectAll()
    .whereRef('assessed_version', '<', 'version')
    .orderBy('opened_at')
    .limit(limit)
    .execute();
}

/** Open incidents that nobody has acknowledged, opened by then, at which triage has not looked a second time. */
export async function incidentsToLookAtAgain(
  postgres: Postgres,
  openedBy: bigint,
  limit: number,
): Promise<IncidentRow[]> {
  return await postgres.db
    .selectFrom('incidents')
    .selectAll()
    .where('state', '=', 'open')
    .where('looked_again', '=', false)
    .where('opened_at', '<=', dateOf(openedBy))
    .orderBy('opened_at')
    .limit(limit)
    .execute();
}

/** Notes that triage has looked a second time at these incidents. */
export async function markLookedAgain(postgres: Postgres, ids: readonly string[]): Promise<void> {
  await postgres.db
    .updateTable('incidents')
    .set({ looked_again: true })
    .where('id', '=', sql<string>`any(${ids})`)
    .execute();
}

export async function readIncidentEvidence(
  postgres: Postgres,
  incident: IncidentRow,
  limit: number,
): Promise<IncidentEvidence> {
  const exceptions = await postgres.db
    .selectFrom('exceptions')
    .selectAll()
    .where('incident', '=', incident.id)
    .orderBy(sql`state IN ('open', 'indeterminate')`, 'desc')
    .orderBy(sql`array_position(ARRAY['critical','high','medium','low','info'], severity)`)
    .orderBy(sql`abs(amount::numeric)`, (order) => order.desc().nullsLast())
    .orderBy('id')
    .limit(limit)
    .execute();
  const rules = await postgres.db
    .selectFrom('exceptions')
    .select(['rule', 'kind', 'state', (rows) => rows.fn.countAll<string>().as('count')])
    .where('incident', '=', incident.id)
    .groupBy(['rule', 'kind', 'state'])
    .orderBy('rule')
    .execute();
  const [past, changes] = await Promise.all([
    pastOf(postgres, incident),
    changesBefore(postgres, incident.opened_at),
  ]);
  return {
    incident,
    exceptions,
    rules: rules.map((row) => ({ ...row, count: Number(row.count) })),
    past,
    changes: changes.filter(({ change }) => change !== 'first start'),
  };
}

/** The newest assessment of an incident. */
export async function latestAssessment(
  postgres: Postgres,
  incident: string,
): Promise<AssessmentRow | undefined> {
  return await postgres.db
    .selectFrom('assessments')
    .selectAll()
    .where('incident', '=', incident)
    .orderBy('version', 'desc')
    .limit(1)
    .executeTakeFirst();
}

/**
 * Rules' assessments that nothing has replaced and for which the model has not been asked yet, or is to be asked again by
 * `now` (epoch nanoseconds); the gravest first.
 */
export async function assessmentsAwaitingModel(
  postgres: Postgres,
  now: bigint,
  limit: number,
): Promise<AssessmentRow[]> {
  return await postgres.db
    .selectFrom('assessments as a')
    .selectAll('a')
    .where((a) => a.or([a('a.fallback_reason', '=', 'pending'), a('a.ask_again_at', '<=', dateOf(now))]))
    .orderBy(sql`array_position(ARRAY['critical','high','medium','low','info'], a.severity)`)
    .orderBy('a.created_at')
    .limit(limit)
    .execute();
}

/** Notes that triage has seen the incident as it was at this version and that nothing material changed. */
export async function markAssessed(postgres: Postgres, incident: IncidentRow): Promise<void> {
  await postgres.db
    .updateTable('incidents')
    .set({ assessed_version: incident.version })
    .where('id', '=', incident.id)
    .where('assessed_version', '<', incident.version)
    .execute();
}

export interface NewAssessment extends Assessment {
  readonly incident: string;
  readonly materialHash: string;
}

/**
 * Stores an assessment as the incident's next version, raises the incident's version (so that its message follows) and
 * logs it; an earlier one that still waited for the model is then superseded. `seen` is the incident's version that the
 * evidence was read at. Returns the assessment's version; undefined, with nothing stored, when the newest one is not, or no
 * longer, that which it is to follow (`after`).
 */
export async function addAssessment(
  postgres: Postgres,
  assessment: NewAssessment,
  when: { now: bigint; seen?: number; after?: string },
): Promise<number | undefined> {
  return await postgres.db.transaction().execute(async (trx) => {
    const incident = await trx
      .selectFrom('incidents')
      .selectAll()
      .where('id', '=', assessment.incident)
      .forUpdate()
      .executeTakeFirstOrThrow();
    const last = await trx
      .selectFrom('assessments')
      .select(['id', 'version'])
      .where('incident', '=', assessment.incident)
      .orderBy('version', 'desc')
      .limit(1)
      .executeTakeFirst();
    if (when.after !== undefined && last?.id !== when.after) return undefined;
    const version = (last?.version ?? 0) + 1;
    await trx
      .updateTable('assessments')
      .set({ fallback_reason: 'superseded' satisfies FallbackReason, ask_again_at: null })
      .where('incident', '=', assessment.incident)
      .where((row) => row.or([row('fallback_reason', '=', 'pending'), row('ask_again_at', 'is not', null)]))
      .execute();
    await trx
      .insertInto('assessments')
      .values(rowOf(assessment, version, when.now))
      .execute();
    const at = dateOf(when.now);
    const seen = when.seen ?? incident.assessed_version;
    const updated = await trx
      .updateTable('incidents')
      .set({
        version: incident.version + 1,
        assessed_version: seen === incident.version ? incident.version + 1 : seen,
        updated_at: at,
      })
      .where('id', '=', incident.id)
      .returningAll()
      .executeTakeFirstOrThrow();
    await recordIncident(trx, updated, {
      change: 'assessed',
      now: when.now,
      actor: assessment.author === 'model' ? `model:${assessment.model ?? ''}` : PROGRAM,
      data: {
        assessment: version,
        author: assessment.author,
        category: assessment.category,
        evidenceHash: assessment.evidenceHash,
        promptHash: assessment.promptHash,
        schemaHash: assessment.schemaHash,
        inputHash: assessment.inputHash,
        outputHash: assessment.outputHash,
        verdicts: assessment.verdicts,
      },
    });
    return version;
  });
}

/**
 * Says why the model did not replace a rules' assessment that waited for it, and when (epoch nanoseconds) it is to be asked
 * again, if ever.
 */
export async function settleAssessment(
  postgres: Postgres,
  id: string,
  outcome: { reason: FallbackReason; verdicts: readonly Verdict[]; againAt?: bigint | undefined },
): Promise<void> {
  await postgres.db
    .updateTable('assessments')
    .set((row) => ({
      fallback_reason: outcome.reason,
      verdicts: JSON.stringify(outcome.verdicts),
      asked: row('asked', '+', 1),
      ask_again_at: outcome.againAt === undefined ? null : dateOf(outcome.againAt),
    }))
    .where('id', '=', id)
    .where((row) => row.or([row('fallback_reason', '=', 'pending'), row('ask_again_at', 'is not', null)]))
    .execute();
}

function rowOf(assessment: NewAssessment, version: number, now: bigint): Insertable<AssessmentTable> {
  return {
    id: randomUUID(),
    incident: assessment.incident,
    version,
    author: assessment.author,
    category: assessment.category,
    severity: assessment.severity,
    summary: assessment.summary,
    probable_cause: assessment.probableCause,
    next_step: assessment.nextStep,
    confidence: assessment.confidence,
    claims: JSON.stringify(assessment.claims),
    proposed_actions: JSON.stringify(assessment.proposedActions),
    evidence: JSON.stringify(assessment.evidence),
    evidence_hash: assessment.evidenceHash,
    material_hash: assessment.materialHash,
    prompt_id: assessment.promptId ?? null,
    prompt_hash: assessment.promptHash ?? null,
    schema_hash: assessment.schemaHash ?? null,
    model: assessment.model ?? null,
    input_hash: assessment.inputHash ?? null,
    output_hash: assessment.outputHash ?? null,
    tokens_in: assessment.tokensIn ?? null,
    tokens_out: assessment.tokensOut ?? null,
    fallback_reason: assessment.fallbackReason ?? null,
    verdicts: JSON.stringify(assessment.verdicts),
    created_at: dateOf(now),
  };
}

/** Assessments whose actions were not proposed yet, the oldest first. */
export async function assessmentsToPropose({ db }: Postgres, limit: number): Promise<AssessmentRow[]> {
  return await db
    .selectFrom('assessments')
    .selectAll()
    .where('proposed', '=', false)
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .execute();
}

/** Notes that the actions of an assessment were proposed. */
export async function markProposed({ db }: Postgres, id: string): Promise<void> {
  await db.updateTable('assessments').set({ proposed: true }).where('id', '=', id).execute();
}
