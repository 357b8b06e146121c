import { MAX_DEPTH } from './any-value.ts';
import { JsonReader, type Scalar } from './json-reader.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { I64, MalformedRequest, VARINT } from './wire.ts';

/** Writes the JSON value that comes next as the protobuf field that it stands for. */
type Field = (out: ProtobufWriter, json: JsonReader, depth: number) => void;
type Message = Record<string, Field>;

/**
 * The same request in protobuf, from OTLP/JSON (opentelemetry-proto docs/specification.md, JSON Protobuf Encoding): ids in
 * hexadecimal, 64-bit integers as text or numbers, unknown fields ignored, `null` as absent. Enums may be given by their
 * names too, as the Collector takes them. Throws `MalformedRequest` with the path of what is wrong.
 *
 * An id that is no hexadecimal text becomes an id of a wrong length: the span is refused, not the request.
 */
export function protobufOfJson(body: Buffer): Buffer {
  const out = new ProtobufWriter();
  try {
    const json = new JsonReader(body.toString('utf8'));
    writeMessage(out, REQUEST, json, 0);
    json.end();
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    throw new MalformedRequest('json', `${error.path || 'the body'} must be ${error.expected}`);
  }
  return out.bytes();
}

/** A value that is not what its field must be. The path grows while the error passes the levels that it lies in. */
class WrongValue extends Error {
  path = '';
  readonly expected: string;

  constructor(expected: string) {
    super(expected);
    this.expected = expected;
  }

  in(level: string): this {
    this.path = this.path === '' || this.path.startsWith('[') ? level + this.path : `${level}.${this.path}`;
    return this;
  }
}

function writeMessage(out: ProtobufWriter, fields: Message, json: JsonReader, depth: number): void {
  if (!json.enterObject()) throw new WrongValue('an object');
  if (depth > MAX_DEPTH)
    throw new MalformedRequest('too-deep', `a value is nested deeper than ${MAX_DEPTH} messages`);
  let name = '';
  try {
    for (let first = true; json.nextMember(first); first = false) {
      name = json.name();
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (!field) json.skip();
      else if (!json.skipNull()) field(out, json, depth);
    }
  } catch (error) {
    throw error instanceof WrongValue ? error.in(name) : error;
  }
}

const message =
  (number: number, of: () => Message): Field =>
  (out, json, depth) => {
    const start = out.open(number);
    writeMessage(out, of(), json, depth + 1);
    out.close(start);
  };

const repeated = (number: number, of: () => Message): Field => {
  const write = message(number, of);
  return (out, json, depth) => {
    if (!json.enterArray()) throw new WrongValue('an array');
    let i = 0;
    try {
      for (; json.nextItem(i === 0); i++) write(out, json, depth);
    } catch (error) {
      throw error instanceof WrongValue ? error.in(`[${i}]`) : error;
    }
  };
};

const text =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string') throw new WrongValue('a text');
    out.text(number, value);
  };

const id =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string') throw new WrongValue('a text of hexadecimal digits');
    const hexadecimal = /^(?:[0-9a-f]{2})*$/i.test(value);
    out.binary(number, hexadecimal ? Buffer.from(value, 'hex') : Buffer.from([0]));
  };

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
const base64 =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string' || !BASE64.test(value)) throw new WrongValue('base64');
    out.binary(number, Buffer.from(value, 'base64'));
  };

const boolean =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'boolean') throw new WrongValue('true or false');
    out.tag(number, VARINT);
    out.varint(value ? 1n : 0n);
  };

function integer(value: Scalar | undefined, least: bigint, most: bigint): bigint {
  const whole =
    typeof value === 'number'
      ? Number.isInteger(value)
      : typeof value === 'string' && /^-?\d{1,30}$/.test(value);
  const number = whole ? BigInt(value as string | number) : undefined;
  if (number === undefined || number < least || number > most)
    throw new WrongValue('a whole number in its range');
  return number;
}

/** Most integers: not negative, and exact as a double. */
const isSmall = (value: Scalar | undefined): boolean =>
  typeof value === 'number'
    ? Number.isSafeInteger(value) && value >= 0
    : typeof value === 'string' && value.length < 16 && /^\d+$/.test(value);

const ANY_DOUBLE = 10n ** 400n;

