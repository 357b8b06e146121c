import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Actor } from '../../model/principal.ts';
import { exceptionRow, temporaryPostgres } from '../../test/incident-house.ts';
import { correctAssessment, correctedCases } from './corrections.ts';
import type { Postgres } from './database.ts';
import { incidentsToRoute } from './messages.ts';
import { endSilence, livingSilences, silence } from './silences.ts';

let postgres: Postgres;
let close: () => Promise<void>;
const now = new Date('2026-05-04T10:00:00Z');
const in_ = (hours: number): Date => new Date(now.getTime() + hours * 3_600_000);
const sam: Actor = { kind: 'human', id: 'sam', name: 'Sam', roles: ['support'], companies: ['acme'] };

beforeAll(async () => {
  ({ postgres, close } = await temporaryPostgres());
  for (const [id, company, rule] of [
    ['i1', 'acme', 'MP-02'],
    ['i2', 'acme', 'MP-09'],
    ['i3', 'globex', 'MP-02'],
  ] as const) {
    const facts = {
      cause_kind: 'rule',
      cause_key: rule,
      title: rule,
      severity: 'high' as const,
      opened_at: now,
    };
    await postgres.db
      .insertInto('incidents')
      .values({ id, company, ...facts })
      .execute();
    const row = exceptionRow(`e-${id}`, { rule, company, source: `/source/${id}` });
    await postgres.db
      .insertInto('exceptions')
      .values({ ...row, incident: id })
      .execute();
  }
});
afterAll(() => close());

const told = async (at: Date): Promise<string[]> =>
  (await incidentsToRoute(postgres, 10, at)).map(({ incident }) => incident.id).sort();

test('nobody is told while a silence holds, of what it names and of nothing else', async () => {
  expect(await told(now)).toEqual(['i1', 'i2', 'i3']);
  const wish = { company: 'acme', rule: 'MP-02', reason: 'known', until: in_(2) };
  const held = await silence(postgres, wish, sam, now);
  expect(await told(in_(1))).toEqual(['i2', 'i3']);
  expect(await livingSilences(postgres, ['acme'], in_(1))).toHaveLength(1);
  expect(await livingSilences(postgres, ['globex'], in_(1))).toHaveLength(0);
  expect(await told(in_(2))).toEqual(['i1', 'i2', 'i3']);
  await endSilence(postgres, held.id, sam, in_(1));
  expect(await told(in_(1))).toEqual(['i1', 'i2', 'i3']);
  await expect(endSilence(postgres, held.id, sam, in_(1))).rejects.toMatchObject({ code: 'state.conflict' });
  await silence(postgres, { company: 'acme', reason: 'a move of offices', until: in_(3) }, sam, now);
  expect(await told(in_(1))).toEqual(['i3']);
  await postgres.db.updateTable('incidents').set({ state: 'resolved' }).where('id', '=', 'i2').execute();
  expect(await told(in_(1))).toEqual(['i2', 'i3']);
});

test.each([
  ['without a reason', { company: 'acme', reason: ' ', until: in_(1) }, 'request.malformed'],
  ['for ever', { company: 'acme', reason: 'x', until: in_(24 * 32) }, 'request.malformed'],
  ['in the past', { company: 'acme', reason: 'x', until: in_(-1) }, 'request.malformed'],
  ['of another company', { company: 'globex', reason: 'x', until: in_(1) }, 'auth.forbidden'],
])('there is none %s', async (_, wish, code) => {
  await expect(silence(postgres, wish, sam, now)).rejects.toMatchObject({ code });
});

test('what people say of an assessment becomes a case', async () => {
  await postgres.db
    .insertInto('assessments')
    .values({
      id: 'a1',
      incident: 'i1',
      version: 1,
      author: 'rules',
      category: 'unknown',
      severity: 'high',
      summary: 's',
      probable_cause: 'p',
      next_step: 'n',
      confidence: 0.2,
      evidence: JSON.stringify([{ number: 1, kind: 'history', facts: { cause: 'rule' } }]),
      evidence_hash: 'h',
    })
    .execute();
  const wish = { assessment: 'a1', category: 'mapping', actions: ['reprocess-events'] } as const;
  await expect(
    correctAssessment(postgres, wish, { ...sam, companies: ['globex'] }, now),
  ).rejects.toMatchObject({
    code: 'not-found',
  });
  await correctAssessment(postgres, { ...wish, category: 'timeout' }, sam, now);
  await correctAssessment(postgres, wish, sam, now);
  expect(await correctedCases(postgres)).toMatchObject([
    {
      id: 'a1',
      expected: { category: 'mapping', actions: ['reprocess-events'] },
      evidence: [{ kind: 'history' }],
    },
  ]);
});
