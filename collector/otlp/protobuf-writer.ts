import { ClosewatchError } from '../../model/errors.ts';
import { Bytes } from '../../store/clickhouse/native/bytes.ts';
import { LEN } from './wire.ts';

/** A length is written in this many bytes, so that it can be filled in when the message is closed. */
const LENGTH_BYTES = 4;

/**
 * Writes protobuf messages one field after the other; nested ones between `open` and `close`. Throws `request.too-large`
 * soon after they have more bytes than the limit.
 */
export class ProtobufWriter {
  readonly #out = new Bytes();
  readonly #limit: number;

  constructor(limit = Number.POSITIVE_INFINITY) {
    this.#limit = limit;
  }

  tag(field: number, wireType: number): void {
    this.#check();
    this.#out.varint(field * 8 + wireType);
  }

  /** Begins a nested message; returns what `close` needs. */
  open(field: number): number {
    this.tag(field, LEN);
    this.#out.reserve(LENGTH_BYTES);
    this.#out.length += LENGTH_BYTES;
    return this.#out.length;
  }

  /** Ends the message that began at `start`: at most 2^28 - 1 bytes, more than any body may have. */
  close(start: number): void {
    const { data } = this.#out;
    const size = this.#out.length - start;
    if (size >= 2 ** (7 * LENGTH_BYTES))
      throw new ClosewatchError('request.too-large', `a message of ${size} bytes is too long`);
    for (let i = 0; i < LENGTH_BYTES; i++)
      data[start - LENGTH_BYTES + i] = ((size >>> (7 * i)) & 0x7f) | (i < LENGTH_BYTES - 1 ? 0x80 : 0);
  }

  text(field: number, value: string): void {
    this.tag(field, LEN);
    this.#out.text(value);
  }

  binary(field: number, value: Uint8Array): void {
    this.tag(field, LEN);
    this.#out.varint(value.length);
    this.#out.copy(value, 0, value.length);
  }

  /** A varint below 2^53. */
  small(value: number): void {
    this.#out.varint(value);
  }

  varint(value: bigint): void {
    this.#check();
    let rest = value;
    while (rest >= 0x80n) {
      this.#out.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#out.u8(Number(rest));
  }

  fixed32(value: number): void {
    this.#out.u32(value);
  }

  fixed64(value: bigint): void {
    this.#check();
    this.#out.u64(Number(value & 0xffff_ffffn), Number(value >> 32n));
  }

  double(value: number): void {
    this.#check();
    this.#out.double(value);
  }

  #check(): void {
    if (this.#out.length > this.#limit)
      throw new ClosewatchError('request.too-large', 'the records of this request take too much memory');
  }

  bytes(): Buffer {
    return this.#out.data.subarray(0, this.#out.length);
  }
}
