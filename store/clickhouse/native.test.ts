import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readBlocks, readHeader } from '../../test/native-block.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { ArrayColumn, MapColumn, NullableColumn } from './native/nested.ts';
import { encodeBlock } from './native.ts';
import { SpanBlock } from './span-block.ts';

const hexOf = (name: string, column: Column): string =>
  encodeBlock(new Map([[name, column]])).toString('hex');
/** Hexadecimal bytes written with spaces and comments by the word. */
const bytes = (...parts: string[]): string => parts.join('').replaceAll(' ', '');
const header = (rows: string, type: string): string =>
  bytes('01', rows, '01 63', type.length.toString(16).padStart(2, '0'), Buffer.from(type).toString('hex'));

/** Byte for byte after ClickHouse's description of the Native format. */
describe('bytes of', () => {
  test('String', () => {
    const column = new StringColumn();
    column.appendText('ab');
    column.appendText('');
    column.appendText('ü'.repeat(64));
    column.appendHex(Buffer.from([0x0f, 0xa0]), 0, 2);
    expect(hexOf('c', column)).toBe(
      bytes(header('04', 'String'), '02 61 62', '00', '80 01', 'c3bc'.repeat(64), '04 30 66 61 30'),
    );
  });

  test('integers, DateTime64 and Decimal: little-endian, two complements', () => {
    const column = new FixedColumn('UInt8');
    column.appendNumber(255);
    expect(hexOf('c', column)).toBe(bytes(header('01', 'UInt8'), 'ff'));
    const short = new FixedColumn('UInt16');
    short.appendNumber(0x0102);
    expect(hexOf('c', short)).toBe(bytes(header('01', 'UInt16'), '02 01'));
    const long = new FixedColumn('UInt64');
    long.appendNumber(2 ** 40 + 1);
    long.append64(0xffff_ffff, 0xffff_ffff);
    expect(hexOf('c', long)).toBe(bytes(header('02', 'UInt64'), '01 00 00 00 00 01 00 00', 'ff'.repeat(8)));
    const time = new FixedColumn('DateTime64(9)');
    time.appendBigint(-1n);
    expect(hexOf('c', time)).toBe(bytes(header('01', 'DateTime64(9)'), 'ff'.repeat(8)));
    const decimal = new FixedColumn('Decimal(38, 18)');
    decimal.appendBigint(-2n);
    decimal.appendBigint(1n << 64n);
    expect(hexOf('c', decimal)).toBe(
      bytes(header('02', 'Decimal(38, 18)'), 'fe', 'ff'.repeat(15), '00'.repeat(8), '01', '00'.repeat(7)),
    );
  });

  test('LowCardinality: version, flags with the width of an index, keys, rows, indexes', () => {
    const column = new LowCardinalityColumn();
    for (const text of ['a', 'b', 'a']) column.appendText(text);
    expect(hexOf('c', column)).toBe(
      bytes(
        header('03', 'LowCardinality(String)'),
        '01 00 00 00 00 00 00 00',
        '00 06 00 00 00 00 00 00',
        '02 00 00 00 00 00 00 00  01 61  01 62',
        '03 00 00 00 00 00 00 00  00 01 00',
      ),
    );
  });

  test('Map and Array: the state of what is inside, where each row ends, all elements', () => {
    const map = new MapColumn(new LowCardinalityColumn(), new StringColumn());
    map.keys.appendText('k');
    map.values.appendText('v');
    map.endRow();
    map.endRow();
    expect(hexOf('c', map)).toBe(
      bytes(
        header('02', 'Map(LowCardinality(String), String)'),
        '01 00 00 00 00 00 00 00',
        '01 00 00 00 00 00 00 00  01 00 00 00 00 00 00 00',
        '00 06 00 00 00 00 00 00  01 00 00 00 00 00 00 00  01 6b  01 00 00 00 00 00 00 00  00',
        '01 76',
      ),
    );
    const empty = new ArrayColumn(new LowCardinalityColumn());
    empty.endRow();
    expect(hexOf('c', empty)).toBe(
      bytes(header('01', 'Array(LowCardinality(String))'), '01 00 00 00 00 00 00 00', '00'.repeat(8)),
    );
  });

  test('Nullable: one byte a row, then a value for every row', () => {
    const column = new NullableColumn(new FixedColumn('UInt8'), (inner) => inner.appendNumber(0));
    column.appendNull();
    column.inner.appendNumber(7);
    column.endRow();
    expect(hexOf('c', column)).toBe(bytes(header('02', 'Nullable(UInt8)'), '01 00', '00 07'));
  });

  test('a block without rows: names and types alone', () => {
    expect(hexOf('c', new LowCardinalityColumn())).toBe(header('00', 'LowCardinality(String)'));
  });
});

