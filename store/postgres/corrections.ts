import { z } from 'zod';
import { type ActionKind, actionKind } from '../../model/action.ts';
import { type Category, evidenceItem } from '../../model/assessment.ts';
import { ClosewatchError } from '../../model/errors.ts';
import { mayAcknowledge } from '../../model/policy.ts';
import { type Actor, mayReadCompany } from '../../model/principal.ts';
import { severity } from '../../model/severity.ts';
import { type TriageCase, triageCase } from '../../model/triage-case.ts';
import { appendChanges } from './change-log.ts';
import type { Postgres } from './database.ts';

/**
 * Notes what a person says of an assessment: it becomes a case with which triage is scored. Said again, the last word counts. Throws
 * `not-found`, `auth.forbidden`.
 */
export async function correctAssessment(
  { db }: Postgres,
  wish: {
    readonly assessment: string;
    readonly category: Category;
    readonly actions: readonly ActionKind[];
    readonly comment?: string | undefined;
  },
  actor: Actor,
  at: Date,
): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const found = await trx
      .selectFrom('assessments as a')
      .innerJoin('incidents as i', 'i.id', 'a.incident')
      .select(['a.id', 'a.category', 'i.company'])
      .where('a.id', '=', wish.assessment)
      .executeTakeFirst();
    if (!found || !mayReadCompany(actor, found.company))
      throw new ClosewatchError('not-found', `there is no assessment ${wish.assessment}`);
    const verdict = mayAcknowledge(actor, found.company);
    if (verdict.outcome !== 'allowed') throw new ClosewatchError('auth.forbidden', verdict.reason);
    const said = {
      category: wish.category,
      actions: [...wish.actions],
      comment: wish.comment ?? null,
      by: actor.id,
      at,
    };
    await trx
      .insertInto('corrections')
      .values({ assessment: wish.assessment, ...said })
      .onConflict((conflict) => conflict.column('assessment').doUpdateSet(said))
      .execute();
    await appendChanges(trx, [
      {
        entity: 'assessment',
        entityId: wish.assessment,
        company: found.company,
        change: 'corrected',
        at,
        actor: actor.id,
        data: {
          before: found.category,
          category: wish.category,
          actions: wish.actions,
          comment: wish.comment,
        },
      },
    ]);
  });
}

/** What people corrected, as cases: the evidence as it was frozen, and what they said. */
export async function correctedCases({ db }: Pick<Postgres, 'db'>): Promise<TriageCase[]> {
  const rows = await db
    .selectFrom('corrections as c')
    .innerJoin('assessments as a', 'a.id', 'c.assessment')
    .innerJoin('incidents as i', 'i.id', 'a.incident')
    .select([
      'c.assessment',
      'c.category',
      'c.actions',
      'a.evidence',
      'a.severity',
      'i.title',
      'i.cause_kind',
    ])
    .orderBy('c.at')
    .orderBy('c.assessment')
    .execute();
  return rows.map((row) =>
    triageCase.parse({
      id: row.assessment,
      template: row.assessment,
      split: 'test',
      expected: { category: row.category, actions: z.array(actionKind).parse(row.actions) },
      incident: {
        cause: row.cause_kind,
        title: row.title.slice(0, 500),
        severity: severity.parse(row.severity),
      },
      evidence: z.array(evidenceItem).parse(row.evidence),
    }),
  );
}
