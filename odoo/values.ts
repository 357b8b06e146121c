import { Decimal } from 'decimal.js';

/**
 * Odoo's values as JSON has them. Empty is `false` for every type but numbers; a many2one is `[id, "name"]`, or the id alone where
 * `load` is null and in a webhook; an instant is UTC without a zone, a date a calendar date.
 */
export type OdooValue = unknown;
export type OdooRow = Readonly<Record<string, OdooValue>> & { readonly id: number };

export const textOf = (value: OdooValue): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined;

/** The id of a many2one. */
export function idOf(value: OdooValue): number | undefined {
  const id = Array.isArray(value) ? (value[0] as unknown) : value;
  return typeof id === 'number' && Number.isInteger(id) && id > 0 ? id : undefined;
}

/** The name of a many2one, in the language of the reader; undefined where the reader may not see it. */
export const labelOf = (value: OdooValue): string | undefined =>
  Array.isArray(value) ? textOf(value[1]) : undefined;

/** The ids of a one2many or many2many. */
export const idsOf = (value: OdooValue): number[] =>
  Array.isArray(value) ? value.filter((id): id is number => Number.isInteger(id)) : [];

/** `2026-11-22 10:57:00`, with or without microseconds, as an instant; undefined when there is none. */
export function instantOf(value: OdooValue): string | undefined {
  const [, date, time, fraction = ''] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.\d{1,6})?$/.exec(textOf(value) ?? '') ?? [];
  return date === undefined ? undefined : `${date}T${time}${fraction}Z`;
}

/** A calendar date; undefined also for `1-01-01`, which stands for no lock date. */
export const dateOf = (value: OdooValue): string | undefined =>
  /^\d{4}-\d\d-\d\d$/.exec(textOf(value) ?? '')?.[0];

/**
 * An amount as decimal text with `places` decimals, those of its currency: Odoo keeps exact decimals and sends binary ones, of
 * which the rounding gives back what was kept. Undefined when it is no number.
 */
export function amountOf(value: OdooValue, places: number): string | undefined {
  if (typeof value !== 'number' || !Number.isFinite(value)) return undefined;
  const text = new Decimal(value).toFixed(places, Decimal.ROUND_HALF_UP);
  return Number(text) === 0 ? text.replace('-', '') : text;
}

/** The number of an entry: drafts have none, which is `false`, empty or `/` by version. */
export const numberOf = (value: OdooValue): string | undefined => {
  const text = textOf(value);
  return text === '/' ? undefined : text;
};
