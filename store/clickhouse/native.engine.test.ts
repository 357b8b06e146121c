import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type ClickHouse, connectClickHouse } from './client.ts';
import { type Column, FixedColumn, LowCardinalityColumn, StringColumn } from './native/columns.ts';
import { ArrayColumn, MapColumn, NullableColumn } from './native/nested.ts';
import { encodeBlock } from './native.ts';
import { defineQuery } from './query.ts';
import { temporaryEngine } from './testing/temporary.ts';

let engine: Awaited<ReturnType<typeof temporaryEngine>>;
let clickhouse: ClickHouse;

beforeAll(async () => {
  engine = await temporaryEngine();
  clickhouse = connectClickHouse(engine);
  await clickhouse.createDatabase();
});

afterAll(async () => {
  await clickhouse?.close();
  await engine?.remove();
});

test('ClickHouse reads every type that we write', async () => {
  await clickhouse.command(`CREATE TABLE kinds (
    text String, low LowCardinality(String), tiny UInt8, short UInt16, big UInt64, signed Int64,
    ms DateTime64(3, 'UTC'), ns DateTime64(9, 'UTC'), amount Nullable(Decimal(38, 18)),
    list Array(String), lows Array(LowCardinality(String)), map Map(LowCardinality(String), String),
    nested Nested (at DateTime64(9), attributes Map(LowCardinality(String), String))
  ) ENGINE = MergeTree ORDER BY short`);
  const text = new StringColumn();
  const low = new LowCardinalityColumn();
  const tiny = new FixedColumn('UInt8');
  const short = new FixedColumn('UInt16');
  const big = new FixedColumn('UInt64');
  const signed = new FixedColumn('Int64');
  const ms = new FixedColumn("DateTime64(3, 'UTC')");
  const ns = new FixedColumn("DateTime64(9, 'UTC')");
  const amount = new NullableColumn(new FixedColumn('Decimal(38, 18)'), (inner) => inner.appendBigint(0n));
  const list = new ArrayColumn(new StringColumn());
  const lows = new ArrayColumn(new LowCardinalityColumn());
  const map = new MapColumn(new LowCardinalityColumn(), new StringColumn());
  const at = new ArrayColumn(new FixedColumn('DateTime64(9)'));
  const attributes = new ArrayColumn(new MapColumn(new LowCardinalityColumn(), new StringColumn()));
  const rows = 1000;
  for (let row = 0; row < rows; row++) {
    text.appendText(`text\n\n${row};`);
    low.appendText(`low ${row % 300}`);
    tiny.appendNumber(row % 256);
    short.appendNumber(row);
    big.appendBigint(2n ** 64n - 1n - BigInt(row));
    signed.appendBigint(-BigInt(row));
    ms.appendBigint(1_700_000_000_123n);
    ns.appendBigint(1_700_000_000_123_456_789n);
    if (row % 2) amount.appendNull();
    else {
      amount.inner.appendBigint(-12_340_000_000_000_000_000n - BigInt(row));
      amount.endRow();
    }
    for (let i = 0; i < row % 3; i++) {
      list.inner.appendText(`item ${i}`);
      lows.inner.appendText(`low ${row + i}`);
      map.keys.appendText(`key ${i}`);
      map.values.appendText(`value ${row}`);
      at.inner.appendBigint(BigInt(row));
      attributes.inner.keys.appendText('k');
      attributes.inner.values.appendText(String(i));
      attributes.inner.endRow();
    }
    for (const column of [list, lows, map, at, attributes]) column.endRow();
  }
  const columns = new Map<string, Column>(
    Object.entries({ text, low, tiny, short, big, signed, ms, ns, amount, list, lows, map }),
  );
  columns.set('nested.at', at).set('nested.attributes', attributes);
  await clickhouse.insertNative('kinds', [...columns.keys()], encodeBlock(columns), { token: 'kinds' });

  const all = defineQuery({
    name: 'kinds.all',
    sql: `SELECT *, toUnixTimestamp64Nano(ns) AS nanos, arrayMap(t -> toUnixTimestamp64Nano(t), nested.at) AS ats,
      nested.attributes AS attributes FROM kinds ORDER BY short`,
    params: z.object({}),
    row: z.looseObject({}),
  });
  const read = await clickhouse.query(all, {});
  expect(read).toHaveLength(rows);
  read.forEach((found, row) => {
    const items = Array.from({ length: row % 3 }, (_, i) => i);
    expect(found).toMatchObject({
      text: `text\n\n${row};`,
      low: `low ${row % 300}`,
      tiny: row % 256,
      short: row,
      big: String(2n ** 64n - 1n - BigInt(row)),
      signed: String(-BigInt(row)),
      ms: '2023-11-14 22:13:20.123',
      nanos: '1700000000123456789',
      list: items.map((i) => `item ${i}`),
      lows: items.map((i) => `low ${row + i}`),
      map: Object.fromEntries(items.map((i) => [`key ${i}`, `value ${row}`])),
      ats: items.map(() => String(row)),
      attributes: items.map((i) => ({ k: String(i) })),
    });
    const digits = `12.34${String(row).padStart(16, '0')}`.replace(/0+$/, '');
    expect(found.amount).toBe(row % 2 ? null : `-${digits}`);
  });
});
