import { z } from 'zod';
import { currencyCode, decimalText } from './money.ts';
import { closeImpact, severity } from './severity.ts';

/** States of an exception: of an obligation that is or was open or indeterminate. */
export const EXCEPTION_STATES = ['open', 'indeterminate', 'late', 'voided', 'waived', 'resolved'] as const;
export const exceptionState = z.enum(EXCEPTION_STATES);
export type ExceptionState = z.infer<typeof exceptionState>;
export const isOpenException = (state: ExceptionState): boolean =>
  state === 'open' || state === 'indeterminate';

/** An obligation that was not met, as people see it. Its identity is (rule, company, source, subject, occurrence). */
export const exception = z.strictObject({
  id: z.string(),
  rule: z.string(),
  ruleVersion: z.int().min(1).describe('recorded, no part of the identity'),
  flow: z.string(),
  company: z.string(),
  source: z.string(),
  subject: z.string(),
  occurrence: z.string(),
  state: exceptionState,
  severity,
  closeImpact,
  amount: decimalText.optional(),
  currency: currencyCode.optional(),
  why: z.string().describe('one sentence'),
  incident: z.string().optional(),
});
export type Exception = z.infer<typeof exception>;
