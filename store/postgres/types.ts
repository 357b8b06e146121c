import pg from 'pg';

/** How rows come out, on both back ends alike; what is not named here is as in `pg`. */
export interface TypeParsers {
  getTypeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown;
}

const DATE = 1082;
const DATE_ARRAY = 1182;
const TEXT_ARRAY = 1009;
const asText = (value: string): unknown => value;

/**
 * The one type parser: int8, numeric and so `count(*)` are text; timestamptz is a Date; json and jsonb are parsed; a date
 * stays the calendar date it is (`2026-05-31`), for a Date would move it by the local zone.
 */
export const typeParsers: TypeParsers = {
  getTypeParser(oid, format) {
    if (oid === DATE) return asText;
    return pg.types.getTypeParser(oid === DATE_ARRAY ? TEXT_ARRAY : oid, format ?? 'text') as (
      value: string,
    ) => unknown;
  },
};
