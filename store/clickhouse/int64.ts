/** The last nanosecond that ClickHouse knows, and the longest span. */
export const FOREVER = 9_223_372_036_854_775_807n;

/** An instant in epoch nanoseconds as the 64-bit parameter of a query: what lies past 2262 is after every event. */
export const int64 = (nanos: bigint): string =>
  `${nanos > FOREVER ? FOREVER : nanos < -FOREVER ? -FOREVER : nanos}`;
