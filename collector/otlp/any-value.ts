import { I64, LEN, MalformedRequest, VARINT, type WireReader } from './wire.ts';

/** Messages may be nested this deep, as in protobuf's own readers; an attribute of a span is at 5. */
export const MAX_DEPTH = 100;
const ATTRIBUTE_DEPTH = 5;

const STRING = 1 * 8 + LEN;
const BOOL = 2 * 8 + VARINT;
const INT = 3 * 8 + VARINT;
const DOUBLE = 4 * 8 + I64;
const ARRAY = 5 * 8 + LEN;
const MAP = 6 * 8 + LEN;
const BYTES = 7 * 8 + LEN;
/** The field of ArrayValue and of KeyValueList. */
const ITEM = 1 * 8 + LEN;
const KEY = 1 * 8 + LEN;
const VALUE = 2 * 8 + LEN;

/**
 * Reads `opentelemetry.proto.common.v1.AnyValue` as the text that the OpenTelemetry Collector writes for it
 * (`pdata/pcommon` `Value.AsString`): integers in decimal, doubles as ECMAScript prints them, bytes in base64, arrays
 * and maps as the JSON of Go's encoder with sorted keys, no value as the empty text.
 */
export class AnyValueReader {
  readonly #wire: WireReader;
  /** Where the text lies when `read` returned undefined. */
  start = 0;
  end = 0;
  #unprintable = false;

  constructor(wire: WireReader) {
    this.#wire = wire;
  }

  /** The text, or undefined when it is a plain string: then its bytes lie from `start` to `end`. */
  read(start: number, end: number): string | undefined {
    const wire = this.#wire;
    wire.position = start;
    let text: string | undefined = '';
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === STRING) {
        this.end = wire.content(end);
        this.start = wire.position;
        wire.position = this.end;
        text = undefined;
      } else {
        text = this.#field(tag, end, ATTRIBUTE_DEPTH) ?? text;
      }
    }
    return text;
  }

  /** The text of a field that is no string, undefined for a field that AnyValue does not have. */
  #field(tag: number, end: number, depth: number): string | undefined {
    const wire = this.#wire;
    switch (tag) {
      case BOOL:
        wire.varint(end);
        return wire.low === 0 && wire.high === 0 ? 'false' : 'true';
      case INT:
        wire.varint(end);
        return int64Text(wire.low, wire.high);
      case DOUBLE: {
        const value = wire.double(end);
        return Number.isFinite(value) ? doubleText(value) : `json: unsupported value: ${unprintable(value)}`;
      }
      case ARRAY:
      case MAP: {
        this.#unprintable = false;
        const json = tag === ARRAY ? this.#array(end, depth + 1) : this.#map(end, depth + 1);
        return this.#unprintable ? '' : json;
      }
      case BYTES:
        return this.#bytes(end);
      default:
        wire.skip(tag, end);
        return undefined;
    }
  }

  /** An AnyValue inside of another one, as JSON. */
  #json(end: number, depth: number): string {
    if (depth > MAX_DEPTH)
      throw new MalformedRequest('too-deep', `a value is nested deeper than ${MAX_DEPTH} messages`);
    const wire = this.#wire;
    let json = 'null';
    while (wire.position < end) {
      const tag = wire.tag(end);
      switch (tag) {
        case STRING: {
          const stop = wire.content(end);
          json = goJsonString(wire.data.toString('utf8', wire.position, stop));
          wire.charge(json.length);
          wire.position = stop;
          break;
        }
        case DOUBLE: {
          const value = wire.double(end);
          if (!Number.isFinite(value)) this.#unprintable = true;
          json = doubleText(value);
          break;
        }
        case ARRAY:
          json = this.#array(end, depth + 1);
          break;
        case MAP:
          json = this.#map(end, depth + 1);
          break;
        case BYTES:
          json = `"${this.#bytes(end)}"`;
          break;
        default:
          json = this.#field(tag, end, depth) ?? json;
      }
    }
    return json;
  }

  #bytes(end: number): string {
    const wire = this.#wire;
    const stop = wire.content(end);
    const text = wire.data.toString('base64', wire.position, stop);
    wire.position = stop;
    return text;
  }

  #array(outer: number, depth: number): string {
    const wire = this.#wire;
    const end = wire.content(outer);
    const items: string[] = [];
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag !== ITEM) {
        wire.skip(tag, end);
        continue;
      }
      items.push(this.#json(wire.item(end), depth + 1));
    }
    return `[${items.join(',')}]`;
  }

  #map(outer: number, depth: number): string {
    const wire = this.#wire;
    const end = wire.content(outer);
    const entries = new Map<string, string>();
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag !== ITEM) {
        wire.skip(tag, end);
        continue;
      }
      this.#entry(wire.item(end), depth + 1, entries);
    }
    const sorted = [...entries].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return `{${sorted.map(([key, json]) => `${goJsonString(key)}:${json}`).join(',')}}`;
  }

  #entry(end: number, depth: number, entries: Map<string, string>): void {
    const wire = this.#wire;
    let key = '';
    let json = 'null';
    while (wire.position < end) {
      const tag = wire.tag(end);
      if (tag === KEY) {
        const stop = wire.content(end);
        key = wire.data.toString('utf8', wire.position, stop);
        wire.position = stop;
      } else if (tag === VALUE) {
        json = this.#json(wire.content(end), depth + 1);
      } else wire.skip(tag, end);
    }
    entries.set(key, json);
  }
}

function int64Text(low: number, high: number): string {
  if (high < 0x20_0000) return String(high * 0x1_0000_0000 + low);
  return BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low)).toString();
}

/** A double as Go's JSON encoder prints it: as ECMAScript, but the sign of a negative zero is kept. */
const doubleText = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));

const unprintable = (value: number): string => (Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf');

/** A JSON string as Go's encoder writes it: `<`, `>`, `&`, U+2028 and U+2029 are escaped too. */
const goJsonString = (text: string): string =>
  JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
