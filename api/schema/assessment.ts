import { z } from 'zod';
import { ACTIONS, action } from '../../model/action.ts';
import { CATEGORIES, type Category, claim, evidenceItem, verdict } from '../../model/assessment.ts';
import type { AssessmentRow } from '../../store/postgres/incident-queries.ts';
import { builder } from './builder.ts';
import { hyphenated, SeverityEnum, TierEnum } from './enums.ts';
import { instantOfDate, KeyValueRef, keyValues } from './scalars.ts';

export const CategoryEnum = builder.enumType('Category', { values: hyphenated(CATEGORIES) });
const AuthorEnum = builder.enumType('Author', { values: ['rules', 'model'] as const });

const ClaimRef = builder.objectRef<z.infer<typeof claim>>('Claim').implement({
  description: 'A statement and the numbers of the evidence that carries it.',
  fields: (t) => ({ text: t.exposeString('text'), evidence: t.exposeIntList('evidence') }),
});

const EvidenceRef = builder.objectRef<z.infer<typeof evidenceItem>>('EvidenceItem').implement({
  description: 'One numbered item of the frozen evidence.',
  fields: (t) => ({
    number: t.exposeInt('number'),
    kind: t.exposeString('kind'),
    at: t.string({ nullable: true, resolve: (item) => item.at ?? null }),
    facts: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: (item) => keyValues(item.facts),
    }),
  }),
});

const storedAction = action.omit({ proposedBy: true }).extend({ proposedBy: z.string().optional() });
const ProposedActionRef = builder.objectRef<z.infer<typeof storedAction>>('ProposedAction').implement({
  description: 'A proposed next step. Nothing runs it before people have decided.',
  fields: (t) => ({
    kind: t.exposeString('kind'),
    title: t.string({ resolve: ({ kind }) => ACTIONS[kind].title }),
    tier: t.field({ type: TierEnum, resolve: ({ kind }) => ACTIONS[kind].tier }),
    reason: t.exposeString('reason'),
    evidence: t.exposeIntList('evidence'),
    proposedBy: t.string({ nullable: true, resolve: (proposed) => proposed.proposedBy ?? null }),
  }),
});

const VerdictRef = builder.objectRef<z.infer<typeof verdict>>('ValidatorVerdict').implement({
  description: 'What the validator decided on a part of a model’s answer.',
  fields: (t) => ({
    part: t.exposeString('part'),
    outcome: t.exposeString('outcome'),
    reason: t.exposeString('reason'),
  }),
});

export const AssessmentRef = builder.objectRef<AssessmentRow>('Assessment').implement({
  description:
    'What the rules, or a validated model, make of an incident. It decides nothing and acts on nothing.',
  fields: (t) => ({
    id: t.exposeID('id'),
    version: t.exposeInt('version'),
    author: t.expose('author', { type: AuthorEnum }),
    category: t.field({ type: CategoryEnum, resolve: (row) => row.category as Category }),
    severity: t.expose('severity', { type: SeverityEnum }),
    summary: t.exposeString('summary'),
    probableCause: t.exposeString('probable_cause'),
    nextStep: t.exposeString('next_step'),
    confidence: t.exposeFloat('confidence'),
    claims: t.field({
      type: [ClaimRef],
      extensions: { costRows: 10 },
      resolve: (row) => z.array(claim).parse(row.claims),
    }),
    proposedActions: t.field({
      type: [ProposedActionRef],
      resolve: (row) => z.array(storedAction).parse(row.proposed_actions),
    }),
    evidence: t.field({ type: [EvidenceRef], resolve: (row) => z.array(evidenceItem).parse(row.evidence) }),
    evidenceHash: t.exposeString('evidence_hash'),
    verdicts: t.field({ type: [VerdictRef], resolve: (row) => z.array(verdict).parse(row.verdicts) }),
    promptId: t.exposeString('prompt_id', { nullable: true }),
    promptHash: t.exposeString('prompt_hash', { nullable: true }),
    model: t.exposeString('model', { nullable: true }),
    fallbackReason: t.exposeString('fallback_reason', {
      nullable: true,
      description: 'Why the rules wrote it though a model is configured',
    }),
    createdAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.created_at) }),
  }),
});
