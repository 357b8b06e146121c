/**
 * Reads blocks of ClickHouse's Native format into rows: written from the format's description and apart from the
 * encoder, so that one checks the other.
 */
export type Cell = string | number | bigint | null | Cell[] | [Cell, Cell][];
export type Row = Record<string, Cell>;

export function readBlocks(bytes: Uint8Array): Row[] {
  const reader = new Reader(Buffer.from(bytes));
  const rows: Row[] = [];
  while (reader.at < bytes.length) rows.push(...readBlock(reader));
  return rows;
}

/** The names and types of the first block's columns. */
export function readHeader(bytes: Uint8Array): [name: string, type: string][] {
  const header: [string, string][] = [];
  readBlock(new Reader(Buffer.from(bytes)), header);
  return header;
}

class Reader {
  at = 0;
  readonly data: Buffer;

  constructor(data: Buffer) {
    this.data = data;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.data.readUInt8(this.at++);
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  u64(): bigint {
    this.at += 8;
    return this.data.readBigUInt64LE(this.at - 8);
  }

  text(): string {
    const size = this.varint();
    this.at += size;
    if (this.at > this.data.length) throw new RangeError('text past the end');
    return this.data.toString('utf8', this.at - size, this.at);
  }
}

function readBlock(reader: Reader, header: [string, string][] = []): Row[] {
  const columns = reader.varint();
  const count = reader.varint();
  const rows: Row[] = Array.from({ length: count }, () => ({}));
  for (let i = 0; i < columns; i++) {
    const name = reader.text();
    const type = reader.text();
    header.push([name, type]);
    if (count === 0) continue;
    readPrefix(reader, type);
    readData(reader, type, count).forEach((cell, row) => {
      (rows[row] as Row)[name] = cell;
    });
  }
  return rows;
}

const inside = (type: string, outer: string): string | undefined =>
  type.startsWith(`${outer}(`) ? type.slice(outer.length + 1, -1) : undefined;

function mapTypes(type: string): [string, string] | undefined {
  const both = inside(type, 'Map');
  if (both === undefined) return undefined;
  let depth = 0;
  for (let i = 0; i < both.length; i++) {
    if (both[i] === '(') depth++;
    else if (both[i] === ')') depth--;
    else if (both[i] === ',' && depth === 0) return [both.slice(0, i), both.slice(i + 2)];
  }
  throw new Error(`not a map: ${type}`);
}

function readPrefix(reader: Reader, type: string): void {
  const element = inside(type, 'Array') ?? inside(type, 'Nullable');
  const map = mapTypes(type);
  if (element !== undefined) readPrefix(reader, element);
  else if (map) for (const part of map) readPrefix(reader, part);
  else if (type.startsWith('LowCardinality(') && reader.u64() !== 1n) throw new Error('dictionary version');
}

/** Types of up to 8 bytes that are numbers in JavaScript too: their width and what reads them. */
const FIXED: Record<string, [width: number, read: (data: Buffer, at: number) => number]> = {
  UInt8: [1, (data, at) => data.readUInt8(at)],
  Bool: [1, (data, at) => data.readUInt8(at)],
  UInt16: [2, (data, at) => data.readUInt16LE(at)],
  UInt32: [4, (data, at) => data.readUInt32LE(at)],
  Int32: [4, (data, at) => data.readInt32LE(at)],
  DateTime: [4, (data, at) => data.readUInt32LE(at)],
  Float64: [8, (data, at) => data.readDoubleLE(at)],
};

function readData(reader: Reader, type: string, count: number): Cell[] {
  const times = <T>(n: number, read: () => T): T[] => Array.from({ length: n }, read);
  const element = inside(type, 'Array');
  const map = mapTypes(type);
  if (element !== undefined || map) {
    const ends = times(count, () => Number(reader.u64()));
    const cells = map
      ? pairs(readData(reader, map[0], ends.at(-1) ?? 0), () => readData(reader, map[1], ends.at(-1) ?? 0))
      : readData(reader, element as string, ends.at(-1) ?? 0);
    return ends.map((end, row) => cells.slice(row === 0 ? 0 : ends[row - 1], end) as Cell);
  }
  const nullable = inside(type, 'Nullable');
  if (nullable !== undefined) {
    const nulls = times(count, () => reader.data.readUInt8(reader.at++));
    return readData(reader, nullable, count).map((cell, row) => (nulls[row] ? null : cell));
  }
  if (type === 'LowCardinality(String)') return lowCardinality(reader, count);
  if (type === 'String') return times(count, () => reader.text());
  const fixed = FIXED[type];
  if (fixed) {
    return times(count, () => {
      reader.at += fixed[0];
      return fixed[1](reader.data, reader.at - fixed[0]);
    });
  }
  if (type === 'UInt64') return times(count, () => reader.u64());
  if (type.startsWith('DateTime64') || type === 'Int64')
    return times(count, () => BigInt.asIntN(64, reader.u64()));
  if (type.startsWith('Decimal(38')) {
    return times(count, () => {
      const low = reader.u64();
      return BigInt.asIntN(128, low | (reader.u64() << 64n));
    });
  }
  throw new Error(`a type that this reader does not know: ${type}`);
}

function pairs(keys: Cell[], values: () => Cell[]): [Cell, Cell][] {
  const read = values();
  return keys.map((key, i) => [key, read[i] as Cell]);
}

function lowCardinality(reader: Reader, count: number): Cell[] {
  if (count === 0) return [];
  const flags = Number(reader.u64());
  if ((flags & 0x600) !== 0x600) throw new Error(`dictionary flags ${flags.toString(16)}`);
  const width = 1 << (flags & 0xff);
  const keys = Array.from({ length: Number(reader.u64()) }, () => reader.text());
  if (Number(reader.u64()) !== count) throw new Error('dictionary rows');
  return Array.from({ length: count }, () => {
    reader.at += width;
    const index = reader.data.readUIntLE(reader.at - width, width);
    if (index >= keys.length) throw new Error('dictionary index');
    return keys[index] as string;
  });
}
