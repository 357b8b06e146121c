import { Bytes } from './native/bytes.ts';
import type { Column } from './native/columns.ts';

/**
 * One block of ClickHouse's Native format: column count, row count, then each column with its name, its type and its
 * data. A body of an `INSERT … FORMAT Native` is any number of such blocks, one after the other.
 */
export function encodeBlock(columns: ReadonlyMap<string, Column>): Buffer {
  const rows = [...columns.values()][0]?.rows ?? 0;
  const out = new Bytes();
  out.reserve([...columns.values()].reduce((bytes, column) => bytes + column.byteLength + 160, 16));
  out.varint(columns.size);
  out.varint(rows);
  for (const [name, column] of columns) {
    if (column.rows !== rows) throw new RangeError(`column ${name} has ${column.rows} rows, not ${rows}`);
    out.text(name);
    out.text(column.type);
    if (rows === 0) continue;
    column.writePrefix(out);
    column.writeData(out);
  }
  return out.data.subarray(0, out.length);
}

/** Rows of one table, column by column. Who appends a row appends one value to every column. */
export abstract class Block {
  abstract readonly columns: ReadonlyMap<string, Column>;

  get rows(): number {
    for (const column of this.columns.values()) return column.rows;
    return 0;
  }

  get byteLength(): number {
    let bytes = 0;
    for (const column of this.columns.values()) bytes += column.byteLength;
    return bytes;
  }

  /** Remembers the present rows; `restore` takes back every row since, also a half-written one. */
  save(): void {
    for (const column of this.columns.values()) column.save();
  }

  restore(): void {
    for (const column of this.columns.values()) column.restore();
  }

  clear(): void {
    for (const column of this.columns.values()) column.clear();
  }

  /** The rows as one Native block. */
  encode(): Buffer {
    return encodeBlock(this.columns);
  }
}
