import type { Masking, Verdict } from '../../model/masking.ts';
import type { AttributesColumn } from '../../store/clickhouse/attributes-column.ts';
import type { LowCardinalityColumn, StringColumn } from '../../store/clickhouse/native/columns.ts';
import { AnyValueReader } from './any-value.ts';
import { LEN, type WireReader } from './wire.ts';

/** Up to this many keys are sorted by insertion. */
const FEW = 32;
/** Lists of up to this many integers (1 MiB) are kept for the next request, longer ones are let go. */
export const KEPT_LENGTH = 1 << 18;
const KEY = 1 * 8 + LEN;
const VALUE = 2 * 8 + LEN;
const SERVICE_NAME = Buffer.from('service.name');

/**
 * Collects the `KeyValue`s of one list of attributes and appends them, sorted by the bytes of their keys, to a
 * column. Of equal keys the last one counts: OTLP forbids them, and a map has room for one.
 */
export class AttributesReader {
  readonly values: AnyValueReader;
  readonly masking: Masking | undefined;
  readonly #wire: WireReader;
  /** For each attribute: where its key starts and ends, where its AnyValue starts and ends. */
  #ranges = new Int32Array(64);
  #order = new Int32Array(16);
  #count = 0;

  /** `masking` protects values before they are appended. */
  constructor(wire: WireReader, masking?: Masking) {
    this.#wire = wire;
    this.masking = masking;
    this.values = new AnyValueReader(wire);
  }

