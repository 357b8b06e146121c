import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Hint, Spool } from './spool.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'closewatch-spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const hintOf = (id: number): Hint => ({
  at: 1_780_000_000_000,
  source: '/odoo/prod',
  model: 'account.move',
  id,
});
const LARGE = { maxBytes: 1 << 20 };

/** Every hint that waits, dealt with. */
async function drain(spool: Spool): Promise<number[]> {
  const ids: number[] = [];
  for (let segment = await spool.take(); segment; segment = await spool.take()) {
    ids.push(...segment.hints.map(({ id }) => id));
    await segment.done();
  }
  return ids;
}

test('keeps a burst in its order, and lets go what was dealt with', async () => {
  const spool = new Spool(folder, { ...LARGE, segmentBytes: 2_000 });
  const ids = Array.from({ length: 500 }, (_, i) => i + 1);
  for (let from = 0; from < ids.length; from += 50)
    await Promise.all(ids.slice(from, from + 50).map((id) => spool.append(hintOf(id))));
  expect(readdirSync(folder).length).toBeGreaterThan(1);
  expect(spool.bytes).toBeGreaterThan(0);
  expect(await drain(spool)).toEqual(ids);
  expect([spool.bytes, readdirSync(folder)]).toEqual([0, []]);
  await spool.append(hintOf(7));
  expect(await drain(spool)).toEqual([7]);
  await spool.close();
});

test('what was answered is there after a process that ended in the middle, and a line that was cut is none', async () => {
  const dead = new Spool(folder, LARGE);
  await dead.append(hintOf(1));
  await dead.append(hintOf(2));
  const taken = await dead.take();
  expect(taken?.hints).toHaveLength(2);
  await dead.append(hintOf(3));
  appendFileSync(join(folder, readdirSync(folder).sort().at(-1) ?? ''), '{"at":1780000000000,"sour');
  const next = new Spool(folder, LARGE);
  await next.append(hintOf(4));
  expect(await drain(next)).toEqual([1, 2, 3, 4]);
  await next.close();
});

test('refuses what does not fit, until there is room', async () => {
  const spool = new Spool(folder, { maxBytes: 250 });
  await spool.append(hintOf(1));
  await spool.append(hintOf(2));
  await spool.append(hintOf(3));
  await expect(spool.append(hintOf(4))).rejects.toMatchObject({ code: 'request.overloaded', status: 503 });
  expect(await drain(spool)).toEqual([1, 2, 3]);
  await spool.append(hintOf(5));
  expect(await drain(spool)).toEqual([5]);
  await spool.close();
  await expect(spool.append(hintOf(6))).rejects.toMatchObject({ code: 'request.overloaded' });
});

test('a disk that fails is told to whoever waits, and holds up nobody later', async () => {
  const spool = new Spool(folder, LARGE);
  rmSync(folder, { recursive: true });
  await expect(spool.append(hintOf(1))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(spool.bytes).toBe(0);
  const again = new Spool(folder, LARGE);
  await again.append(hintOf(2));
  expect(await drain(again)).toEqual([2]);
  await again.close();
  await spool.close();
});

test('hints that come while others are taken wait for their turn', async () => {
  const spool = new Spool(folder, LARGE);
  await spool.append(hintOf(1));
  const [segment] = await Promise.all([spool.take(), spool.append(hintOf(2))]);
  const first = segment?.hints.map(({ id }) => id) ?? [];
  await segment?.done();
  expect([...first, ...(await drain(spool))]).toEqual([1, 2]);
  await spool.close();
});
