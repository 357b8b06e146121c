import { isUtf8 } from 'node:buffer';

const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));
const EMPTY = Buffer.alloc(0);
const FIRST_CAPACITY = 256;
const KEPT_CAPACITY = 4 << 20;
/** Below this many bytes a loop copies faster than a call into the runtime. */
const SHORT = 48;

/** A growing run of bytes, little-endian, appended to in place. */
export class Bytes {
  data: Buffer = EMPTY;
  length = 0;

  /** Makes room for `extra` more bytes. */
  reserve(extra: number): void {
    const needed = this.length + extra;
    if (needed <= this.data.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.data.length * 2, FIRST_CAPACITY));
    this.data.copy(grown, 0, 0, this.length);
    this.data = grown;
  }

  u8(value: number): void {
    this.reserve(1);
    this.data[this.length++] = value;
  }

  u16(value: number): void {
    this.reserve(2);
    this.data[this.length++] = value;
    this.data[this.length++] = value >>> 8;
  }

  u32(value: number): void {
    this.reserve(4);
    const { data } = this;
    data[this.length++] = value;
    data[this.length++] = value >>> 8;
    data[this.length++] = value >>> 16;
    data[this.length++] = value >>> 24;
  }

  /** A 64-bit integer as its low and high 32 bits. */
  u64(low: number, high: number): void {
    this.u32(low);
    this.u32(high);
  }

  double(value: number): void {
    this.reserve(8);
    this.length = this.data.writeDoubleLE(value, this.length);
  }

  /** An unsigned LEB128 integer below 2^53. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest >= 0x80) {
      this.data[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.data[this.length++] = rest;
  }

  copy(source: Uint8Array, start: number, end: number): void {
    this.reserve(end - start);
    const { data } = this;
    if (end - start < SHORT) {
      let at = this.length;
      for (let i = start; i < end; i++) data[at++] = source[i] as number;
      this.length = at;
    } else {
      data.set(source.subarray(start, end), this.length);
      this.length += end - start;
    }
  }

  /** The bytes as lowercase hexadecimal digits. */
  hex(source: Uint8Array, start: number, end: number): void {
    this.reserve((end - start) * 2);
    const { data } = this;
    for (let i = start; i < end; i++) {
      const byte = source[i] as number;
      data[this.length++] = HEX[byte >>> 4] as number;
      data[this.length++] = HEX[byte & 15] as number;
    }
  }

  /** The text in UTF-8 behind its length in bytes: ClickHouse's String. A lone surrogate becomes U+FFFD. */
  text(text: string): void {
    if (text.length < SHORT && this.#ascii(text)) return;
    const size = Buffer.byteLength(text);
    this.varint(size);
    this.reserve(size);
    this.length += this.data.write(text, this.length, 'utf8');
  }

  #ascii(text: string): boolean {
    this.reserve(text.length + 1);
    const { data } = this;
    const start = this.length;
    let at = start;
    data[at++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      data[at++] = code;
    }
    this.length = at;
    return true;
  }

  /** Forgets the content. A small buffer is kept for the next content; a large one is let go. */
  clear(): void {
    this.length = 0;
    if (this.data.length > KEPT_CAPACITY) this.data = EMPTY;
  }
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Undefined when the bytes are well-formed UTF-8, else their text with U+FFFD for what is not. Foreign bytes pass
 * here before they are stored, so that every reader of the store gets valid text.
 */
export function repaired(source: Uint8Array, start: number, end: number): string | undefined {
  if (end - start < SHORT) {
    let seen = 0;
    for (let i = start; i < end; i++) seen |= source[i] as number;
    if (seen < 0x80) return undefined;
  }
  const bytes = source.subarray(start, end);
  return isUtf8(bytes) ? undefined : decoder.decode(bytes);
}

/** A growing list of unsigned 32-bit integers. */
export class Integers {
  data = new Uint32Array(0);
  length = 0;

  push(value: number): void {
    this.reserve(1);
    this.data[this.length++] = value;
  }

  reserve(extra: number): void {
    if (this.length + extra <= this.data.length) return;
    const grown = new Uint32Array(Math.max(this.length + extra, this.data.length * 2, 32));
    grown.set(this.data);
    this.data = grown;
  }

  clear(): void {
    this.length = 0;
    if (this.data.length > KEPT_CAPACITY / 4) this.data = new Uint32Array(0);
  }
}