  /** Forgets what was collected. */
  clear(): void {
    this.#count = 0;
    if (this.#ranges.length > KEPT_LENGTH) this.#ranges = new Int32Array(64);
    if (this.#order.length > KEPT_LENGTH) this.#order = new Int32Array(16);
  }

  /** Reads the KeyValue whose length comes next. */
  collect(outer: number): void {
    const wire = this.#wire;
    const end = wire.item(outer);
    let keyStart = end;
    let keyEnd = end;
    let valueStart = end;
    let valueEnd = end;
    while (wire.position < end) {
      const field = wire.tag(end);
      if (field === KEY) {
        keyEnd = wire.content(end);
        keyStart = wire.position;
        wire.position = keyEnd;
      } else if (field === VALUE) {
        valueEnd = wire.content(end);
        valueStart = wire.position;
        wire.position = valueEnd;
      } else wire.skip(field, end);
    }
    const at = this.#count * 4;
    if (at + 4 > this.#ranges.length) this.#ranges = grown(this.#ranges);
    this.#ranges[at] = keyStart;
    this.#ranges[at + 1] = keyEnd;
    this.#ranges[at + 2] = valueStart;
    this.#ranges[at + 3] = valueEnd;
    this.#count++;
  }

  /** Appends what was collected as one row of the map, and forgets it. */
  append(column: AttributesColumn): void {
    const { data } = this.#wire;
    const order = this.#sorted();
    for (let i = 0; i < this.#count; i++) {
      const at = (order[i] as number) * 4;
      const valueStart = this.#ranges[at + 2] as number;
      const valueEnd = this.#ranges[at + 3] as number;
      if (i + 1 < this.#count && this.#compare(order[i] as number, order[i + 1] as number) === 0) {
        this.values.read(valueStart, valueEnd);
        continue;
      }
      column.keys.append(data, this.#ranges[at] as number, this.#ranges[at + 1] as number);
      const verdict = this.masking === undefined ? undefined : verdictOf(this.masking, column.keys);
      if (verdict === undefined) this.#appendValue(column.values, valueStart, valueEnd);
      else this.#appendMasked(column, verdict, valueStart, valueEnd);
    }
    column.endRow();
    this.#count = 0;
  }

  /** How many were collected. */
  get count(): number {
    return this.#count;
  }

  /** What the name of the collected attribute `index` means. */
  meaningOf<Meaning>(
    index: number,
    names: { meaningOf(data: Uint8Array, start: number, end: number): Meaning | undefined },
  ): Meaning | undefined {
    const at = index * 4;
    return names.meaningOf(this.#wire.data, this.#ranges[at] as number, this.#ranges[at + 1] as number);
  }

  /** The name of the collected attribute `index`. */
  keyText(index: number): string {
    const at = index * 4;
    return this.#wire.data.toString('utf8', this.#ranges[at], this.#ranges[at + 1]);
  }

  /** The text of the value of the collected attribute `index`. */
  valueText(index: number): string {
    return this.readValue(index) ?? this.#wire.data.toString('utf8', this.values.start, this.values.end);
  }

  /** Where the value of `service.name` lies, of what was collected: its index, or -1. */
  serviceName(): number {
    const { data } = this.#wire;
    for (let i = this.#count - 1; i >= 0; i--) {
      const start = this.#ranges[i * 4] as number;
      const end = this.#ranges[i * 4 + 1] as number;
      if (
        end - start === SERVICE_NAME.length &&
        data.compare(SERVICE_NAME, 0, SERVICE_NAME.length, start, end) === 0
      )
        return i;
    }
    return -1;
  }

  /** The text of the value of the collected attribute `index`; undefined as `AnyValueReader.read`. */
  readValue(index: number): string | undefined {
    return this.values.read(this.#ranges[index * 4 + 2] as number, this.#ranges[index * 4 + 3] as number);
  }

  #appendMasked(column: AttributesColumn, verdict: Verdict, start: number, end: number): void {
    const text =
      this.values.read(start, end) ?? this.#wire.data.toString('utf8', this.values.start, this.values.end);
    const made = this.masking?.apply(verdict, text) ?? '';
    if (verdict.treatment === 'drop') column.keys.indexes.length--;
    else column.values.appendText(made);
  }

  #appendValue(column: StringColumn, start: number, end: number): void {
    const text = this.values.read(start, end);
    if (text === undefined) column.append(this.#wire.data, this.values.start, this.values.end);
    else column.appendText(text);
  }

  #sorted(): Int32Array {
    const count = this.#count;
    if (this.#order.length < count) this.#order = new Int32Array(count * 2);
    const order = this.#order;
    for (let i = 0; i < count; i++) order[i] = i;
    if (count > FEW) return order.subarray(0, count).sort((a, b) => this.#compare(a, b) || a - b);
    for (let i = 1; i < count; i++) {
      const moved = order[i] as number;
      let at = i;
      while (at > 0 && this.#compare(order[at - 1] as number, moved) > 0) {
        order[at] = order[at - 1] as number;
        at--;
      }
      order[at] = moved;
    }
    return order;
  }

  #compare(a: number, b: number): number {
    const { data } = this.#wire;
    let i = this.#ranges[a * 4] as number;
    let j = this.#ranges[b * 4] as number;
    const iEnd = this.#ranges[a * 4 + 1] as number;
    const jEnd = this.#ranges[b * 4 + 1] as number;
    while (i < iEnd && j < jEnd) {
      const difference = (data[i++] as number) - (data[j++] as number);
      if (difference !== 0) return difference;
    }
    return iEnd - i - (jEnd - j);
  }
}

/** How values of the key that was appended last are protected; found once for each text of a column's dictionary. */
function verdictOf(masking: Masking, { dictionary, indexes }: LowCardinalityColumn): Verdict | undefined {
  const index = indexes.data[indexes.length - 1] as number;
  const mark = dictionary.marks.data[index] as number;
  if (mark === KEPT) return undefined;
  if (mark > KEPT) return masking.verdicts[mark - KEPT - 1];
  const verdict = masking.verdictOf(dictionary.textOf(index));
  dictionary.marks.data[index] = verdict === undefined ? KEPT : KEPT + 1 + verdict.index;
  return verdict;
}
const KEPT = 1;

function grown(list: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const twice = new Int32Array(list.length * 2);
  twice.set(list);
  return twice;
}
