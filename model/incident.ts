import { z } from 'zod';
import { severity } from './severity.ts';

/** A resolved incident never absorbs more; new exceptions of its cause open a new one with `recurrenceOf`. */
export const INCIDENT_STATES = ['open', 'acknowledged', 'resolved'] as const;
export const incidentState = z.enum(INCIDENT_STATES);
export type IncidentState = z.infer<typeof incidentState>;

/** What makes exceptions one incident, the first that applies; `split`: people took them out of another. */
export const CAUSE_KINDS = [
  'interface-error',
  'stale-source',
  'batch',
  'rule-counterparty',
  'rule',
  'split',
] as const;
export const causeKind = z.enum(CAUSE_KINDS);
export type CauseKind = z.infer<typeof causeKind>;

export const cause = z.strictObject({
  kind: causeKind,
  key: z.string().describe('stable text that identifies the cause within its kind'),
  title: z.string(),
});
export type Cause = Readonly<z.infer<typeof cause>>;

/** What people own: the exceptions of one cause in one company. */
export const incident = z.strictObject({
  id: z.string(),
  number: z.string().describe('the number that people say'),
  company: z.string(),
  cause,
  title: z.string(),
  severity,
  state: incidentState,
  recurrenceOf: z.string().optional().describe('the resolved incident of the same cause before this one'),
});
export type Incident = z.infer<typeof incident>;

/** The move of an incident that `act` asks for, or undefined when its state forbids it. */
export function nextIncidentState(
  state: IncidentState,
  act: 'acknowledge' | 'resolve' | 'reopen',
): IncidentState | undefined {
  if (act === 'acknowledge') return state === 'open' ? 'acknowledged' : undefined;
  if (act === 'resolve') return state === 'resolved' ? undefined : 'resolved';
  return state === 'resolved' ? 'open' : undefined;
}
