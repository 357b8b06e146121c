import type { Masking } from '../../model/masking.ts';
import type { StringColumn } from '../../store/clickhouse/native/columns.ts';
import { AttributesReader } from './attributes.ts';
import { type Decoded, type DecodeLimits, type Decoder, nothing, type Sink } from './decoder.ts';
import { Latest, Newest } from './instant.ts';
import type { KeysConfig } from './keys-config.ts';
import { type ResourceColumns, ResourceRow, type ScopeColumns, ScopeRow } from './origin.ts';
import type { SpanSender } from './span-keys.ts';
import { LEN, WireReader } from './wire.ts';

/** Requests of every signal have the same numbers here, such as `ResourceSpans.scope_spans` and `ScopeSpans.spans`. */
const OF_RESOURCE = 1 * 8 + LEN;
const RESOURCE = 1 * 8 + LEN;
const OF_SCOPE = 2 * 8 + LEN;
const SCOPE = 1 * 8 + LEN;
const RECORD = 2 * 8 + LEN;
const SCHEMA_URL = 3 * 8 + LEN;
const NO_BODY = Buffer.alloc(0);
const NOBODY: SpanSender = { source: '' };

/** What decoders do beside reading. */
export interface DecoderSettings {
  /** Protects values before they are appended; left out, all are kept. */
  readonly masking?: Masking | undefined;
  /** Which attributes of spans hold correlation keys; left out, as by default. */
  readonly keys?: KeysConfig | undefined;
}

/**
 * What the requests of every signal have around their records: resources, their scopes, and the records of each
 * (opentelemetry-proto, collector/<signal>/v1). One decoder serves one request after the other. Where a field that is no
 * list comes twice, the last one counts.
 */
export abstract class EnvelopeDecoder implements Decoder {
  protected readonly wire = new WireReader();
  protected readonly attributes: AttributesReader;
  protected readonly resource: ResourceRow;
  protected readonly scope: ScopeRow;
  /** Of the records that are kept. */
  protected readonly newest = new Newest();
  protected latest = new Latest(0n);
  protected sender: SpanSender = NOBODY;

  constructor({ masking }: DecoderSettings = {}) {
    this.attributes = new AttributesReader(this.wire, masking);
    this.resource = new ResourceRow(this.wire, this.attributes, (read) => this.readResource(read));
    this.scope = new ScopeRow(this.wire, this.attributes);
  }

  decode(body: Buffer, sink: Sink, limits: DecodeLimits): Decoded {
    const { wire } = this;
    const decoded = nothing();
    wire.data = body;
    wire.position = 0;
    wire.room = limits.maxRowBytes;
    this.latest = new Latest(limits.latest);
    this.sender = limits.sender ?? NOBODY;
    this.newest.reset();
    const { masking } = this.attributes;
    if (masking) masking.counts = decoded.masked;
    try {
      while (wire.position < body.length) {
        const tag = wire.tag(body.length);
        if (tag === OF_RESOURCE) this.#ofResource(wire.item(body.length), sink, decoded);
        else wire.skip(tag, body.length);
      }
    } finally {
      wire.data = NO_BODY;
      this.resource.reset();
      this.scope.reset();
      this.attributes.clear();
      this.clear();
    }
    decoded.newest = this.newest.nanos;
    return decoded;
  }

  /** Reads the record that ends at `end` into `sink` and counts it. */
  protected abstract record(end: number, sink: Sink, decoded: Decoded): void;

  /** Sees the attributes of a resource, before the first of its records is complete. */
  protected readResource(_attributes: AttributesReader): void {}

  /** Lets go of what the last request left. */
  protected abstract clear(): void;

  /** Free text as it may be stored, appended. */
  protected appendText(column: StringColumn, start: number, end: number): void {
    const { masking } = this.attributes;
    if (masking === undefined || end === start) column.append(this.wire.data, start, end);
    else column.appendText(masking.scan(this.wire.data.toString('utf8', start, end)));
  }

  /** Charges a row of the record at hand: `bytes` and what it repeats of resource and scope, beside their attributes. */
  protected chargeRow(bytes: number): void {
    this.wire.charge(bytes + this.resource.bytes + this.scope.bytes);
  }

  /** Call when a block was cleared while a request is read. */
  protected forget(block: ResourceColumns & ScopeColumns): void {
    this.resource.forget(block);
    this.scope.forget(block);
  }

  #ofResource(end: number, sink: Sink, decoded: Decoded): void {
    const { wire } = this;
    const scopes: number[] = [];
    this.resource.reset();
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SCHEMA_URL) this.resource.schemaUrl.read(end);
      else if (tag !== RESOURCE && tag !== OF_SCOPE) wire.skip(tag, end);
      else {
        const stop = wire.item(end);
        if (tag === RESOURCE) this.resource.found(wire.position, stop);
        else scopes.push(wire.position, stop);
        wire.position = stop;
      }
    }
    for (let i = 0; i < scopes.length; i += 2)
      this.#ofScope(scopes[i] as number, scopes[i + 1] as number, sink, decoded);
    this.resource.check();
    wire.position = end;
  }

  #ofScope(start: number, end: number, sink: Sink, decoded: Decoded): void {
    const { wire } = this;
    wire.position = start;
    this.scope.reset();
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === SCOPE) this.scope.read(wire.item(end));
      else if (tag === SCHEMA_URL) this.scope.schemaUrl.read(end);
      else wire.skip(tag, end);
    }
    wire.position = start;
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag !== RECORD) {
        wire.skip(tag, end);
        continue;
      }
      const stop = wire.content(end);
      this.record(stop, sink, decoded);
      wire.position = stop;
    }
    this.scope.check();
  }
}
