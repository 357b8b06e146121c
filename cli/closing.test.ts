import { expect, test } from 'vitest';
import { createClosing } from './closing.ts';

test('steps are taken once, the last one first', async () => {
  const closing = createClosing();
  const taken: string[] = [];
  for (const name of ['store', 'server', 'file']) closing.push(async () => void taken.push(name));
  await closing.close();
  await closing.close();
  expect(taken).toEqual(['file', 'server', 'store']);
});

test('a step that fails skips no other, and is told at the end', async () => {
  const closing = createClosing();
  const taken: string[] = [];
  closing.push(() => void taken.push('lock'));
  closing.push(async () => {
    throw new Error('the queue is away');
  });
  closing.push(() => void taken.push('server'));
  await expect(closing.close()).rejects.toThrow('the queue is away');
  expect(taken).toEqual(['server', 'lock']);
});

test('several failures are told together', async () => {
  const closing = createClosing();
  for (const name of ['one', 'two'])
    closing.push(() => {
      throw new Error(name);
    });
  await expect(closing.close()).rejects.toThrow('not everything closed: two; one');
});

test('after a failed start its own error is told, not those of closing', async () => {
  const closing = createClosing();
  closing.push(() => {
    throw new Error('only a consequence');
  });
  await expect(closing.closeAfter(new Error('the cause'))).rejects.toThrow('the cause');
});
