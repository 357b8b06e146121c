import { sumByCurrency } from './money.ts';
import { type CloseImpact, SEVERITIES, type Severity } from './severity.ts';

/** A hard gate of the close: any closed gate means "not ready", whatever the score. */
export interface Gate {
  readonly id:
    | 'period-ended'
    | 'data-known'
    | 'critical-exception'
    | 'blocking-exceptions'
    | 'undecided'
    | 'stale-source'
    | 'dead-letters';
  readonly title: string;
  /** `unknown`: there is no data to tell; it lowers the confidence and never counts as passed. */
  readonly state: 'passed' | 'blocked' | 'unknown';
  readonly detail: string;
}

/** So many exceptions of one kind, and the exact sum of their amounts when they have a currency. */
export interface ExceptionGroup {
  readonly severity: Severity;
  readonly closeImpact: CloseImpact;
  readonly state: 'open' | 'indeterminate' | 'waived';
  readonly currency?: string | undefined;
  readonly amount?: string | undefined;
  readonly count: number;
}

export interface ReadinessFacts {
  /** Has the period ended at the judging instant? */
  readonly ended: boolean;
  /** Did any source send anything for the company before the period's end? */
  readonly dataKnown: boolean;
  /** Exceptions of documents that began before the period's end. */
  readonly groups: readonly ExceptionGroup[];
  /** `complete`: up to the period's end, or as of now when that lies ahead. */
  readonly sources: readonly { source: string; complete: boolean }[];
  /** Refused events since the period began that nobody has settled. */
  readonly deadLetters: {
    /** Those that concern the company. */
    readonly own: number;
    /** Those of which nobody can say whom they concern: told, but they hold up no company's close. */
    readonly nobodys: number;
  };
  /** Are the company's materiality limits known? Without them severities stand in the middle band. */
  readonly materialityKnown: boolean;
}

const gate = (id: Gate['id'], title: string, count: number, detail: string): Gate => ({
  id,
  title,
  state: count > 0 ? 'blocked' : 'passed',
  detail,
});

const countOf = (groups: readonly ExceptionGroup[]): number =>
  groups.reduce((sum, group) => sum + group.count, 0);
const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`;

function sourceGate(sources: ReadinessFacts['sources']): Gate {
  const title = 'Every source is complete';
  if (sources.length === 0)
    return { id: 'stale-source', title, state: 'unknown', detail: 'no source has sent anything yet' };
  const stale = sources.filter((source) => !source.complete);
  const names = [...new Set(stale.map((source) => source.source))];
  const detail =
    stale.length === 0 ? `${plural(sources.length, 'stream')} complete` : `stale: ${names.join(', ')}`;
  return gate('stale-source', title, stale.length, detail);
}

/** A gate that is either passed or cannot be told. */
const tellable = (id: Gate['id'], title: string, told: boolean, passed: string, unknown: string): Gate => ({
  id,
  title,
  state: told ? 'passed' : 'unknown',
  detail: told ? passed : unknown,
});

function deadLetterGate({ own, nobodys }: ReadinessFacts['deadLetters']): Gate {
  const note = nobodys > 0 ? `; ${nobodys} more name neither a known source nor a known company` : '';
  return gate('dead-letters', 'No event was refused', own, `${plural(own, 'open dead letter')}${note}`);
}

/** The gates that a period's close has to pass, in the order in which people look at them. */
export function gatesOf(facts: ReadinessFacts): Gate[] {
  const standing = facts.groups.filter((group) => group.state !== 'waived');
  const critical = countOf(standing.filter((group) => group.severity === 'critical'));
  const blocking = countOf(standing.filter((group) => group.closeImpact === 'blocker'));
  const undecided = countOf(standing.filter((group) => group.state === 'indeterminate'));
  return [
    tellable('period-ended', 'The period has ended', facts.ended, 'it has', 'it still runs, or lies ahead'),
    tellable(
      'data-known',
      'There is data for the period',
      facts.dataKnown,
      'sources sent before its end',
      'no source sent anything before its end',
    ),
    gate('critical-exception', 'No critical exception is open', critical, `${critical} open`),
    gate('blocking-exceptions', 'No exception that blocks the close is open', blocking, `${blocking} open`),
    tellable(
      'undecided',
      'Every due document could be judged',
      undecided === 0,
      'nothing waits for a source',
      `${plural(undecided, 'document')} cannot be judged: a source is not complete`,
    ),
    sourceGate(facts.sources),
    deadLetterGate(facts.deadLetters),
  ];
}

export const VERDICTS = ['ready', 'not-ready', 'unknown'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** `ready` only when every gate passed; `unknown` when none is blocked but one cannot be told. */
export function verdictOf(gates: readonly Gate[]): Verdict {
  if (gates.some((g) => g.state === 'blocked')) return 'not-ready';
  return gates.some((g) => g.state === 'unknown') ? 'unknown' : 'ready';
}

/** How far the verdict can be relied on, 0 to 1: the share of gates that could be told, times 0.8 without materiality. */
export function confidenceOf(gates: readonly Gate[], materialityKnown: boolean): number {
  if (gates.length === 0) return 0;
  const told = gates.filter((g) => g.state !== 'unknown').length / gates.length;
  return Math.round(told * (materialityKnown ? 1 : 0.8) * 100) / 100;
}

/** Open exceptions of one severity: how many, how many of them block the close, and their money by currency. */
export interface SeverityLine {
  readonly severity: Severity;
  readonly count: number;
  readonly blockers: number;
  readonly sums: readonly { currency: string; amount: string }[];
}

/** One line a severity, the worst first, those without exceptions too. */
export function linesOf(groups: readonly ExceptionGroup[]): SeverityLine[] {
  const standing = groups.filter((group) => group.state !== 'waived');
  return SEVERITIES.toReversed().map((severity) => {
    const own = standing.filter((group) => group.severity === severity);
    return {
      severity,
      count: countOf(own),
      blockers: countOf(own.filter((group) => group.closeImpact === 'blocker')),
      sums: sumByCurrency(own),
    };
  });
}
