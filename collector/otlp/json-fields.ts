import { MAX_DEPTH } from './any-value.ts';
import type { JsonReader, Scalar } from './json-reader.ts';
import type { ProtobufWriter } from './protobuf-writer.ts';
import { I32, I64, MalformedRequest, VARINT } from './wire.ts';

/** Writes the JSON value that comes next as the protobuf field that it stands for. */
export type Field = (out: ProtobufWriter, json: JsonReader, depth: number) => void;
/** The fields of a message by their names. */
export type Message = Readonly<Record<string, Field>>;

/** A value that is not what its field must be. The path grows while the error passes the levels that it lies in. */
export class WrongValue extends Error {
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

/** Writes the fields of the object that comes next. */
export function writeMessage(out: ProtobufWriter, fields: Message, json: JsonReader, depth: number): void {
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

export const message =
  (number: number, of: () => Message): Field =>
  (out, json, depth) => {
    const start = out.open(number);
    writeMessage(out, of(), json, depth + 1);
    out.close(start);
  };

export const repeated = (number: number, of: () => Message): Field => {
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

export const text =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string') throw new WrongValue('a text');
    out.text(number, value);
  };

export const id =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string') throw new WrongValue('a text of hexadecimal digits');
    const hexadecimal = /^(?:[0-9a-f]{2})*$/i.test(value);
    out.binary(number, hexadecimal ? Buffer.from(value, 'hex') : Buffer.from([0]));
  };

const BASE64 = /^[A-Za-z0-9+/_-]*={0,2}$/;
export const base64 =
  (number: number): Field =>
  (out, json) => {
    const value = json.scalar();
    if (typeof value !== 'string' || !BASE64.test(value)) throw new WrongValue('base64');
    out.binary(number, Buffer.from(value, 'base64'));
  };

export const boolean =
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

const UINT64 = 2n ** 64n - 1n;
const ANY_DOUBLE = 10n ** 400n;

/** The JavaScript SDK writes every whole number as an int64; one beyond 64 bits is kept as the double that it was. */
export const int64 =
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

export const fixed64 =
  (number: number): Field =>
  (out, json) => {
    const whole = integer(json.scalar(), 0n, UINT64);
    out.tag(number, I64);
    out.fixed64(whole);
  };

function anyDouble(value: Scalar | undefined): number {
  const known = value === 'NaN' || value === 'Infinity' || value === '-Infinity';
  const read =
    typeof value === 'number' || known || (typeof value === 'string' && value.trim() !== '')
      ? Number(value)
      : Number.NaN;
  if (Number.isNaN(read) && value !== 'NaN') throw new WrongValue('a number');
  return read;
}

export const double =
  (number: number): Field =>
  (out, json) => {
    const read = anyDouble(json.scalar());
    out.tag(number, I64);
    out.double(read);
  };

export const enumeration =
  (number: number, prefix: string, names: readonly string[]): Field =>
  (out, json) => {
    const value = json.scalar();
    const named = typeof value === 'string' ? names.indexOf(value.replace(prefix, '')) : -1;
    if (named < 0 && (typeof value !== 'number' || (value | 0) !== value))
      throw new WrongValue('the number of an enum');
    out.tag(number, VARINT);
    out.varint(BigInt.asUintN(64, BigInt(named < 0 ? (value as number) : named)));
  };

const UINT32 = 2n ** 32n - 1n;

export const uint32 =
  (number: number): Field =>
  (out, json) => {
    const value = Number(integer(json.scalar(), 0n, UINT32));
    out.tag(number, VARINT);
    out.small(value);
  };

export const fixed32 =
  (number: number): Field =>
  (out, json) => {
    const value = Number(integer(json.scalar(), 0n, UINT32));
    out.tag(number, I32);
    out.fixed32(value);
  };

/** A number that is not stored is checked and left out. */
export const unstored: Field = (_out, json) => {
  integer(json.scalar(), 0n, UINT32);
};

export const sint32 =
  (number: number): Field =>
  (out, json) => {
    const value = Number(integer(json.scalar(), -(2n ** 31n), 2n ** 31n - 1n));
    out.tag(number, VARINT);
    out.small(((value << 1) ^ (value >> 31)) >>> 0);
  };

export const sfixed64 =
  (number: number): Field =>
  (out, json) => {
    const whole = integer(json.scalar(), -(2n ** 63n), 2n ** 63n - 1n);
    out.tag(number, I64);
    out.fixed64(BigInt.asUintN(64, whole));
  };

/** A list of numbers, packed. */
const packed =
  (write: (out: ProtobufWriter, json: JsonReader) => void) =>
  (number: number): Field =>
  (out, json) => {
    if (!json.enterArray()) throw new WrongValue('an array');
    const start = out.open(number);
    let i = 0;
    try {
      for (; json.nextItem(i === 0); i++) write(out, json);
    } catch (error) {
      throw error instanceof WrongValue ? error.in(`[${i}]`) : error;
    }
    out.close(start);
  };

export const fixed64s = packed((out, json) => out.fixed64(integer(json.scalar(), 0n, UINT64)));
export const uint64s = packed((out, json) => out.varint(integer(json.scalar(), 0n, UINT64)));
export const doubles = packed((out, json) => out.double(anyDouble(json.scalar())));
