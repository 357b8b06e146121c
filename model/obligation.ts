import { z } from 'zod';

/**
 * The state of an obligation at an instant; exactly one holds. `pending` due later; `satisfied` answered by the deadline
 * (exactly at it is in time); `late` answered after it; `open` due, the source complete up to the deadline, no answer;
 * `indeterminate` due, but the source not complete up to it; `voided`; `waived`. `resolved`: a kind without an answer
 * whose condition is gone (it counts as `voided` where the seven are counted).
 */
export const OBLIGATION_STATES = [
  'pending',
  'satisfied',
  'late',
  'open',
  'voided',
  'indeterminate',
  'waived',
] as const;
export const obligationState = z.enum(OBLIGATION_STATES);
export type ObligationState = z.infer<typeof obligationState>;
export type StateCounts = Record<ObligationState, number>;

/** One expectation for one subject, as judged at an instant. Instants are epoch nanoseconds. Its fields may be made when they are read: a spread has none of them. */
export interface Obligation {
  /** sha256 of (rule, company, source and subject, occurrence): the identity; the rule's version is no part of it. */
  readonly id: string;
  readonly rule: string;
  readonly ruleVersion: number;
  readonly flow: string;
  readonly kind: string;
  readonly company: string;
  readonly source: string;
  readonly subject: string;
  /** What tells several obligations of one rule and subject apart: the anchor's event id for `each` and for a stay in a state, else the pick, and the case's key when keys part the subject into cases. */
  readonly occurrence: string;
  readonly state: ObligationState;
  readonly anchorEvent: string;
  readonly anchorAt: bigint;
  readonly dueAt: bigint;
  readonly answeredAt?: bigint | undefined;
  readonly amount?: string | undefined;
  readonly currency?: string | undefined;
  /** In company currency, when the anchor tells. */
  readonly companyAmount?: string | undefined;
  /** Ids of the events that decided it: anchor, answer or voiding event, duplicates. */
  readonly events: readonly string[];
  /** Their sources, one for each: an id names an event only within its source. */
  readonly eventSources: readonly string[];
  /** Trace ids of those events. */
  readonly traceIds: readonly string[];
  /** The key that leads to its case: its group's, or the join key of its anchor's subject; empty where it has no case. */
  readonly caseKey: string;
  /** One sentence. */
  readonly why: string;
  /** Accounting period of the anchor, `YYYY-MM`, when it tells. */
  readonly period?: string | undefined;
  /** The watermark an unanswered one relied on; undefined: none was known, or none was needed. */
  readonly watermark?: bigint | undefined;
  /** The event that started it is imported or back-filled: it opens nothing live. */
  readonly history: boolean;
  /** Instants after the deadline at which the severity rises by one more. */
  readonly raisesAt?: readonly bigint[] | undefined;
  /** An instant at which it may be over though nothing new came: a window runs empty. */
  readonly againAt?: bigint | undefined;
}