/** The JavaScript SDK writes every whole number as an int64; one beyond 64 bits is kept as the double that it was. */
const int64 =
  (number: number, asDouble: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (isSmall(value)) {
      out.tag(number, VARINT);
      out.small(Number(value));
      return;
    }
    const whole = integer(value, -ANY_DOUBLE, ANY_DOUBLE);
    if (BigInt.asIntN(64, whole) !== whole) {
      out.tag(asDouble, I64);
      out.double(Number(whole));
    } else {
      out.tag(number, VARINT);
      out.varint(BigInt.asUintN(64, whole));
    }
  };

const fixed64 =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    const whole = integer(value, 0n, 2n ** 64n - 1n);
    out.tag(number, I64);
    out.fixed64(whole);
  };

const double =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    const known = value === 'NaN' || value === 'Infinity' || value === '-Infinity';
    const read =
      typeof value === 'number' || known || (typeof value === 'string' && value.trim() !== '')
        ? Number(value)
        : Number.NaN;
    if (Number.isNaN(read) && value !== 'NaN') throw new WrongValue('a number');
    out.tag(number, I64);
    out.double(read);
  };

const enumeration =
  (number: number, prefix: string, names: readonly string[]): Field =>
  (out, json) => {
    const value = json.scalar();
    const named = typeof value === 'string' ? names.indexOf(value.replace(prefix, '')) : -1;
    if (named < 0 && (typeof value !== 'number' || (value | 0) !== value))
      throw new WrongValue('the number of an enum');
    out.tag(number, VARINT);
    out.varint(BigInt.asUintN(64, BigInt(named < 0 ? (value as number) : named)));
  };

/** A number that is not stored is checked and left out. */
const uint32: Field = (_out, json) => {
  integer(json.scalar(), 0n, 2n ** 32n - 1n);
};

const ANY_VALUE: Message = {
  stringValue: text(1),
  boolValue: boolean(2),
  intValue: int64(3, 4),
  doubleValue: double(4),
  arrayValue: message(5, () => ARRAY_VALUE),
  kvlistValue: message(6, () => KEY_VALUE_LIST),
  bytesValue: base64(7),
};
const ARRAY_VALUE: Message = { values: repeated(1, () => ANY_VALUE) };
const KEY_VALUE: Message = { key: text(1), value: message(2, () => ANY_VALUE) };
const KEY_VALUE_LIST: Message = { values: repeated(1, () => KEY_VALUE) };
const attributes = (number: number): Field => repeated(number, () => KEY_VALUE);

const EVENT: Message = {
  timeUnixNano: fixed64(1),
  name: text(2),
  attributes: attributes(3),
  droppedAttributesCount: uint32,
};
const LINK: Message = {
  traceId: id(1),
  spanId: id(2),
  traceState: text(3),
  attributes: attributes(4),
  droppedAttributesCount: uint32,
  flags: uint32,
};
const STATUS: Message = {
  message: text(2),
  code: enumeration(3, 'STATUS_CODE_', ['UNSET', 'OK', 'ERROR']),
};
const SPAN: Message = {
  traceId: id(1),
  spanId: id(2),
  traceState: text(3),
  parentSpanId: id(4),
  name: text(5),
  kind: enumeration(6, 'SPAN_KIND_', ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']),
  startTimeUnixNano: fixed64(7),
  endTimeUnixNano: fixed64(8),
  attributes: attributes(9),
  droppedAttributesCount: uint32,
  events: repeated(11, () => EVENT),
  droppedEventsCount: uint32,
  links: repeated(13, () => LINK),
  droppedLinksCount: uint32,
  status: message(15, () => STATUS),
  flags: uint32,
};
const SCOPE: Message = {
  name: text(1),
  version: text(2),
  attributes: attributes(3),
  droppedAttributesCount: uint32,
};
const SCOPE_SPANS: Message = {
  scope: message(1, () => SCOPE),
  spans: repeated(2, () => SPAN),
  schemaUrl: text(3),
};
const RESOURCE: Message = { attributes: attributes(1), droppedAttributesCount: uint32 };
const RESOURCE_SPANS: Message = {
  resource: message(1, () => RESOURCE),
  scopeSpans: repeated(2, () => SCOPE_SPANS),
  schemaUrl: text(3),
};
const REQUEST: Message = { resourceSpans: repeated(1, () => RESOURCE_SPANS) };
