import type { StringColumn } from '../../store/clickhouse/native/columns.ts';

export const TRACE_ID_BYTES = 16;
export const SPAN_ID_BYTES = 8;

/** Whether an id that may be left out is there in its full length, or not at all. */
export const isIdOrNone = (start: number, end: number, size: number): boolean =>
  end === start || end - start === size;

/** An id as hexadecimal digits; one of zeros alone means none. */
export function appendId(column: StringColumn, data: Buffer, start: number, end: number): void {
  if (isZero(data, start, end)) column.appendText('');
  else column.appendHex(data, start, end);
}

export function isZero(data: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (data[i] !== 0) return false;
  return true;
}
