import { z } from 'zod';

/**
 * An instant as text: RFC 3339 in UTC, with as many fraction digits (0 to 9) as it needs, `2018-06-01T00:00:00Z`.
 * Where instants are compared or added they are `bigint` nanoseconds since 1970-01-01T00:00:00Z.
 */
export type Instant = string;

const NANOS_PER_MS = 1_000_000n;
export const NANOS_PER_SECOND = 1_000_000_000n;
export const NANOS_PER_DAY = 86_400n * NANOS_PER_SECOND;
/** The first instant past what ClickHouse's DateTime64(9) holds, whole years: 2262-01-01. */
export const END_OF_TIME = 9_214_646_400n * NANOS_PER_SECOND;
const RFC3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(Z|z|[+-]\d\d(?::?\d\d)?)$/;

/** The number that the digits of `text` from `at` to `end` write; NaN when one is none. */
function digits(text: string, at: number, end: number): number {
  let value = 0;
  for (let i = at; i < end; i += 1) {
    const digit = text.charCodeAt(i) - 48;
    if (!(digit >= 0 && digit <= 9)) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** The instant of a text as `formatInstant` writes it, which nearly all are; undefined for any other, and past the 28th. */
function parsePlain(text: string): bigint | undefined {
  const end = text.length - 1;
  if (end < 19 || end > 29 || end === 20 || text[end] !== 'Z' || text[10] !== 'T') return undefined;
  if (text[4] !== '-' || text[7] !== '-' || text[13] !== ':' || text[16] !== ':') return undefined;
  if (end > 19 && text[19] !== '.') return undefined;
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)];
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  if (!(year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= 28)) return undefined;
  if (!(hour <= 23 && minute <= 59 && second <= 59)) return undefined;
  const nanos = end > 19 ? digits(text, 20, end) * 10 ** (29 - end) : 0;
  if (Number.isNaN(nanos)) return undefined;
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  return BigInt(seconds) * NANOS_PER_SECOND + BigInt(nanos);
}

/**
 * Nanoseconds since the epoch of an RFC 3339 instant (any offset; a space for the T and a missing `:SS` are taken too).
 * Digits past the ninth of the fraction are dropped. Returns undefined for text that is no instant, or that has no zone.
 */
export function parseInstant(text: string): bigint | undefined {
  const plain = parsePlain(text);
  if (plain !== undefined) return plain;
  const match = RFC3339.exec(text.trim());
  if (!match) return undefined;
  const [, year, month, day, hour, minute, second = '0', fraction = '', zone = 'Z'] = match;
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  );
  const date = new Date(ms);
  const leap = second === '60';
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60) return undefined;
  if (!leap && (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)))
    return undefined;
  let nanos = BigInt(ms) * NANOS_PER_MS + BigInt(fraction.padEnd(9, '0') || '0');
  if (zone !== 'Z' && zone !== 'z') {
    const [, sign, h, m = '0'] = /^([+-])(\d\d):?(\d\d)?$/.exec(zone) ?? [];
    if (Number(h) > 23 || Number(m) > 59) return undefined;
    const offset = BigInt(Number(h) * 3600 + Number(m) * 60) * NANOS_PER_SECOND;
    nanos += sign === '+' ? -offset : offset;
  }
  return nanos;
}

/** The instant `nanos` as RFC 3339 text in UTC, with no fraction digit more than it needs. */
export function formatInstant(nanos: bigint): Instant {
  const rest = nanos % NANOS_PER_SECOND;
  const second = Number((nanos - rest) / NANOS_PER_SECOND) - (rest < 0n ? 1 : 0);
  const whole = new Date(second * 1000).toISOString().slice(0, 19);
  if (rest === 0n) return `${whole}Z`;
  const digits = `${rest < 0n ? rest + NANOS_PER_SECOND : rest}`.padStart(9, '0').replace(/0+$/, '');
  return `${whole}.${digits}Z`;
}

/** The instant of a JavaScript `Date`, in nanoseconds. */
export const nanosOf = (date: Date): bigint => BigInt(date.getTime()) * NANOS_PER_MS;

/** The `Date` at or just before `nanos` (a Date holds whole milliseconds). */
export const dateOf = (nanos: bigint): Date =>
  new Date(Number(nanos / NANOS_PER_MS - (nanos % NANOS_PER_MS < 0n ? 1n : 0n)));

/** An RFC 3339 instant with any offset; normalised to UTC text. */
export const instant = z.string().transform((text, context): Instant => {
  const nanos = parseInstant(text);
  if (nanos === undefined) {
    context.issues.push({
      code: 'custom',
      input: text,
      message: 'must be an RFC 3339 instant with a zone, such as 2026-05-31T17:00:00Z',
    });
    return z.NEVER;
  }
  return formatInstant(nanos);
});

/** A calendar date, `2026-05-31`. */
export const calendarDate = z.iso.date();
export type CalendarDate = z.infer<typeof calendarDate>;
