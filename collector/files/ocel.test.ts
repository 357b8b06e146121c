import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../test/harness.ts';
import { Faults } from './faults.ts';
import type { Item } from './item.ts';
import { itemsOf } from './items.ts';
import { elementsOf } from './json-elements.ts';
import { OcelObjects } from './ocel-objects.ts';
import { prepare } from './request.ts';

const TEXT = readFileSync(join(import.meta.dirname, '../../test/fixtures/import/orders.ocel.json'), 'utf8');
const LOG = JSON.parse(TEXT);
const MAP = `source: /shop
company: acme
currency: EUR
ocel: { case: order, keys: { item: extid, clerk: skip } }
columns: { amount: "case:price", attributes: [channel, "item:id"] }
`;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

async function readLog(log: object | string, map = MAP): Promise<{ items: Item[]; faults: Faults }> {
  const put = (name: string, text: string): string => {
    const path = join(folder.path, name);
    writeFileSync(path, text);
    return path;
  };
  const file = put('log.json', typeof log === 'string' ? log : JSON.stringify(log));
  const prepared = await prepare({ file, map: put('map.yaml', map) });
  expect(prepared.reader.format).toBe('ocel');
  const faults = new Faults();
  const items: Item[] = [];
  const reading = { faults, now: 1n << 62n, clickhouse: undefined, bank: undefined, complete: () => {} };
  for await (const item of itemsOf(prepared, reading)) {
    faults.look('log.json', item);
    items.push(item);
  }
  return { items, faults };
}

const eventsOf = (items: readonly Item[]) =>
  items.flatMap(({ result }) => ('event' in result ? [result.event] : []));

describe('OCEL 2.0', () => {
  test('an event an event: its case, its objects as keys, attributes as of its time', async () => {
    const { items, faults } = await readLog(TEXT.replace('30.15', '30.10'));
    const events = eventsOf(items);
    expect(events).toMatchObject([
      {
        type: 'activity.place_order',
        subject: 'o1',
        amount: '34.33634285099345',
        keys: [
          { type: 'extid', value: 'i1' },
          { type: 'order', value: 'o1' },
        ],
        attributes: { channel: 'web', 'item:id': 'i1', activity: 'Place Order' },
      },
      { subject: 'o1', amount: '30.10', keys: [{ type: 'order', value: 'o1' }] },
    ]);
    expect(faults.notes).toContain(
      '1 relationships name objects that the file does not hold, such as "gone"',
    );
    expect(faults.notes).toContain('3 objects were held in memory, some 1 MiB');
  });

  test('members in any order give the same events', async () => {
    const { objectTypes, eventTypes, events, objects } = LOG;
    const other = await readLog({ objects, eventTypes, more: { events: [1] }, events, objectTypes });
    expect(other.items).toEqual((await readLog(LOG)).items);
  });

  test('the case is the first type of the map that an event has; of one type the first by qualifier', async () => {
    const events = [
      {
        ...LOG.events[0],
        relationships: [
          { objectId: 'o2', qualifier: 'b' },
          { objectId: 'o1', qualifier: 'a' },
          { objectId: 'i1', qualifier: '' },
        ],
      },
    ];
    const objects = [...LOG.objects, { id: 'o2', type: 'order', attributes: [], relationships: [] }];
    const subject = async (types: string) =>
      eventsOf(
        (await readLog({ ...LOG, events, objects }, MAP.replace('case: order', `case: ${types}`))).items,
      )[0]?.subject;
    expect(await subject('order')).toBe('o1');
    expect(await subject('[item, order]')).toBe('i1');
    expect(await subject('[parcel, order]')).toBe('o1');
  });

  test('what is wrong is told with its JSON path, and the rest is read', async () => {
    const events = [
      { ...LOG.events[0], time: 'soon' },
      { ...LOG.events[0], relationships: [{ objectId: 'i1', qualifier: '' }] },
      { ...LOG.events[0], relationships: 'o1' },
      { ...LOG.events[0], id: null },
      'event',
      LOG.events[0],
    ];
    const objects = [...LOG.objects, { id: 'o1', type: 'order' }, { id: 'x' }];
    const { items, faults } = await readLog({ ...LOG, events, objects });
    expect(eventsOf(items)).toHaveLength(1);
    expect(faults.problems.map(({ where, what }) => `${where}: ${what}`)).toEqual([
      'log.json, $.objects[3]: id: "o1" was told before',
      'log.json, $.objects[4]: type: must be text',
      'log.json, $.events[0]: event:time: is not a time of the format iso: "soon"',
      'log.json, $.events[1]: relationships: names no object of type order',
      'log.json, $.events[2]: relationships: must be a list',
      'log.json, $.events[3]: id: must be text',
      'log.json, $.events[4]: must be an object',
    ]);
    expect(faults.reasons).toEqual({ invalid: 2, time: 1, unreadable: 4 });
  });

  test('a document that breaks off or is none is refused with the place', async () => {
    const text = JSON.stringify(LOG, null, 1);
    await expect(readLog(text.slice(0, text.indexOf('"objects"') + 150))).rejects.toThrow(
      /^\$\.objects\[0\]: the file ends in the middle/,
    );
    await expect(readLog(text.replace('"e2"', 'e2'))).rejects.toThrow(
      /^\$.*near here it is no JSON any more/,
    );
    await expect(readLog({ objectTypes: [], eventTypes: [], events: [] })).rejects.toThrow(
      '$.objects: is missing',
    );
    await expect(readLog({ objectTypes: [], eventTypes: [], events: [], objects: {} })).rejects.toThrow(
      '$.objects: must be an array',
    );
    await expect(readLog(LOG, MAP.replace(/^ocel.*$/m, ''))).rejects.toThrow(/needs ocel\.case in the map/);
  });
});

