import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { meanwhile } from './meanwhile.ts';

async function* slowly(items: readonly string[], ms = 5): AsyncGenerator<string> {
  for (const item of items) {
    await sleep(ms);
    yield item;
  }
}

async function taken(items: AsyncIterable<string>, pause = 0): Promise<string[]> {
  const found: string[] = [];
  for await (const item of items) {
    found.push(item);
    await sleep(pause);
  }
  return found;
}

test('what is ready comes while the other is awaited', async () => {
  expect(await taken(meanwhile(slowly(['a', 'b'], 50), ['1', '2', '3']))).toEqual(['1', '2', '3', 'a', 'b']);
});

test('what has come goes before what is ready', async () => {
  expect(await taken(meanwhile(slowly(['a']), ['1', '2', '3']), 50)).toEqual(['1', 'a', '2', '3']);
});

test('one of them may have nothing', async () => {
  expect(await taken(meanwhile(slowly([]), ['1', '2']), 20)).toEqual(['1', '2']);
  expect(await taken(meanwhile(slowly(['a', 'b']), []))).toEqual(['a', 'b']);
});

test('who leaves ends the slow source, and its failure is told', async () => {
  let isEnded = false;
  async function* endless(): AsyncGenerator<string> {
    try {
      for (;;) yield 'a';
    } finally {
      isEnded = true;
    }
  }
  for await (const _ of meanwhile(endless(), [])) break;
  expect(isEnded).toBe(true);

  async function* failing(): AsyncGenerator<string> {
    yield* slowly(['a']);
    throw new Error('broken');
  }
  await expect(taken(meanwhile(failing(), ['1', '2']), 20)).rejects.toThrow('broken');
});
