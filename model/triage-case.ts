import { z } from 'zod';
import { actionKind } from './action.ts';
import { category, evidenceItem } from './assessment.ts';
import { causeKind } from './incident.ts';
import { severity } from './severity.ts';

const text = (most: number) => z.string().max(most);

/** An incident as it would come to triage, with what a person says of it: a line of an evaluation file. */
export const triageCase = z.strictObject({
  id: text(128),
  template: text(128)
    .default('')
    .describe('what its wording was made of: cases with the same one are in the same split'),
  split: z.enum(['train', 'test']).default('test'),
  expected: z.strictObject({
    category,
    actions: z
      .array(actionKind)
      .default([])
      .describe('actions that a person would agree to; none: not scored'),
  }),
  incident: z.strictObject({
    cause: causeKind.default('rule'),
    title: text(500).default('An incident'),
    severity: severity.default('medium'),
  }),
  exceptions: z
    .array(
      z.strictObject({
        rule: text(64),
        kind: text(32).default('response'),
        state: z.enum(['open', 'late', 'indeterminate']).default('open'),
        source: text(1_024).default('/odoo/prod'),
        subject: text(512).default('account.move/1'),
        amount: z.string().optional(),
        currency: z.string().optional(),
      }),
    )
    .max(100)
    .default([]),
  events: z
    .array(
      z.strictObject({
        type: text(128),
        source: text(1_024).default('/odoo/prod'),
        subject: text(512).default('account.move/1'),
        party: text(512).optional(),
        attributes: z.record(z.string(), z.string()).default({}),
      }),
    )
    .max(100)
    .default([]),
  evidence: z
    .array(evidenceItem)
    .max(200)
    .optional()
    .describe('the frozen items themselves, instead of exceptions, events and errors'),
  errors: z
    .array(
      z.strictObject({
        service: text(256),
        operation: text(512),
        message: text(100_000),
        type: text(512).optional(),
        http: z.int().min(100).max(599).optional(),
        grpc: z.int().min(0).max(16).optional(),
        count: z.int().min(1).max(50).default(1),
      }),
    )
    .max(50)
    .default([]),
});
export type TriageCase = z.infer<typeof triageCase>;
