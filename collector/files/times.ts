import { Temporal } from 'temporal-polyfill';
import { NANOS_PER_SECOND, parseInstant } from '../../model/time.ts';

/** A time as it was written: an instant, or a wall-clock time without a zone. */
type Read = { readonly instant: bigint } | { readonly wall: WallTime };

interface WallTime {
  /** `YYYY-MM-DDTHH:MM`. */
  readonly minute: string;
  /** Nanoseconds after it. */
  readonly nanos: bigint;
}

const UNIX: Record<string, bigint> = {
  unix: NANOS_PER_SECOND,
  'unix-ms': 1_000_000n,
  'unix-us': 1_000n,
  'unix-ns': 1n,
};
const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** Pattern letters and what they match; groups are named after them. */
const TOKENS: Record<string, string> = {
  yyyy: '(?<year>\\d{4})',
  yy: '(?<shortYear>\\d{2})',
  MMM: `(?<monthName>[A-Za-z]{3})`,
  MM: '(?<month>\\d{2})',
  M: '(?<month>\\d{1,2})',
  dd: '(?<day>\\d{2})',
  d: '(?<day>\\d{1,2})',
  HH: '(?<hour>\\d{2})',
  H: '(?<hour>\\d{1,2})',
  hh: '(?<hour>\\d{2})',
  h: '(?<hour>\\d{1,2})',
  mm: '(?<minute>\\d{2})',
  ss: '(?<second>\\d{2})',
  S: '(?<fraction>\\d{1,9})',
  a: '(?<half>[AaPp]\\.?[Mm]\\.?)',
  X: '(?<zone>Z|[+-]\\d{2}(?::?\\d{2})?)',
};

const pad = (text: string | undefined, width = 2): string => (text ?? '0').padStart(width, '0');

function wallTime(parts: Record<string, string | undefined>): WallTime | undefined {
  const year = parts.year ?? (Number(parts.shortYear) < 70 ? `20${parts.shortYear}` : `19${parts.shortYear}`);
  const month = parts.monthName ? `${MONTHS.indexOf(parts.monthName.toLowerCase()) + 1}` : parts.month;
  let hour = Number(parts.hour ?? 0);
  if (parts.half) {
    if (hour < 1 || hour > 12) return undefined;
    hour = (hour % 12) + (/^p/i.test(parts.half) ? 12 : 0);
  }
  if (Number(parts.second ?? 0) > 59) return undefined;
  return {
    minute: `${year}-${pad(month)}-${pad(parts.day ?? '1')}T${pad(String(hour))}:${pad(parts.minute)}`,
    nanos:
      BigInt(parts.second ?? 0) * NANOS_PER_SECOND +
      BigInt((parts.fraction ?? '').slice(0, 9).padEnd(9, '0')),
  };
}

const ISO_WALL =
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[T ](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9})\d*)?)?)?$/;

/** The reader of a time format: `iso`, `unix`, `unix-ms|us|ns`, or a pattern (`dd.MM.yyyy HH:mm:ss`); undefined for none. */
export function compileTimeFormat(format: string): ((text: string) => Read | undefined) | undefined {
  if (format === 'iso') {
    return (text) => {
      const instant = parseInstant(text);
      if (instant !== undefined) return { instant };
      const wall = ISO_WALL.exec(text)?.groups;
      const read = wall && wallTime(wall);
      return read && { wall: read };
    };
  }
  const unit = UNIX[format];
  if (unit !== undefined) {
    return (text) => {
      const [, sign, whole, fraction = ''] = /^(-?)(\d{1,19})(?:\.(\d+))?$/.exec(text) ?? [];
      if (whole === undefined) return undefined;
      const size = BigInt(whole) * unit + (BigInt(fraction.slice(0, 18).padEnd(18, '0')) * unit) / 10n ** 18n;
      return { instant: sign ? -size : size };
    };
  }
  const pattern = patternOf(format);
  return pattern && ((text) => readPattern(pattern, text));
}

function patternOf(format: string): RegExp | undefined {
  let source = '';
  const seen = new Set<string>();
  for (const [run, letter, quoted] of format.matchAll(/([A-Za-z])\1*|'([^']*)'|[^A-Za-z]/g)) {
    if (letter === undefined) {
      source += (quoted ?? run).replace(/[.*+?^$()|[\]{}\\/]/g, '\\$&');
      continue;
    }
    const token = TOKENS[letter === 'S' || letter === 'X' ? letter : run];
    const name = /<(\w+)>/.exec(token ?? '')?.[1];
    if (!token || !name) {
      if (run !== 'T') return undefined;
      source += 'T';
      continue;
    }
    if (seen.has(name)) return undefined;
    seen.add(name);
    source += token;
  }
  const year = seen.has('year') || seen.has('shortYear');
  const month = seen.has('month') || seen.has('monthName');
  return year && month && seen.has('day') ? new RegExp(`^${source}$`) : undefined;
}

function readPattern(pattern: RegExp, text: string): Read | undefined {
  const parts = pattern.exec(text)?.groups;
  if (!parts) return undefined;
  const wall = wallTime(parts);
  if (!wall) return undefined;
  if (!parts.zone) return { wall };
  const minute = parseInstant(`${wall.minute}:00${parts.zone}`);
  return minute === undefined ? undefined : { instant: minute + wall.nanos };
}

const REMEMBERED = 20_000;

/**
 * Reads times of a format as epoch nanoseconds. A time without a zone is of `zone`: one that clocks pass twice (autumn) is
 * the first, one that they skip (spring) is moved on by the gap, as RFC 5545 has it. Returns what is wrong as text.
 */
export function timeReader(format: string, zone: string | undefined): (text: string) => bigint | string {
  const read = compileTimeFormat(format);
  if (!read) throw new TypeError(`no time format: ${format}`);
  const minutes = new Map<string, bigint>();
  const minuteOf = (minute: string, timeZone: string): bigint | undefined => {
    const known = minutes.get(minute);
    if (known !== undefined) return known;
    try {
      const wall = Temporal.PlainDateTime.from(minute, { overflow: 'reject' });
      const nanos = wall.toZonedDateTime(timeZone, { disambiguation: 'compatible' }).epochNanoseconds;
      if (minutes.size >= REMEMBERED) minutes.clear();
      minutes.set(minute, nanos);
      return nanos;
    } catch {
      return undefined;
    }
  };
  return (text) => {
    const time = read(text);
    if (!time) return `is not a time of the format ${format}: ${JSON.stringify(text.slice(0, 60))}`;
    if ('instant' in time) return time.instant;
    if (zone === undefined)
      return `has no zone: set timezone in the map (${JSON.stringify(text.slice(0, 60))})`;
    const minute = minuteOf(time.wall.minute, zone);
    return minute === undefined
      ? `is no date of the calendar: ${JSON.stringify(text.slice(0, 60))}`
      : minute + time.wall.nanos;
  };
}
