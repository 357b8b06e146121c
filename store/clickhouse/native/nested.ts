import { Bytes, Integers } from './bytes.ts';
import type { Column } from './columns.ts';

/** Where each row of an Array or Map ends, counted in elements: 64-bit numbers on the wire. */
class Offsets extends Integers {
  saved = 0;

  write(out: Bytes): void {
    out.reserve(this.length * 8);
    for (let row = 0; row < this.length; row++) out.u64(this.data[row] as number, 0);
  }
}

/** Array(T); a field of a Nested is one too. Append the elements to `inner`, then `endRow`. */
export class ArrayColumn<T extends Column> implements Column {
  readonly type: string;
  readonly inner: T;
  readonly #offsets = new Offsets();

  constructor(inner: T) {
    this.inner = inner;
    this.type = `Array(${inner.type})`;
  }

  get rows(): number {
    return this.#offsets.length;
  }

  get byteLength(): number {
    return this.#offsets.length * 8 + this.inner.byteLength;
  }

  endRow(): void {
    this.#offsets.push(this.inner.rows);
  }

  writePrefix(out: Bytes): void {
    this.inner.writePrefix(out);
  }

  writeData(out: Bytes): void {
    this.#offsets.write(out);
    this.inner.writeData(out);
  }

  save(): void {
    this.#offsets.saved = this.#offsets.length;
    this.inner.save();
  }

  restore(): void {
    this.#offsets.length = this.#offsets.saved;
    this.inner.restore();
  }

  clear(): void {
    this.#offsets.clear();
    this.#offsets.saved = 0;
    this.inner.clear();
  }
}

/** Map(K, V), on the wire an array of keys and one of values. Append to `keys` and `values` alike, then `endRow`. */
export class MapColumn<K extends Column, V extends Column> implements Column {
  readonly type: string;
  readonly keys: K;
  readonly values: V;
  readonly #offsets = new Offsets();

  constructor(keys: K, values: V) {
    this.keys = keys;
    this.values = values;
    this.type = `Map(${keys.type}, ${values.type})`;
  }

  get rows(): number {
    return this.#offsets.length;
  }

  get byteLength(): number {
    return this.#offsets.length * 8 + this.keys.byteLength + this.values.byteLength;
  }

  endRow(): void {
    this.#offsets.push(this.keys.rows);
  }

  writePrefix(out: Bytes): void {
    this.keys.writePrefix(out);
    this.values.writePrefix(out);
  }

  writeData(out: Bytes): void {
    this.#offsets.write(out);
    this.keys.writeData(out);
    this.values.writeData(out);
  }

  save(): void {
    this.#offsets.saved = this.#offsets.length;
    this.keys.save();
    this.values.save();
  }

  restore(): void {
    this.#offsets.length = this.#offsets.saved;
    this.keys.restore();
    this.values.restore();
  }

  clear(): void {
    this.#offsets.clear();
    this.#offsets.saved = 0;
    this.keys.clear();
    this.values.clear();
  }
}

/** Nullable(T): one byte a row that says whether it is null, then a value for every row. */
export class NullableColumn<T extends Column> implements Column {
  readonly type: string;
  readonly inner: T;
  readonly #nulls = new Bytes();
  readonly #appendDefault: (inner: T) => void;
  #saved = 0;

  /** `appendDefault` appends the value that stands in the place of a null. */
  constructor(inner: T, appendDefault: (inner: T) => void) {
    this.inner = inner;
    this.type = `Nullable(${inner.type})`;
    this.#appendDefault = appendDefault;
  }

  get rows(): number {
    return this.#nulls.length;
  }

  get byteLength(): number {
    return this.#nulls.length + this.inner.byteLength;
  }

  appendNull(): void {
    this.#appendDefault(this.inner);
    this.#nulls.u8(1);
  }

  /** Call after the value was appended to `inner`. */
  endRow(): void {
    this.#nulls.u8(0);
  }

  writePrefix(out: Bytes): void {
    this.inner.writePrefix(out);
  }

  writeData(out: Bytes): void {
    out.copy(this.#nulls.data, 0, this.#nulls.length);
    this.inner.writeData(out);
  }

  save(): void {
    this.#saved = this.#nulls.length;
    this.inner.save();
  }

  restore(): void {
    this.#nulls.length = this.#saved;
    this.inner.restore();
  }

  clear(): void {
    this.#nulls.clear();
    this.#saved = 0;
    this.inner.clear();
  }
}
