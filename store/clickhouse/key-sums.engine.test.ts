import { crc32 } from 'node:zlib';
import { afterAll, expect, test } from 'vitest';
import { joinKeysOf } from '../../model/key.ts';
import { event } from '../../test/detection-house.ts';
import { temporaryStores } from '../../test/temporary-stores.ts';

const { events, remove } = await temporaryStores();
afterAll(() => remove());

const SUPREFS = ['plain', 'Grüße 漢字 😀', "a'b\\", 'tab\tline\n', 'half \ud800 pair', 'Å vs Å'];

test('the engine sums join keys of any text as this process does, up to a batch', async () => {
  const bills = SUPREFS.map((supref, i) => ({
    ...event('bill.posted', '2', { subject: `bill/${i} ${supref}`, supref }),
    batch: i < 4 ? '1' : '2',
  }));
  await events.insert(bills, 'test:sums');
  const sumsOf = async (upTo: bigint): Promise<number[]> => {
    const sums: number[] = [];
    for await (const some of events.keySums(upTo)) sums.push(...some);
    return sums.sort((a, b) => a - b);
  };
  for (const upTo of [1n, 2n]) {
    const keys = bills.filter(({ batch }) => BigInt(batch) <= upTo).flatMap((bill) => joinKeysOf(bill));
    expect(await events.keyCount(upTo)).toBe(keys.length);
    expect(await sumsOf(upTo)).toEqual(keys.map((key) => crc32(key)).sort((a, b) => a - b));
  }
});

test('many come in several pieces, none torn', async () => {
  const many = Array.from({ length: 40_000 }, (_, i) => ({
    ...event('bill.posted', '3', { subject: `many/${i}` }),
    batch: '3',
  }));
  await events.insert(many, 'test:many');
  const found = new Set<number>();
  let count = 0;
  for await (const some of events.keySums(3n)) {
    for (const sum of some) found.add(sum);
    count += some.length;
  }
  expect(count).toBe(await events.keyCount(3n));
  expect(many.every((bill) => joinKeysOf(bill).every((key) => found.has(crc32(key))))).toBe(true);
});
