import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Slots } from './slots.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'closewatch-slots-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});
const { signal: never } = new AbortController();

test('one after another, each with a FIFO of its own; past the queue code 202', async () => {
  const slots = new Slots(folder, 1, 2);
  const first = await slots.take(never);
  expect(statSync(first.fifo).isFIFO()).toBe(true);
  const order: string[] = [];
  const taken = async (name: string) => {
    const slot = await slots.take(never);
    order.push(name);
    return slot;
  };
  const [second, third] = [taken('second'), taken('third')];
  await expect(slots.take(never)).rejects.toMatchObject({ code: 202 });
  first.release();
  first.release();
  (await second).release();
  (await third).release();
  expect(order).toEqual(['second', 'third']);
  expect((await slots.take(never)).fifo).toBe(first.fifo);
});

test('who waits and leaves gets no slot, and takes none from the next', async () => {
  const slots = new Slots(folder, 1, 1);
  const busy = await slots.take(never);
  const gone = new AbortController();
  const left = slots.take(gone.signal);
  gone.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  const next = slots.take(never);
  busy.release();
  expect((await next).fifo).toBe(busy.fifo);
  await expect(slots.take(gone.signal)).rejects.toThrow('gone');
});

test('without mkfifo it says what is missing', () => {
  vi.stubEnv('PATH', folder);
  expect(() => new Slots(folder, 1, 1)).toThrow(/mkfifo \(coreutils\), which is not installed/);
});
