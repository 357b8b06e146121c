import type { LowCardinalityColumn, StringColumn } from '../../store/clickhouse/native/columns.ts';
import type { AttributesColumn } from '../../store/clickhouse/span-block.ts';
import type { AttributesReader } from './attributes.ts';
import { LEN, type WireReader } from './wire.ts';

const RESOURCE_ATTRIBUTES = 1 * 8 + LEN;
const SCOPE_NAME = 1 * 8 + LEN;
const SCOPE_VERSION = 2 * 8 + LEN;
const SCOPE_ATTRIBUTES = 3 * 8 + LEN;

/** What a row takes for each key that it repeats: its index. */
const KEY_BYTES = 4;

type Range = readonly [start: number, end: number];

/** What every table of telemetry has of the resource. */
interface ResourceColumns {
  readonly resourceAttributes: AttributesColumn;
  readonly serviceName: LowCardinalityColumn;
  clear(): void;
}

/** The `Resource` that the records at hand share: its attributes and the service's name. */
export class ResourceRow {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  /** Where the message lies: start and end, and again for each further time that it was sent; they count as one. */
  #ranges: number[] = [];
  #size = 0;
  /** The block that holds the attributes already, and where. */
  #block: ResourceColumns | undefined;
  #keys: Range = [0, 0];
  #values: Range = [0, 0];
  #service = 0;
  #used = false;

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#attributes = attributes;
  }

  reset(): void {
    this.#ranges = [];
    this.#size = 0;
    this.#used = false;
    this.forget();
  }

  /** The message lies here. */
  found(start: number, end: number): void {
    this.#ranges.push(start, end);
    this.#size += end - start;
  }

  /** Call when a block was cleared: what it held is no longer there to be repeated. */
  forget(): void {
    this.#block = undefined;
  }

  /** Reads the message through if no record did. */
  check(discard: ResourceColumns): void {
    if (this.#used || this.#size === 0) return;
    this.append(discard);
    discard.clear();
    this.forget();
  }

  append(block: ResourceColumns): void {
    const { keys, values } = block.resourceAttributes;
    if (this.#block === block) {
      this.#wire.charge((this.#keys[1] - this.#keys[0]) * KEY_BYTES + this.#values[1] - this.#values[0]);
      keys.repeat(this.#keys[0], this.#keys[1]);
      values.repeat(this.#values[0], this.#values[1], this.#keys[1] - this.#keys[0]);
      block.resourceAttributes.endRow();
      block.serviceName.indexes.push(this.#service);
      return;
    }
    this.#used = true;
    this.#wire.charge(this.#size);
    this.#collect();
    this.#appendService(block);
    const firstKey = keys.rows;
    const firstByte = values.byteLength;
    this.#attributes.append(block.resourceAttributes);
    this.#keys = [firstKey, keys.rows];
    this.#values = [firstByte, values.byteLength];
    this.#block = block;
  }

  #collect(): void {
    const wire = this.#wire;
    this.#attributes.clear();
    for (let i = 0; i < this.#ranges.length; i += 2) {
      const end = this.#ranges[i + 1] as number;
      wire.position = this.#ranges[i] as number;
      while (wire.position < end) {
        const tag = wire.tag(end);
        if (tag === RESOURCE_ATTRIBUTES) this.#attributes.collect(end);
        else wire.skip(tag, end);
      }
    }
  }

  #appendService(block: ResourceColumns): void {
    const index = this.#attributes.serviceName();
    const text = index < 0 ? '' : this.#attributes.readValue(index);
    const { start, end } = this.#attributes.values;
    if (text === undefined) block.serviceName.append(this.#wire.data, start, end);
    else block.serviceName.appendText(text);
    this.#service = block.serviceName.indexes.data[block.serviceName.rows - 1] as number;
  }
}

/** The `InstrumentationScope` that the spans at hand share: name and version. `otel_traces` has no room for its attributes. */
export class ScopeRow {
  readonly #wire: WireReader;
  readonly #attributes: AttributesReader;
  #name: Range = [0, 0];
  #version: Range = [0, 0];

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#attributes = attributes;
  }

  /** Bytes that each row takes for the scope. */
  get bytes(): number {
    return this.#name[1] - this.#name[0] + this.#version[1] - this.#version[0];
  }

  reset(): void {
    this.#name = this.#version = [0, 0];
  }

  /** Reads the message that ends at `end`; its attributes are read through and dropped. */
  read(end: number, discard: AttributesColumn): void {
    const wire = this.#wire;
    this.#attributes.clear();
    let attributes = 0;
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SCOPE_ATTRIBUTES) {
        this.#attributes.collect(end);
        attributes++;
      } else if (tag === SCOPE_NAME || tag === SCOPE_VERSION) {
        const stop = wire.content(end);
        if (tag === SCOPE_NAME) this.#name = [wire.position, stop];
        else this.#version = [wire.position, stop];
        wire.position = stop;
      } else wire.skip(tag, end);
    }
    if (attributes === 0) return;
    this.#attributes.append(discard);
    discard.clear();
    wire.position = end;
  }

  append(block: { readonly scopeName: StringColumn; readonly scopeVersion: StringColumn }): void {
    block.scopeName.append(this.#wire.data, this.#name[0], this.#name[1]);
    block.scopeVersion.append(this.#wire.data, this.#version[0], this.#version[1]);
  }
}