test('objects that do not fit in memory are refused; attributes that nobody asks for take none', () => {
  const time = () => 0n;
  const object = (id: string) => ({ id, type: 't', attributes: [{ name: 'a', value: 'x'.repeat(600) }] });
  const some = new OcelObjects(() => true, time, 3000);
  some.add(object('1'));
  some.add(object('2'));
  expect(() => some.add(object('3'))).toThrow(/do not fit in memory/);
  const bare = new OcelObjects(() => false, time, 3000);
  for (let i = 0; i < 10; i++) expect(bare.add(object(`${i}`))).toBeUndefined();
  expect([...bare.valuesAt('1', 0n)]).toEqual([]);
});

test('elements come one by one from a document of any size, and none may be endless', async () => {
  async function* document(element: string, count: number): AsyncGenerator<Buffer> {
    yield Buffer.from('{"skipped":[[{"a":[1,{"b":2}]}],"\\u0041"],"e":[');
    for (let i = 0; i < count; i++) yield Buffer.from(`${i === 0 ? '' : ','}${element}`);
    yield Buffer.from(']}');
  }
  let count = 0;
  for await (const { path, value } of elementsOf(
    document(`{"n":1.50,"l":["é"],"text":"${'x'.repeat(400)}"}`, 50_000),
    'e',
  )) {
    if (count === 49_999)
      expect({ path, value }).toEqual({
        path: '$.e[49999]',
        value: { n: '1.50', l: ['é'], text: expect.any(String) },
      });
    count++;
  }
  expect(count).toBe(50_000);
  async function* endless(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"e":[{"text":"');
    for (let i = 0; i < 100; i++) yield Buffer.alloc(1 << 18, 'x');
  }
  await expect(elementsOf(endless(), 'e').next()).rejects.toThrow(
    /^\$\.e\[0\]: has more than 16777216 characters/,
  );
  async function* endlessElsewhere(): AsyncGenerator<Buffer> {
    yield Buffer.from('{"other":"');
    for (let i = 0; i < 100; i++) yield Buffer.alloc(1 << 18, 'x');
  }
  await expect(elementsOf(endlessElsewhere(), 'e').next()).rejects.toThrow(/^\$\.other: has more than/);
  const deep = Readable.from([Buffer.from(`{"e":[${'['.repeat(100)}`)]);
  await expect(elementsOf(deep, 'e').next()).rejects.toThrow(/nested too deeply/);
});