test('columns of different lengths are refused', () => {
  const column = new StringColumn();
  column.appendText('');
  expect(() =>
    encodeBlock(
      new Map<string, Column>([
        ['a', column],
        ['b', new StringColumn()],
      ]),
    ),
  ).toThrow(/column b/);
});

const texts = fc.array(fc.string({ unit: 'grapheme' }));
const cells = (column: Column) => readBlocks(encodeBlock(new Map([['c', column]]))).map((row) => row.c);

test('any texts come back, from text and from bytes, in String and LowCardinality', () => {
  fc.assert(
    fc.property(texts, fc.string({ maxLength: 4000 }), (some, long) => {
      for (const column of [new StringColumn(), new LowCardinalityColumn()]) {
        const expected: string[] = [];
        for (const text of [...some, long]) {
          const utf8 = Buffer.from(`x${text}y`);
          column.appendText(text);
          column.append(utf8, 1, utf8.length - 1);
          expected.push(Buffer.from(text).toString(), Buffer.from(text).toString());
        }
        expect(cells(column)).toEqual(expected);
      }
    }),
  );
});

test('any bytes become well-formed text', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
      const expected = [new TextDecoder('utf-8', { ignoreBOM: true }).decode(raw)];
      for (const column of [new StringColumn(), new LowCardinalityColumn()]) {
        column.append(raw, 0, raw.length);
        expect(cells(column)).toEqual(expected);
      }
    }),
  );
});

test('a dictionary of 300 and of 70,000 texts has wider indexes', () => {
  for (const count of [256, 257, 300, 65_536, 70_000]) {
    const column = new LowCardinalityColumn();
    const expected = Array.from({ length: count }, (_, i) => `text ${i}`);
    for (const text of expected) column.appendText(text);
    column.repeat(0, 3);
    expect(cells(column)).toEqual([...expected, ...expected.slice(0, 3)]);
  }
});

test('restore takes back exactly what came since save', () => {
  fc.assert(
    fc.property(texts, texts, texts, (before, undone, after) => {
      const column = new MapColumn(new LowCardinalityColumn(), new StringColumn());
      const append = (list: string[]) => {
        for (const text of list) {
          column.keys.appendText(text);
          column.values.appendText(`${text}!`);
        }
        column.endRow();
      };
      append(before);
      column.save();
      append(undone);
      column.keys.appendText('half a row');
      column.restore();
      append(after);
      const pairs = (list: string[]) =>
        list.map((text) => [Buffer.from(text).toString(), `${Buffer.from(text)}!`]);
      expect(cells(column)).toEqual([pairs(before), pairs(after)]);
    }),
  );
});

test('a block that was cleared is as a new one', () => {
  const block = new SpanBlock();
  const empty = block.encode();
  block.spanName.appendText('a');
  block.eventNames.inner.appendText('b');
  block.eventNames.endRow();
  block.clear();
  expect(block.encode().equals(empty)).toBe(true);
  expect(readHeader(empty)).toHaveLength(22);
});
