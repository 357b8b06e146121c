import { addDuration, shiftWorkdays, workTime } from '../../model/business-time.ts';
import type { Company } from '../../model/company.ts';
import { parseDuration } from '../../model/duration.ts';
import { type FieldBearer, fieldOf } from '../../model/event-field.ts';
import { closeDayEnd, isClosingBetween, periodOf } from '../../model/period.ts';
import { parseInstant } from '../../model/time.ts';
import type { Timing } from '../../model/timing.ts';
import { dayOfDate } from '../../model/zone.ts';

const NANOS_PER_MS = 1_000_000n;

const durationOf = (text: string) => {
  const duration = parseDuration(text);
  if (!duration) throw new RangeError(`${text} is no duration`);
  return duration;
};

/** The accounting period of an event: its own, else the month in which it happened on the company's clock. */
export const periodOfEvent = (event: Pick<FieldBearer, 'period' | 'at'>, company: Company): string =>
  event.period ?? periodOf(event.at, company);

/**
 * The instant at which something that starts with the event is due, epoch nanoseconds: the earlier of `within` (counted
 * from the next working day when it starts after the cut-off) and `until`, plus the grace; never before the event itself.
 * Undefined when `until` names a date that the event does not have and nothing else is said.
 */
export function dueOf(timing: Timing, event: FieldBearer, company: Company): bigint | undefined {
  const { within, closing, grace } = timing;
  const dues: bigint[] = [];
  if (within !== undefined) {
    const isCloseTime = closing !== undefined && isClosingBetween(event.at, company, { from: -2, to: 2 });
    const allowed = isCloseTime && closing !== undefined ? closing : within;
    dues.push(addDuration(startOf(timing, event.at, company), durationOf(allowed), company));
  }
  const until = untilOf(timing.until, event, company);
  if (until !== undefined) dues.push(until);
  if (dues.length === 0) return undefined;
  const due = dues.reduce((least, one) => (one < least ? one : least));
  const bounded = due < event.at ? event.at : due;
  return grace === undefined ? bounded : addDuration(bounded, durationOf(grace), company);
}

/** From when the allowed time counts: what comes after the cut-off of a working day, from the start of the next one. */
function startOf({ cutoff }: Timing, at: bigint, company: Company): bigint {
  if (cutoff === undefined) return at;
  const work = workTime(company);
  const { day, clockMs } = work.clock.toLocal(Number(at / NANOS_PER_MS));
  const cutoffMs = (Number(cutoff.slice(0, 2)) * 60 + Number(cutoff.slice(3))) * 60_000;
  if (work.isWorkday(day) && clockMs <= cutoffMs) return at;
  const next = shiftWorkdays(work, day, 1);
  return BigInt(work.clock.toInstant(next, work.openMs)) * NANOS_PER_MS;
}

function untilOf(until: Timing['until'], event: FieldBearer, company: Company): bigint | undefined {
  if (until === undefined) return undefined;
  if (typeof until === 'string')
    return closeDayEnd(periodOfEvent(event, company), Number(until.slice(2)), company);
  const text = fieldOf(event, until.field);
  return text === undefined ? undefined : shifted(text, until.shift, company);
}

/**
 * The instant that a date or instant names, shifted: a date means the end of its day on the company's clock, and working
 * days and days move the date. Undefined for text that is neither.
 */
export function shifted(text: string, shift: string | undefined, company: Company): bigint | undefined {
  const [, sign = '+', count = '0', unit = 'd'] = /^([+-])(\d+)(\w+)$/.exec(shift ?? '+0d') ?? [];
  const steps = Number(`${sign}${count}`);
  const work = workTime(company);
  const isDate = /^\d{4}-\d\d-\d\d$/.test(text);
  const instant = isDate ? undefined : parseInstant(text);
  if (!isDate && instant === undefined) return undefined;
  if (unit === 'bd' || (isDate && (unit === 'd' || unit === 'w'))) {
    const local = isDate
      ? { day: dayOfDate(text), clockMs: 0 }
      : work.clock.toLocal(Number((instant as bigint) / NANOS_PER_MS));
    const day =
      unit === 'bd' ? shiftWorkdays(work, local.day, steps) : local.day + steps * (unit === 'w' ? 7 : 1);
    const ms = isDate ? work.clock.toInstant(day + 1, 0) : work.clock.toInstant(day, local.clockMs);
    return BigInt(ms) * NANOS_PER_MS;
  }
  const start = isDate
    ? BigInt(work.clock.toInstant(dayOfDate(text) + 1, 0)) * NANOS_PER_MS
    : (instant as bigint);
  const duration = durationOf(`${count}${unit}`);
  const nanos = duration.clock === 'elapsed' ? duration.nanos : 0n;
  return sign === '-' ? start - nanos : start + nanos;
}
