import { Bytes, Integers, repaired } from './bytes.ts';
import { Dictionary } from './dictionary.ts';

/**
 * A column of a Native block, kept as the bytes that ClickHouse reads (ClickHouse docs, Native format; the layouts
 * are those of its `Serialization*` classes with client revision 0).
 */
export interface Column {
  /** The ClickHouse type, as the block's header names it. */
  readonly type: string;
  readonly rows: number;
  /** Bytes held; close to the encoded size. */
  readonly byteLength: number;
  /** Writes the state that stands before all data of the column, once a block. */
  writePrefix(out: Bytes): void;
  writeData(out: Bytes): void;
  /** Remembers the present rows; `restore` drops everything appended since. One level deep. */
  save(): void;
  restore(): void;
  clear(): void;
}

/** String: UTF-8 behind its length. */
export class StringColumn implements Column {
  readonly type = 'String';
  rows = 0;
  readonly bytes = new Bytes();
  #saved = { rows: 0, bytes: 0 };

  get byteLength(): number {
    return this.bytes.length;
  }

  append(source: Uint8Array, start: number, end: number): void {
    const text = repaired(source, start, end);
    if (text === undefined) {
      this.bytes.varint(end - start);
      this.bytes.copy(source, start, end);
    } else this.bytes.text(text);
    this.rows++;
  }

  appendText(text: string): void {
    this.bytes.text(text);
    this.rows++;
  }

  appendHex(source: Uint8Array, start: number, end: number): void {
    this.bytes.varint((end - start) * 2);
    this.bytes.hex(source, start, end);
    this.rows++;
  }

  /** Appends again the `rows` values that lie between two earlier values of `bytes.length`. */
  repeat(start: number, end: number, rows: number): void {
    const { bytes } = this;
    bytes.reserve(end - start);
    bytes.data.copyWithin(bytes.length, start, end);
    bytes.length += end - start;
    this.rows += rows;
  }

  writePrefix(): void {}

  writeData(out: Bytes): void {
    out.copy(this.bytes.data, 0, this.bytes.length);
  }

  save(): void {
    this.#saved = { rows: this.rows, bytes: this.bytes.length };
  }

  restore(): void {
    this.rows = this.#saved.rows;
    this.bytes.length = this.#saved.bytes;
  }

  clear(): void {
    this.rows = 0;
    this.bytes.clear();
    this.save();
  }
}

const WIDTHS = {
  UInt8: 1,
  Bool: 1,
  UInt16: 2,
  UInt32: 4,
  Int32: 4,
  DateTime: 4,
  UInt64: 8,
  Int64: 8,
  Float64: 8,
  'DateTime64(3)': 8,
  'DateTime64(9)': 8,
  "DateTime64(3, 'UTC')": 8,
  "DateTime64(9, 'UTC')": 8,
  'Decimal(38, 18)': 16,
} as const satisfies Record<string, number>;
export type FixedType = keyof typeof WIDTHS;

/**
 * A type of fixed width, little-endian: integers, Bool as 0 or 1, doubles, DateTime as seconds and DateTime64 as ticks
 * since the epoch, Decimal as a scaled integer.
 */
export class FixedColumn implements Column {
  readonly type: FixedType;
  readonly width: number;
  readonly bytes = new Bytes();
  #saved = 0;

  constructor(type: FixedType) {
    this.type = type;
    this.width = WIDTHS[type];
  }

  get rows(): number {
    return this.bytes.length / this.width;
  }

  get byteLength(): number {
    return this.bytes.length;
  }

  /** For the types of 8, 16 and 32 bits, and of 64 bits when the value is a whole number from 0 to 2^53. */
  appendNumber(value: number): void {
    if (this.width === 1) this.bytes.u8(value);
    else if (this.width === 2) this.bytes.u16(value);
    else if (this.width === 4) this.bytes.u32(value);
    else this.append64(value >>> 0, Math.floor(value / 0x1_0000_0000));
  }

  /** For the types of 64 bits: the low and the high half. */
  append64(low: number, high: number): void {
    this.bytes.u64(low, high);
  }

  /** For Float64. */
  appendDouble(value: number): void {
    this.bytes.double(value);
  }

  /** Appends the values of `source` from `start` to `end`, which lie there as here. */
  appendRaw(source: Uint8Array, start: number, end: number): void {
    this.bytes.copy(source, start, end);
  }

  /** For the types of 64 and 128 bits; two's complement. */
  appendBigint(value: bigint): void {
    for (let rest = value, left = this.width; left > 0; left -= 8, rest >>= 64n)
      this.bytes.u64(Number(BigInt.asUintN(32, rest)), Number(BigInt.asUintN(32, rest >> 32n)));
  }

  writePrefix(): void {}

  writeData(out: Bytes): void {
    out.copy(this.bytes.data, 0, this.bytes.length);
  }

  save(): void {
    this.#saved = this.bytes.length;
  }

  restore(): void {
    this.bytes.length = this.#saved;
  }

  clear(): void {
    this.bytes.clear();
    this.save();
  }
}

const LOW_CARDINALITY_VERSION = 1;
const HAS_ADDITIONAL_KEYS = 1 << 9;
const NEEDS_UPDATED_DICTIONARY = 1 << 10;

/** LowCardinality(String): the distinct texts, and for each row the index of its text in 1, 2 or 4 bytes. */
export class LowCardinalityColumn implements Column {
  readonly type = 'LowCardinality(String)';
  readonly dictionary = new Dictionary();
  readonly indexes = new Integers();
  #saved = 0;

  get rows(): number {
    return this.indexes.length;
  }

  get byteLength(): number {
    return this.dictionary.keys.length + this.indexes.length * 4;
  }

  append(source: Uint8Array, start: number, end: number): void {
    this.indexes.push(this.dictionary.indexOf(source, start, end));
  }

  appendText(text: string): void {
    this.indexes.push(this.dictionary.indexOfText(text));
  }

  /** Appends again the rows from `start` to before `end`. */
  repeat(start: number, end: number): void {
    const { indexes } = this;
    indexes.reserve(end - start);
    indexes.data.copyWithin(indexes.length, start, end);
    indexes.length += end - start;
  }

  writePrefix(out: Bytes): void {
    out.u64(LOW_CARDINALITY_VERSION, 0);
  }

  writeData(out: Bytes): void {
    const { dictionary, indexes } = this;
    if (indexes.length === 0) return;
    const size = dictionary.count <= 0x100 ? 0 : dictionary.count <= 0x1_0000 ? 1 : 2;
    out.u64(size | HAS_ADDITIONAL_KEYS | NEEDS_UPDATED_DICTIONARY, 0);
    out.u64(dictionary.count, 0);
    out.copy(dictionary.keys.data, 0, dictionary.keys.length);
    out.u64(indexes.length, 0);
    out.reserve(indexes.length << size);
    for (let row = 0; row < indexes.length; row++) {
      const index = indexes.data[row] as number;
      if (size === 0) out.data[out.length++] = index;
      else if (size === 1) out.u16(index);
      else out.u32(index);
    }
  }

  save(): void {
    this.#saved = this.indexes.length;
    this.dictionary.save();
  }

  restore(): void {
    this.indexes.length = this.#saved;
    this.dictionary.restore();
  }

  clear(): void {
    this.indexes.clear();
    this.dictionary.clear();
    this.#saved = 0;
  }
}
