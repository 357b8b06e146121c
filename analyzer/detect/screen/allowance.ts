import type { Company } from '../../../model/company.ts';
import { parseDuration } from '../../../model/duration.ts';
import { formatInstant } from '../../../model/time.ts';
import type { Timing } from '../../../model/timing.ts';
import type { AllowanceTable } from '../../../store/clickhouse/unanswered.ts';
import { dueOf } from '../deadline.ts';

const QUARTER = 900_000_000_000n;
const QUARTERS_AN_HOUR = 4n;
const HOUR = QUARTERS_AN_HOUR * QUARTER;

/** The nanoseconds that the timing allows whenever something starts; undefined where that depends on a calendar or a date. */
export function allowedAlways({ within, closing, cutoff, until, grace }: Timing): bigint | undefined {
  if (until !== undefined || closing !== undefined || cutoff !== undefined || within === undefined)
    return undefined;
  const nanos = [within, grace ?? '0s'].map((text) => {
    const duration = parseDuration(text);
    return duration?.clock === 'elapsed' ? duration.nanos : undefined;
  });
  return nanos.reduce<bigint | undefined>(
    (sum, one) => (sum === undefined || one === undefined ? undefined : sum + one),
    0n,
  );
}

const KNOWN = new Map<string, readonly number[]>();
const KEPT = 200;

/**
 * How long what starts in each hour of [from, to] surely has, at each of the places: of a company with a timing as it holds there.
 * Clocks and calendars change at quarters of an hour alone, and within one of these who starts later is not due earlier: it has at least
 * what is left, of what the start of the quarter has, at its end.
 */
export function allowanceTable(
  places: readonly { readonly company: Company; readonly timing: Timing }[],
  { from, to }: { readonly from: bigint; readonly to: bigint },
): AllowanceTable {
  const [first, last] = [from / HOUR, to / HOUR];
  return {
    firstHour: Number(first),
    hours: Number(last - first) + 1,
    quarters: places.flatMap(({ company, timing }) => rowOf(company, timing, first, last)),
  };
}

function rowOf(company: Company, timing: Timing, first: bigint, last: bigint): readonly number[] {
  const { within, closing, cutoff, until, grace } = timing;
  const name = JSON.stringify([company.timezone, company.calendar, within, closing, cutoff, until, grace]);
  const key = `${name} ${first} ${last}`;
  const known = KNOWN.get(key);
  if (known) return known;
  const row: number[] = [];
  for (let hour = first; hour <= last; hour += 1n) row.push(Number(leastIn(hour, company, timing)));
  if (KNOWN.size >= KEPT) KNOWN.clear();
  KNOWN.set(key, row);
  return row;
}

/** The fewest quarters that are allowed to what starts in the hour. */
function leastIn(hour: bigint, company: Company, timing: Timing): bigint {
  let least: bigint | undefined;
  for (let quarter = 0n; quarter < QUARTERS_AN_HOUR; quarter += 1n) {
    const at = hour * HOUR + quarter * QUARTER;
    for (const period of periodsAt(at, timing)) {
      const due = dueOf(timing, { ...PLAIN, at, period }, company);
      if (due === undefined) return 0n;
      const left = (due - at) / QUARTER - 1n;
      if (least === undefined || left < least) least = left;
    }
  }
  return least === undefined || least < 0n ? 0n : least;
}

/** Of what is due by its period: that of the month in UTC, which its event may name, and the one on the company's clock. */
const periodsAt = (at: bigint, { until }: Timing): readonly (string | undefined)[] =>
  until === undefined ? [undefined] : [undefined, formatInstant(at).slice(0, 7)];

const PLAIN = { type: '', company: '', source: '', subject: '', keys: [], attributes: {}, data: {} };
