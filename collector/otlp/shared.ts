import { type AttributesColumn, attributes } from '../../store/clickhouse/attributes-column.ts';
import { LowCardinalityColumn, type StringColumn } from '../../store/clickhouse/native/columns.ts';
import type { AttributesReader } from './attributes.ts';
import type { WireReader } from './wire.ts';

/** What a row takes for each key that it repeats: its index. */
const KEY_BYTES = 4;

export type TextColumn = StringColumn | LowCardinalityColumn;

/** A text of the body that many rows share. */
export class SharedText {
  readonly #wire: WireReader;
  #start = 0;
  #end = 0;
  /** In place of bytes of the body. */
  #text: string | undefined;
  /** The column that had it last, and its index there. */
  #column: LowCardinalityColumn | undefined;
  #index = 0;

  constructor(wire: WireReader) {
    this.#wire = wire;
  }

  /** Bytes that each row takes for it. */
  get bytes(): number {
    return this.#text?.length ?? this.#end - this.#start;
  }

  reset(): void {
    this.set(0, 0);
  }

  set(start: number, end: number): void {
    this.#start = start;
    this.#end = end;
    this.#text = undefined;
    this.forget();
  }

  setText(text: string): void {
    this.#text = text;
    this.forget();
  }

  /** Reads the text whose length comes next. */
  read(outer: number): void {
    const wire = this.#wire;
    const end = wire.content(outer);
    this.set(wire.position, end);
    wire.position = end;
  }

  /** Call when a block was cleared: what it held is no longer there. */
  forget(): void {
    this.#column = undefined;
  }

  append(column: TextColumn): void {
    if (!(column instanceof LowCardinalityColumn)) this.#write(column);
    else if (this.#column === column) column.indexes.push(this.#index);
    else {
      this.#write(column);
      this.#column = column;
      this.#index = column.indexes.data[column.rows - 1] as number;
    }
  }

  #write(column: TextColumn): void {
    if (this.#text === undefined) column.append(this.#wire.data, this.#start, this.#end);
    else column.appendText(this.#text);
  }
}

/** Where a column has the attributes already: their keys by row, their values by byte. */
interface Place {
  readonly firstKey: number;
  readonly lastKey: number;
  readonly firstByte: number;
  readonly lastByte: number;
}

/** The attributes of a message that many rows share: read once for each column that they go to, then repeated. */
export class SharedAttributes {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  readonly #tag: number;
  readonly #collected: (() => void) | undefined;
  /** Where the message lies: start and end, and again for each further time that it was sent; they count as one. */
  #ranges: number[] = [];
  #size = 0;
  readonly #places = new Map<AttributesColumn, Place>();
  #column: AttributesColumn | undefined;
  #place: Place = { firstKey: 0, lastKey: 0, firstByte: 0, lastByte: 0 };
  #used = false;
  /** Takes the attributes that no row has. */
  readonly #discard = attributes();

  /** `tag` is that of the attributes in the message; `collected` is called when the reader has collected them. */
  constructor(wire: WireReader, reader: AttributesReader, tag: number, collected?: () => void) {
    this.#wire = wire;
    this.#attributes = reader;
    this.#tag = tag;
    this.#collected = collected;
  }

  reset(): void {
    this.#ranges = [];
    this.#size = 0;
    this.#places.clear();
    this.#column = undefined;
    this.#used = false;
  }

  /** The message lies here. */
  found(start: number, end: number): void {
    this.#ranges.push(start, end);
    this.#size += end - start;
  }

  /** Call when the column was cleared: what it held is no longer there to be repeated. */
  forget(column: AttributesColumn): void {
    this.#places.delete(column);
    if (this.#column === column) this.#column = undefined;
  }

  /** Reads the message through if no row did. */
  check(): void {
    if (this.#used || this.#size === 0) return;
    this.append(this.#discard);
    this.#discard.clear();
    this.forget(this.#discard);
  }

  append(column: AttributesColumn): void {
    const place = this.#column === column ? this.#place : this.#places.get(column);
    if (place === undefined) this.#read(column);
    else this.#repeat(column, place);
  }

  #repeat(column: AttributesColumn, place: Place): void {
    const { keys, values } = column;
    const { firstKey, lastKey, firstByte, lastByte } = place;
    this.#wire.charge((lastKey - firstKey) * KEY_BYTES + lastByte - firstByte);
    keys.repeat(firstKey, lastKey);
    values.repeat(firstByte, lastByte, lastKey - firstKey);
    column.endRow();
    this.#column = column;
    this.#place = place;
  }

  #read(column: AttributesColumn): void {
    this.#used = true;
    this.#wire.charge(this.#size);
    this.#collect();
    this.#collected?.();
    const { keys, values } = column;
    const firstKey = keys.rows;
    const firstByte = values.byteLength;
    this.#attributes.append(column);
    this.#column = column;
    this.#place = { firstKey, lastKey: keys.rows, firstByte, lastByte: values.byteLength };
    this.#places.set(column, this.#place);
  }

  #collect(): void {
    const wire = this.#wire;
    this.#attributes.clear();
    for (let i = 0; i < this.#ranges.length; i += 2) {
      const end = this.#ranges[i + 1] as number;
      wire.position = this.#ranges[i] as number;
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === this.#tag) this.#attributes.collect(end);
        else wire.skip(tag, end);
      }
    }
  }
}
