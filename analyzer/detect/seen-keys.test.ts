import { crc32 } from 'node:zlib';
import { expect, test } from 'vitest';
import { SeenKeys } from './seen-keys.ts';

/** A store with these keys, which gives out their sums when it is let. */
function storeOf(keys: readonly string[], { broken = 0 } = {}) {
  const gate = Promise.withResolvers<void>();
  let asked = 0;
  return {
    letGo: () => gate.resolve(),
    asked: () => asked,
    store: {
      keyCount: async () => keys.length,
      async *keySums() {
        asked += 1;
        await gate.promise;
        const sums = keys.slice(broken).map((key) => crc32(key));
        for (let at = 0; at < sums.length; at += 1_000) yield Uint32Array.from(sums.slice(at, at + 1_000));
      },
    },
  };
}

const keysOf = (name: string, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `docno:acme:${name}${i}`);

async function loaded(keys: readonly string[], upTo = 10n) {
  const { store, letGo, asked } = storeOf(keys);
  const seen = new SeenKeys(store);
  letGo();
  seen.load(upTo);
  await seen.idle();
  return { seen, asked };
}

test('knows of every key that is stored that it may be had, and of nearly every other that it is not', async () => {
  const stored = keysOf('A', 300_000);
  const { seen } = await loaded(stored);
  expect(stored.every((key) => seen.mayBe(key))).toBe(true);
  const others = keysOf('B', 20_000).filter((key) => seen.mayBe(key)).length;
  expect(others).toBeLessThan(1_000);
});

test('knows nothing before it is loaded', () => {
  const { store } = storeOf(['a']);
  const seen = new SeenKeys(store);
  expect(seen.mayBe('docno:acme:any')).toBe(true);
  seen.load(1n);
  expect(seen.mayBe('docno:acme:any')).toBe(true);
});

test('keys that come while it is loaded are in it', async () => {
  const { store, letGo } = storeOf(keysOf('A', 10));
  const seen = new SeenKeys(store);
  seen.load(10n);
  // Before it is known how many there are, and after that.
  seen.pass({ after: 10n, upTo: 11n }, [['odoo\n1', ['docno:acme:early']]], []);
  await new Promise((resolve) => setTimeout(resolve));
  seen.pass({ after: 11n, upTo: 12n }, [['odoo\n2', ['docno:acme:later']]], []);
  letGo();
  await seen.idle();
  seen.at(12n);
  expect(seen.mayBe('docno:acme:early')).toBe(true);
  expect(seen.mayBe('docno:acme:later')).toBe(true);
  expect(seen.mayBe('docno:acme:other')).toBe(false);
  // Older events may have them: it was not known yet.
  expect(seen.namesOf('docno:acme:early')).toBeUndefined();
});

test('knows which events have a young key, and not of one that somebody had before', async () => {
  const { seen } = await loaded(['docno:acme:old']);
  seen.pass(
    { after: 10n, upTo: 11n },
    [
      ['odoo\n1', ['docno:acme:new', 'docno:acme:old']],
      ['odoo\n2', ['docno:acme:new']],
    ],
    [],
  );
  seen.pass({ after: 11n, upTo: 12n }, [['odoo\n3', ['docno:acme:new']]], []);
  expect(seen.namesOf('docno:acme:new')).toEqual(['odoo\n1', 'odoo\n2', 'odoo\n3']);
  expect(seen.namesOf('docno:acme:old')).toBeUndefined();
});

test('a key of an event that is yet to come is never young', async () => {
  const { seen } = await loaded([]);
  seen.pass(
    { after: 10n, upTo: 11n },
    [['odoo\n1', ['docno:acme:k']]],
    [['odoo\n2', ['docno:acme:k', 'po:acme:k']]],
  );
  seen.pass({ after: 11n, upTo: 12n }, [['odoo\n3', ['docno:acme:k', 'po:acme:k']]], []);
  for (const key of ['docno:acme:k', 'po:acme:k']) {
    expect(seen.mayBe(key)).toBe(true);
    expect(seen.namesOf(key)).toBeUndefined();
  }
});

test('batches that others passed make it forget, and it is loaded again', async () => {
  const { seen, asked } = await loaded(['docno:acme:old']);
  seen.pass({ after: 10n, upTo: 11n }, [['odoo\n1', ['docno:acme:new']]], []);
  seen.at(11n);
  expect(seen.mayBe('docno:acme:other')).toBe(false);
  seen.at(12n);
  expect(seen.mayBe('docno:acme:other')).toBe(true);
  expect(seen.namesOf('docno:acme:new')).toBeUndefined();
  seen.load(12n);
  await seen.idle();
  expect(asked()).toBe(2);
  expect(seen.mayBe('docno:acme:other')).toBe(false);
  // A window after a gap is as bad.
  seen.pass({ after: 13n, upTo: 14n }, [], []);
  expect(seen.mayBe('docno:acme:other')).toBe(true);
});

test('of an answer that broke off it believes nothing, nor of a loading that a gap overtook', async () => {
  const broken = storeOf(keysOf('A', 2_000), { broken: 500 });
  const seen = new SeenKeys(broken.store);
  broken.letGo();
  seen.load(10n);
  await seen.idle();
  expect(seen.mayBe('docno:acme:other')).toBe(true);

  const slow = storeOf(keysOf('A', 2_000));
  const late = new SeenKeys(slow.store);
  late.load(10n);
  await new Promise((resolve) => setTimeout(resolve));
  late.at(11n);
  slow.letGo();
  await late.idle();
  expect(late.mayBe('docno:acme:other')).toBe(true);
});

test('with far more keys than it was made for it is made anew', async () => {
  const { seen, asked } = await loaded([]);
  const events = keysOf('N', 400_000).map((key): [string, string[]] => [`odoo\n${key}`, [key]]);
  seen.pass({ after: 10n, upTo: 11n }, events, []);
  expect(seen.mayBe('docno:acme:N7')).toBe(true);
  seen.at(11n);
  seen.load(11n);
  await seen.idle();
  expect(asked()).toBe(2);
});

test('under a new subject nothing is stored, unless another process had the turn and may have died over what comes next', async () => {
  const { seen } = await loaded(['subject:odoo:old']);
  const isNew = () => seen.isNew('subject:odoo:new');
  seen.turn(5n);
  // Whoever had the turn before this process began may have died as well.
  expect(isNew()).toBe(false);
  seen.pass({ after: 10n, upTo: 11n }, [], []);
  expect(isNew()).toBe(true);
  expect(seen.isNew('subject:odoo:old')).toBe(false);
  seen.turn(5n);
  seen.turn(6n);
  expect(isNew()).toBe(true);
  seen.turn(8n);
  expect(isNew()).toBe(false);
  // A turn of its own that passes nothing tells nothing.
  seen.turn(9n);
  expect(isNew()).toBe(false);
  seen.pass({ after: 11n, upTo: 12n }, [], []);
  expect(isNew()).toBe(true);
});

test('what is judged again is not counted twice', async () => {
  const { seen } = await loaded([]);
  for (let i = 0; i < 2; i += 1) seen.pass({ after: 10n, upTo: 11n }, [['odoo\n1', ['docno:acme:new']]], []);
  expect(seen.namesOf('docno:acme:new')).toEqual(['odoo\n1']);
});
