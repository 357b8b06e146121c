import type { Severity } from './severity.ts';

/** A hard gate of the close: any closed gate means "not ready", whatever the score. */
export interface Gate {
  readonly id: 'critical-exception' | 'blocking-exceptions' | 'stale-source' | 'dead-letters';
  readonly title: string;
  /** `unknown`: there is no data to tell; it lowers the confidence and never counts as passed. */
  readonly state: 'passed' | 'blocked' | 'unknown';
  readonly detail: string;
}

export interface ReadinessFacts {
  readonly exceptions: readonly {
    severity: Severity;
    closeImpact: 'none' | 'warning' | 'blocker';
    amount?: string | undefined;
    currency?: string | undefined;
    open: boolean;
  }[];
  readonly sources: readonly { source: string; stream: string; fresh: boolean }[];
  readonly deadLetters: number;
}

const gate = (id: Gate['id'], title: string, count: number, detail: string): Gate => ({
  id,
  title,
  state: count > 0 ? 'blocked' : 'passed',
  detail,
});

/** The gates that a period's close has to pass, in the order in which people look at them. */
export function gatesOf(facts: ReadinessFacts): Gate[] {
  const open = facts.exceptions.filter((exception) => exception.open);
  const critical = open.filter((exception) => exception.severity === 'critical').length;
  const blocking = open.filter((exception) => exception.closeImpact === 'blocker').length;
  const stale = facts.sources.filter((source) => !source.fresh);
  return [
    gate('critical-exception', 'No critical exception is open', critical, `${critical} open`),
    gate('blocking-exceptions', 'No exception that blocks the close is open', blocking, `${blocking} open`),
    facts.sources.length === 0
      ? {
          id: 'stale-source',
          title: 'Every source is complete',
          state: 'unknown',
          detail: 'no source has sent anything yet',
        }
      : gate(
          'stale-source',
          'Every source is complete',
          stale.length,
          stale.length === 0
            ? `${facts.sources.length} fresh`
            : `stale: ${stale.map((source) => source.source).join(', ')}`,
        ),
    gate('dead-letters', 'No event was refused', facts.deadLetters, `${facts.deadLetters} dead letters`),
  ];
}

/** `ready` only when every gate passed; `unknown` when none is blocked but one cannot be told. */
export function verdictOf(gates: readonly Gate[]): 'ready' | 'not-ready' | 'unknown' {
  if (gates.some((g) => g.state === 'blocked')) return 'not-ready';
  return gates.some((g) => g.state === 'unknown') ? 'unknown' : 'ready';
}

/** The share of gates that could be told, 0 to 1. */
export const confidenceOf = (gates: readonly Gate[]): number =>
  gates.length === 0 ? 0 : gates.filter((g) => g.state !== 'unknown').length / gates.length;
