import type { AttributesColumn } from '../../store/clickhouse/attributes-column.ts';
import type {
  FixedColumn,
  LowCardinalityColumn,
  StringColumn,
} from '../../store/clickhouse/native/columns.ts';
import type { AttributesReader } from './attributes.ts';
import { SharedAttributes, SharedText, type TextColumn } from './shared.ts';
import { LEN, VARINT, type WireReader } from './wire.ts';

const RESOURCE_ATTRIBUTES = 1 * 8 + LEN;
const SCOPE_NAME = 1 * 8 + LEN;
const SCOPE_VERSION = 2 * 8 + LEN;
const SCOPE_ATTRIBUTES = 3 * 8 + LEN;
const SCOPE_DROPPED = 4 * 8 + VARINT;

/** What a table of telemetry has of the resource. */
export interface ResourceColumns {
  readonly resourceAttributes: AttributesColumn;
  readonly serviceName: LowCardinalityColumn;
  readonly resourceSchemaUrl?: TextColumn;
}

/** The `Resource` that the records at hand share: its attributes, the service's name and the schema's address. */
export class ResourceRow {
  readonly #attributes: AttributesReader;
  readonly #shared: SharedAttributes;
  readonly #service: SharedText;
  readonly schemaUrl: SharedText;

  /** `read` is called with the attributes of a resource, before the first of its records is complete. */
  constructor(
    wire: WireReader,
    attributes: AttributesReader,
    read: (attributes: AttributesReader) => void = () => {},
  ) {
    this.#attributes = attributes;
    this.#shared = new SharedAttributes(wire, attributes, RESOURCE_ATTRIBUTES, () => {
      this.#readService();
      read(attributes);
    });
    this.#service = new SharedText(wire);
    this.schemaUrl = new SharedText(wire);
  }

  /** Bytes that each row takes, beside the attributes. */
  get bytes(): number {
    return this.schemaUrl.bytes;
  }

  reset(): void {
    this.#shared.reset();
    this.#service.reset();
    this.schemaUrl.reset();
  }

  /** The message lies here; again when it was sent in parts. */
  found(start: number, end: number): void {
    this.#shared.found(start, end);
  }

  /** Call when the block was cleared: what it held is no longer there to be repeated. */
  forget(block: ResourceColumns): void {
    this.#shared.forget(block.resourceAttributes);
    this.#service.forget();
    this.schemaUrl.forget();
  }

  /** Reads the message through if no record did. */
  check(): void {
    this.#shared.check();
  }

  append(block: ResourceColumns): void {
    this.#shared.append(block.resourceAttributes);
    this.#service.append(block.serviceName);
    if (block.resourceSchemaUrl) this.schemaUrl.append(block.resourceSchemaUrl);
  }

  #readService(): void {
    const { values } = this.#attributes;
    const index = this.#attributes.serviceName();
    const text = index < 0 ? '' : this.#attributes.readValue(index);
    if (text === undefined) this.#service.set(values.start, values.end);
    else this.#service.setText(text);
  }
}

/** What a table of telemetry has of the scope; `otel_traces` only its name and version. */
export interface ScopeColumns {
  readonly scopeName: StringColumn;
  readonly scopeVersion: TextColumn;
  readonly scopeAttributes?: AttributesColumn;
  readonly scopeDroppedAttrCount?: FixedColumn;
  readonly scopeSchemaUrl?: TextColumn;
}

/** The `InstrumentationScope` that the records at hand share, and the address of its schema. */
export class ScopeRow {
  readonly #wire: WireReader;
  readonly #shared: SharedAttributes;
  readonly #name: SharedText;
  readonly #version: SharedText;
  #dropped = 0;
  readonly schemaUrl: SharedText;

  constructor(wire: WireReader, attributes: AttributesReader) {
    this.#wire = wire;
    this.#shared = new SharedAttributes(wire, attributes, SCOPE_ATTRIBUTES);
    this.#name = new SharedText(wire);
    this.#version = new SharedText(wire);
    this.schemaUrl = new SharedText(wire);
  }

  /** Bytes that each row takes, beside the attributes. */
  get bytes(): number {
    return this.#name.bytes + this.#version.bytes + this.schemaUrl.bytes;
  }

  reset(): void {
    this.#shared.reset();
    this.#name.reset();
    this.#version.reset();
    this.schemaUrl.reset();
    this.#dropped = 0;
  }

  /** Reads the message that ends at `end`, but for its attributes. */
  read(end: number): void {
    const wire = this.#wire;
    this.#shared.found(wire.position, end);
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SCOPE_NAME) this.#name.read(end);
      else if (tag === SCOPE_VERSION) this.#version.read(end);
      else if (tag === SCOPE_DROPPED) {
        wire.varint(end);
        this.#dropped = wire.low;
      } else wire.skip(tag, end);
    }
  }

  /** Call when the block was cleared: what it held is no longer there to be repeated. */
  forget(block: ScopeColumns): void {
    if (block.scopeAttributes) this.#shared.forget(block.scopeAttributes);
    this.#version.forget();
    this.schemaUrl.forget();
  }

  /** Reads the attributes through if no record did. */
  check(): void {
    this.#shared.check();
  }

  append(block: ScopeColumns): void {
    this.#name.append(block.scopeName);
    this.#version.append(block.scopeVersion);
    if (block.scopeAttributes) this.#shared.append(block.scopeAttributes);
    block.scopeDroppedAttrCount?.appendNumber(this.#dropped);
    if (block.scopeSchemaUrl) this.schemaUrl.append(block.scopeSchemaUrl);
  }
}
