import { Decimal } from 'decimal.js';
import { decimalText } from '../../model/money.ts';

/** Digits in groups of three, all of them alike apart from the first: `1.234,50` where `,` is the decimal separator. */
const GROUPED = {
  '.': /^-?\d{1,3}([,\s'’])\d{3}(?:\1\d{3})*(?:\.\d*)?$/,
  ',': /^-?\d{1,3}([.\s'’])\d{3}(?:\1\d{3})*(?:,\d*)?$/,
} as const;
const GROUP = { '.': /[,\s'’]/g, ',': /[.\s'’]/g } as const;

/** Decimal text of an amount as logs write them; undefined for none, an error as `{ wrong }`. */
export function amountOf(
  text: string | undefined,
  decimal: '.' | ',',
): string | { wrong: string } | undefined {
  const trimmed = text?.trim().replace(/^\+/, '') ?? '';
  if (trimmed === '') return undefined;
  const grouped = GROUPED[decimal].test(trimmed) ? trimmed.replace(GROUP[decimal], '') : trimmed;
  // Where the comma separates decimals, a point that groups nothing is a mistake, and never one more decimal separator.
  const odd = decimal === ',' && grouped.includes('.');
  let plain = odd ? '' : decimal === ',' ? grouped.replace(',', '.') : grouped;
  if (/^-?\d+(\.\d+)?[eE][+-]?\d{1,3}$/.test(plain)) plain = new Decimal(plain).toFixed();
  const parsed = decimalText.safeParse(plain);
  return parsed.success
    ? parsed.data
    : { wrong: `is no decimal number: ${JSON.stringify(trimmed.slice(0, 40))}` };
}
