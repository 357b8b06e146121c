import { I64, LEN, VARINT } from './wire.ts';

/** What a field of a data point means; the kinds of data points number the same fields differently. */
export const ATTRIBUTES = 1;
export const START = 2;
export const TIME = 3;
export const AS_DOUBLE = 4;
export const AS_INT = 5;
export const FLAGS = 6;
export const EXEMPLAR = 7;
export const COUNT = 8;
export const SUM = 9;
export const MIN = 10;
export const MAX = 11;
/** Lists of 64-bit numbers come packed or one by one. */
export const BUCKET_COUNTS = 12;
export const BUCKET_COUNT = 13;
export const BOUNDS = 14;
export const BOUND = 15;
export const SCALE = 16;
export const ZERO_COUNT = 17;
export const POSITIVE = 18;
export const NEGATIVE = 19;
export const QUANTILE = 20;

/** The meaning of each tag (number of the field times 8 plus wire type); 0 for a field that the message does not have. */
export type Shape = Uint8Array;

function shape(meanings: Readonly<Record<number, number>>): Shape {
  const list = new Uint8Array(16 * 8);
  for (const [tag, meaning] of Object.entries(meanings)) list[Number(tag)] = meaning;
  return list;
}

export const NUMBER = shape({
  [2 * 8 + I64]: START,
  [3 * 8 + I64]: TIME,
  [4 * 8 + I64]: AS_DOUBLE,
  [5 * 8 + LEN]: EXEMPLAR,
  [6 * 8 + I64]: AS_INT,
  [7 * 8 + LEN]: ATTRIBUTES,
  [8 * 8 + VARINT]: FLAGS,
});

export const HISTOGRAM = shape({
  [2 * 8 + I64]: START,
  [3 * 8 + I64]: TIME,
  [4 * 8 + I64]: COUNT,
  [5 * 8 + I64]: SUM,
  [6 * 8 + LEN]: BUCKET_COUNTS,
  [6 * 8 + I64]: BUCKET_COUNT,
  [7 * 8 + LEN]: BOUNDS,
  [7 * 8 + I64]: BOUND,
  [8 * 8 + LEN]: EXEMPLAR,
  [9 * 8 + LEN]: ATTRIBUTES,
  [10 * 8 + VARINT]: FLAGS,
  [11 * 8 + I64]: MIN,
  [12 * 8 + I64]: MAX,
});

export const EXPONENTIAL_HISTOGRAM = shape({
  [1 * 8 + LEN]: ATTRIBUTES,
  [2 * 8 + I64]: START,
  [3 * 8 + I64]: TIME,
  [4 * 8 + I64]: COUNT,
  [5 * 8 + I64]: SUM,
  [6 * 8 + VARINT]: SCALE,
  [7 * 8 + I64]: ZERO_COUNT,
  [8 * 8 + LEN]: POSITIVE,
  [9 * 8 + LEN]: NEGATIVE,
  [10 * 8 + VARINT]: FLAGS,
  [11 * 8 + LEN]: EXEMPLAR,
  [12 * 8 + I64]: MIN,
  [13 * 8 + I64]: MAX,
});

export const SUMMARY = shape({
  [2 * 8 + I64]: START,
  [3 * 8 + I64]: TIME,
  [4 * 8 + I64]: COUNT,
  [5 * 8 + I64]: SUM,
  [6 * 8 + LEN]: QUANTILE,
  [7 * 8 + LEN]: ATTRIBUTES,
  [8 * 8 + VARINT]: FLAGS,
});
