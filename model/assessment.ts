import { z } from 'zod';
import { modelActionKind } from './action.ts';
import { severity } from './severity.ts';

/** The closed list of categories. */
export const CATEGORIES = [
  'mapping',
  'missing-data',
  'connection',
  'rate-limit',
  'timeout',
  'parse',
  'schema-change',
  'duplicate',
  'locked-period',
  'approval',
  'late-batch',
  'amount-mismatch',
  'wrong-entity',
  'master-data',
  'credentials',
  'access',
  'bank-rejection',
  'tax-engine',
  'sequence',
  'control-breach',
  'feed-stale',
  'capacity',
  'unknown',
] as const;
export const category = z.enum(CATEGORIES);
export type Category = z.infer<typeof category>;

/** A statement and the numbers of the evidence items that carry it (1-based, at least one). */
export const claim = z.strictObject({ text: z.string().max(400), evidence: z.array(z.int().min(1)).max(12) });

/** What a model may answer, and nothing else; code decides what of it survives. */
export const modelAnswer = z.strictObject({
  category,
  severity,
  summary: z.string().max(600),
  probableCause: z.string().max(400),
  nextStep: z.string().max(300),
  confidence: z.number().min(0).max(1),
  claims: z.array(claim).max(8),
  proposedActions: z
    .array(
      z.strictObject({
        kind: modelActionKind,
        reason: z.string().max(300),
        evidence: z.array(z.int().min(1)).max(12),
      }),
    )
    .max(4),
});
export type ModelAnswer = z.infer<typeof modelAnswer>;

/** One numbered item of a frozen evidence package: what it is, when, and a typed, allow-listed projection of it. */
export const evidenceItem = z.strictObject({
  number: z.int().min(1),
  kind: z.enum(['exception', 'event', 'span', 'source', 'history', 'runbook']),
  at: z.string().optional(),
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  ref: z
    .string()
    .optional()
    .describe('id of the exception, event or trace; for people, never sent to a model'),
  label: z.string().optional().describe('what it is of: the document; for people, never sent to a model'),
});
export type EvidenceItem = z.infer<typeof evidenceItem>;

/** One verdict of the validator on a part of a model's answer. */
export const verdict = z.strictObject({
  part: z.string(),
  outcome: z.enum(['kept', 'dropped', 'capped', 'replaced']),
  reason: z.string(),
});
export type Verdict = z.infer<typeof verdict>;

/** Why the rules' assessment stands though a model is configured; `pending`: it has not been asked yet. */
const FALLBACK_REASONS = [
  'pending',
  'tripwire',
  'refusal',
  'truncated',
  'malformed',
  'wrong-schema',
  'too-large',
  'unsupported',
  'timeout',
  'rate-limited',
  'server-error',
  'request-refused',
  'connection',
  'breaker-open',
  'busy',
  'superseded',
  'budget',
  'switched-off',
] as const;
const fallbackReason = z.enum(FALLBACK_REASONS);
export type FallbackReason = z.infer<typeof fallbackReason>;

/** The stored assessment of an incident: written by the rules, or by a model and validated. */
export const assessment = modelAnswer.extend({
  author: z.enum(['rules', 'model']),
  evidence: z.array(evidenceItem),
  evidenceHash: z.string(),
  promptId: z.string().optional(),
  promptHash: z.string().optional(),
  schemaHash: z.string().optional(),
  model: z.string().optional(),
  inputHash: z.string().optional(),
  outputHash: z.string().optional(),
  tokensIn: z.int().optional(),
  tokensOut: z.int().optional(),
  fallbackReason: fallbackReason.optional().describe('why the rules wrote it though a model is configured'),
  verdicts: z.array(verdict),
});
export type Assessment = z.infer<typeof assessment>;
