import { z } from 'zod';
import type { Severity } from './severity.ts';

/** A resolved incident never absorbs more; new exceptions of its cause open a new one with `recurrenceOf`. */
export const INCIDENT_STATES = ['open', 'acknowledged', 'resolved'] as const;
export const incidentState = z.enum(INCIDENT_STATES);
export type IncidentState = z.infer<typeof incidentState>;

/** What makes exceptions one incident, the first that applies. */
export const CAUSE_KINDS = ['interface-error', 'stale-source', 'batch', 'rule-counterparty', 'rule'] as const;
export const causeKind = z.enum(CAUSE_KINDS);
export type CauseKind = z.infer<typeof causeKind>;

export interface Cause {
  readonly kind: CauseKind;
  /** Stable text that identifies the cause within its kind. */
  readonly key: string;
  readonly title: string;
}

export interface Incident {
  readonly id: string;
  readonly number: string;
  readonly company: string;
  readonly cause: Cause;
  readonly title: string;
  readonly severity: Severity;
  readonly state: IncidentState;
}

/** The move of an incident that `act` asks for, or undefined when its state forbids it. */
export function nextIncidentState(
  state: IncidentState,
  act: 'acknowledge' | 'resolve' | 'reopen',
): IncidentState | undefined {
  if (act === 'acknowledge') return state === 'open' ? 'acknowledged' : undefined;
  if (act === 'resolve') return state === 'resolved' ? undefined : 'resolved';
  return state === 'resolved' ? 'open' : undefined;
}
