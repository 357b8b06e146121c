import type { TextCount } from '../../../store/clickhouse/objective-queries.ts';
import type { SignatureRow } from '../../../store/postgres/objectives.ts';
import { normaliseText } from '../../incidents/signature.ts';
import { countTail } from '../anomaly/tails.ts';

/** An error that is told: never seen before, or much more frequent than usual. */
export interface ErrorFinding {
  readonly service: string;
  readonly signature: string;
  readonly isNew: boolean;
  readonly count: number;
  readonly why: string;
}

/** Share of usual stretches of time that may be called unusual. */
const FALSE = 1e-5;
/** How unevenly errors come: a negative binomial with this dispersion. */
const DISPERSION = 1.5;
/** The usual rate forgets by half in so many minutes. */
const HALF_LIFE = 1440;
const MS_A_MINUTE = 60_000;

/**
 * Adds what came in the last minutes to what is known of each signature, and says which are new (never seen, and at least
 * `least` times) or come much more often than usual. While an objective learns, nothing is said: everything is new then.
 */
export function countErrors(
  known: readonly SignatureRow[],
  counts: readonly TextCount[],
  { minutes, least, at, learning }: { minutes: number; least: number; at: Date; learning: boolean },
): { rows: SignatureRow[]; findings: ErrorFinding[] } {
  const before = new Map(known.map((row) => [keyOf(row), row]));
  const now = new Map<string, { service: string; signature: string; count: number }>();
  for (const { service, text, count } of counts) {
    const signature = normaliseText(text) || 'error';
    const key = keyOf({ service, signature });
    const one = now.get(key) ?? { service, signature, count: 0 };
    one.count += count;
    now.set(key, one);
  }
  const findings: ErrorFinding[] = [];
  const rows: SignatureRow[] = [];
  for (const [key, { service, signature, count }] of now) {
    const row = before.get(key);
    const rate = decayed(row, at);
    const expected = Math.max(0.2, rate * minutes);
    const isNew = !row && count >= least;
    const isMore =
      row !== undefined && count >= least && 1 - countTail(count - 1, expected, DISPERSION) < FALSE;
    if (!learning && (isNew || isMore)) {
      const why = isNew
        ? `${service} tells an error that it never told before, ${count} times within ${minutes} min: ${signature}`
        : `${service} tells an error ${count} times within ${minutes} min, where ${expected.toFixed(1)} are usual: ${signature}`;
      findings.push({ service, signature, isNew, count, why });
    }
    const weight = 1 - 0.5 ** (minutes / HALF_LIFE);
    rows.push({
      service,
      signature,
      firstAt: row?.firstAt ?? at,
      lastAt: at,
      total: (row?.total ?? 0) + count,
      // What was forgotten since it was last seen, these minutes among them, is forgotten already.
      rate: rate + weight * (count / minutes),
    });
  }
  return { rows, findings };
}

const keyOf = ({ service, signature }: { service: string; signature: string }): string =>
  `${service}\n${signature}`;

/** The usual rate a minute, less what was forgotten since it was last seen. */
const decayed = (row: SignatureRow | undefined, at: Date): number =>
  row ? row.rate * 0.5 ** (Math.max(0, at.getTime() - row.lastAt.getTime()) / MS_A_MINUTE / HALF_LIFE) : 0;
