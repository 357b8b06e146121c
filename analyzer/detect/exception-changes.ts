import type { ExceptionState } from '../../model/exception.ts';
import { isOpenException } from '../../model/exception.ts';
import type { Obligation } from '../../model/obligation.ts';
import type { CloseImpact, Severity } from '../../model/severity.ts';
import { inhibitedByException } from '../../store/postgres/inhibitions.ts';

/** The part of a stored exception that decides what may follow. */
export interface ExceptionBefore {
  readonly state: ExceptionState;
  readonly openedAt: Date;
  readonly closedAt: Date | null;
  readonly reopened: number;
  readonly notify: boolean;
  readonly inhibitedBy: string | null;
}

/** An exception as it is to be stored. */
export interface ExceptionAfter extends ExceptionBefore {
  readonly change: 'opened' | 'reopened' | 'closed' | 'changed';
  readonly severity: Severity;
  readonly closeImpact: CloseImpact;
}

/** Kinds that judge what is there: an exception of them ends when its condition is gone. */
const WITHOUT_ANSWER: ReadonlySet<string> = new Set([
  'precedence',
  'distinct-actors',
  'equal-value',
  'no-duplicate',
  'threshold',
  'membership',
  'integrity',
  'anomaly',
]);

const EXPLAINED = inhibitedByException('');

/** What an obligation's state means for its exception. `gone`: it is no obligation any more. */
export function exceptionStateOf(obligation: Pick<Obligation, 'state' | 'kind'> | 'gone'): ExceptionState {
  if (obligation === 'gone') return 'resolved';
  switch (obligation.state) {
    case 'open':
    case 'indeterminate':
    case 'late':
    case 'waived':
      return obligation.state;
    case 'voided':
      return WITHOUT_ANSWER.has(obligation.kind) ? 'resolved' : 'voided';
    case 'satisfied':
    case 'pending':
      return 'resolved';
  }
}

/**
 * The exception that follows from what was stored and the state that its obligation asks for, at `now`; undefined when
 * there is none to be. Only an open or indeterminate obligation begins one; a waiver holds until the exception closes; one
 * that closed and breaches again is the same, reopened. Indeterminate ones notify nobody: the stale source's does; nor do those of
 * a rule that only observes (`quiet`).
 */
export function nextException(
  before: ExceptionBefore | undefined,
  state: ExceptionState,
  { quiet = false, ...judged }: { severity: Severity; closeImpact: CloseImpact; quiet?: boolean },
  now: Date,
): ExceptionAfter | undefined {
  const breaching = isOpenException(state);
  if (!before) {
    if (!breaching) return undefined;
    const fresh = { openedAt: now, closedAt: null, reopened: 0, inhibitedBy: null };
    return { ...judged, ...fresh, state, notify: state === 'open' && !quiet, change: 'opened' };
  }
  // A clock that was ahead opened it at a time that is yet to come.
  const openedAt = before.openedAt > now ? now : before.openedAt;
  if (before.state === 'waived' && breaching) return { ...before, ...judged, openedAt, change: 'changed' };
  const wasBreaching = isOpenException(before.state) || before.state === 'waived';
  if (!breaching) {
    const closedAt = wasBreaching ? now : before.closedAt;
    const change = wasBreaching ? 'closed' : 'changed';
    return { ...before, ...judged, state, openedAt, closedAt, inhibitedBy: null, change };
  }
  // What another exception explains is held back until that one is over.
  const isExplained = before.inhibitedBy?.startsWith(EXPLAINED) ?? false;
  return {
    ...judged,
    state,
    openedAt,
    closedAt: null,
    reopened: before.reopened + (wasBreaching ? 0 : 1),
    notify: (before.notify || (state === 'open' && !isExplained)) && !quiet,
    inhibitedBy: state === 'indeterminate' || isExplained ? before.inhibitedBy : null,
    change: wasBreaching ? 'changed' : 'reopened',
  };
}
