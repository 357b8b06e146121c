import { ClosewatchError } from '../../model/errors.ts';
import { decimalText } from '../../model/money.ts';
import { formatInstant, nanosOf, parseInstant } from '../../model/time.ts';
import { builder } from './builder.ts';

builder.scalarType('Instant', {
  description: 'An instant, RFC 3339 in UTC with up to nine fraction digits, exact to the nanosecond.',
  serialize: (value) => value as string,
  parseValue: (value) => {
    const nanos = typeof value === 'string' ? parseInstant(value) : undefined;
    if (nanos === undefined)
      throw new ClosewatchError('request.malformed', 'must be an RFC 3339 instant with a zone');
    return nanos;
  },
});

builder.scalarType('Decimal', {
  description: 'An exact decimal number as text, "1234.50".',
  serialize: (value) => value as string,
  parseValue: (value) => decimalText.parse(value),
});

builder.scalarType('Json', {
  description: 'A JSON value as it was stored.',
  serialize: (value) => value,
  parseValue: (value) => value,
});

/** The instant of a stored timestamp (microseconds at most). */
export const instantOfDate = (date: Date): string => formatInstant(nanosOf(date));
export const instantOrNull = (date: Date | null): string | null => date && instantOfDate(date);
/** The instant of stored nanoseconds. */
export const instantOfNanos = (nanos: string): string => formatInstant(BigInt(nanos));

export interface Money {
  readonly amount: string;
  readonly currency: string;
}
export const MoneyRef = builder.objectRef<Money>('Money').implement({
  description: 'An exact sum in one currency.',
  fields: (t) => ({
    amount: t.expose('amount', { type: 'Decimal' }),
    currency: t.exposeString('currency', { description: 'ISO 4217 code' }),
  }),
});

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}
export const KeyValueRef = builder.objectRef<KeyValue>('KeyValue').implement({
  fields: (t) => ({ key: t.exposeString('key'), value: t.exposeString('value') }),
});
/** The entries of a map, sorted by key. */
export const keyValues = (map: Readonly<Record<string, unknown>>): KeyValue[] =>
  Object.entries(map)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => ({ key, value: typeof value === 'string' ? value : JSON.stringify(value) }));
