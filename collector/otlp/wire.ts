import { ClosewatchError } from '../../model/errors.ts';

/**
 * Wire types of protobuf that OTLP uses (protobuf.dev, Encoding). Groups, 3 and 4, are refused. A tag is the number of
 * the field times 8 plus its wire type; a known number with another wire type is an unknown field, as everywhere.
 */
export const VARINT = 0;
export const I64 = 1;
export const LEN = 2;
export const I32 = 5;

/** What one message of a repeated field takes in memory, beside its texts: where it lies, its offsets and indexes. */
const ITEM_BYTES = 32;

/** Why a body is no OTLP request; `kind` is for counters and tests, the message for people. */
export type Malformation = 'truncated' | 'overlong' | 'group' | 'field-number' | 'too-deep' | 'json';

export class MalformedRequest extends ClosewatchError {
  readonly kind: Malformation;

  constructor(kind: Malformation, message: string) {
    super('request.malformed', message);
    this.kind = kind;
  }
}

/**
 * Reads protobuf from one buffer. Every read names the end of the message that it is in and throws
 * `MalformedRequest` before it would pass it. What is read is charged against `room` when it is found, before anything
 * is kept of it: an empty message has two bytes in the body and many times that in memory.
 */
export class WireReader {
  data: Buffer = Buffer.alloc(0);
  position = 0;
  /** How many bytes of memory what is read may still take. */
  room = 0;
  /** The 32-bit halves of the last `varint` or `fixed64`. */
  low = 0;
  high = 0;

  /** The next field as `number * 8 + wire type`. */
  tag(end: number): number {
    const first = this.position < end ? (this.data[this.position] as number) : 0x80;
    let tag = first;
    if (first < 0x80) this.position++;
    else {
      this.varint(end);
      if (this.high !== 0) throw new MalformedRequest('field-number', 'a field number is out of range');
      tag = this.low;
    }
    if (tag >>> 3 === 0) throw new MalformedRequest('field-number', 'a field has the number 0');
    return tag;
  }

  /** Reads a length and returns where the content that begins at `position` ends. */
  content(end: number): number {
    const first = this.position < end ? (this.data[this.position] as number) : 0x80;
    let size = first;
    if (first < 0x80) this.position++;
    else {
      this.varint(end);
      size = this.high * 0x1_0000_0000 + this.low;
    }
    if (size > end - this.position)
      throw new MalformedRequest('truncated', `a field of ${size} bytes has only ${end - this.position}`);
    return this.position + size;
  }

  /** As `content`, of a message that is one of many: it is charged. */
  item(end: number): number {
    this.charge(ITEM_BYTES);
    return this.content(end);
  }

  /** As `item`, of a number of 64 bits: where it ends. */
  item64(end: number): number {
    this.charge(ITEM_BYTES);
    if (end - this.position < 8) throw new MalformedRequest('truncated', 'a number of 64 bits is cut off');
    return this.position + 8;
  }

  /** Passes over the content whose length comes next: where it lies. */
  range(outer: number): readonly [start: number, end: number] {
    const end = this.content(outer);
    const start = this.position;
    this.position = end;
    return [start, end];
  }

  /** Takes `bytes` from the room; throws `request.too-large` when there is not so much left. */
  charge(bytes: number): void {
    this.room -= bytes;
    if (this.room < 0)
      throw new ClosewatchError('request.too-large', 'the records of this request take too much memory');
  }

  /** Reads a varint of up to 64 bits into `low` and `high`. */
  varint(end: number): void {
    const { data } = this;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.position >= end) throw new MalformedRequest('truncated', 'a number is cut off');
      const byte = data[this.position++] as number;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.low = low >>> 0;
        this.high = high >>> 0;
        return;
      }
    }
    throw new MalformedRequest('overlong', 'a number has more than 10 bytes');
  }

  /** Reads a signed integer of 32 bits in ZigZag encoding. */
  sint32(end: number): number {
    this.varint(end);
    return (this.low >>> 1) ^ -(this.low & 1);
  }

  /** Reads 8 bytes into `low` and `high`. */
  fixed64(end: number): void {
    if (end - this.position < 8) throw new MalformedRequest('truncated', 'a number of 64 bits is cut off');
    this.low = this.data.readUInt32LE(this.position);
    this.high = this.data.readUInt32LE(this.position + 4);
    this.position += 8;
  }

  /** Reads 4 bytes, unsigned. */
  fixed32(end: number): number {
    if (end - this.position < 4) throw new MalformedRequest('truncated', 'a number of 32 bits is cut off');
    this.position += 4;
    return this.data.readUInt32LE(this.position - 4);
  }

  double(end: number): number {
    if (end - this.position < 8) throw new MalformedRequest('truncated', 'a double is cut off');
    this.position += 8;
    return this.data.readDoubleLE(this.position - 8);
  }

  /** Passes over the value of a field that nobody reads. */
  skip(tag: number, end: number): void {
    switch (tag & 7) {
      case VARINT:
        this.varint(end);
        return;
      case I64:
        this.#advance(8, end);
        return;
      case LEN:
        this.position = this.content(end);
        return;
      case I32:
        this.#advance(4, end);
        return;
      default:
        throw new MalformedRequest('group', `a field has the wire type ${tag & 7}, which OTLP does not use`);
    }
  }

  #advance(bytes: number, end: number): void {
    if (end - this.position < bytes) throw new MalformedRequest('truncated', 'a field is cut off');
    this.position += bytes;
  }
}

/** A signed integer of 64 bits as the double that is nearest. */
export const int64AsDouble = (low: number, high: number): number => (high | 0) * 0x1_0000_0000 + low;
