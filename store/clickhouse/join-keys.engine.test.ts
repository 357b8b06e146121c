import { afterAll, expect, test } from 'vitest';
import { joinKey } from '../../model/key.ts';
import { event } from '../../test/detection-house.ts';
import { temporaryStores } from '../../test/temporary-stores.ts';
import { openFinanceEvents } from './finance-events.ts';
import { joinKeysParams } from './join-keys.ts';

const stores = await temporaryStores();
afterAll(() => stores.remove());
const events = openFinanceEvents(stores.clickhouse);

const ODD = ['plain', 'a\u0001b', 'a\u00010\u0001b', "it's\ta \\ 'quote'\nin two lines", '漢字 😀', 'a', 'b'];
const some = ODD.map((subject) => event('bill.posted', '2', { subject }));
const keyOf = ({ company, source }: { company: string; source: string }, value: string): string =>
  joinKey({ type: 'subject', value }, { company, source });
const [first] = some as [(typeof some)[0]];
const asked = { asOf: 4_000_000_000_000_000_000n, types: ['*'] };

test('every key is found as it is written, and no part of one', async () => {
  await events.insert(some, 'odd');
  const found = async (subjects: string[]) => {
    const keys = subjects.map((subject) => keyOf(first, subject));
    const refs = await events.refsByJoinKeys(keys, asked);
    return refs.map(({ key }) => key).sort();
  };
  expect(await found(ODD)).toEqual(ODD.map((subject) => keyOf(first, subject)).sort());
  for (const subject of ODD) expect(await found([subject])).toEqual([keyOf(first, subject)]);
});

test('more keys than one query takes are found by several', async () => {
  const others = Array.from({ length: 30_000 }, (_, n) => keyOf(first, `a document with a long name ${n}`));
  const keys = [...others, ...ODD.map((subject) => keyOf(first, subject))];
  expect(joinKeysParams(keys).length).toBeGreaterThan(1);
  const refs = await events.refsByJoinKeys(keys, asked);
  expect(refs.map(({ key }) => key).sort()).toEqual(ODD.map((subject) => keyOf(first, subject)).sort());
});
