import { expect, test } from 'vitest';
import { within } from './within.ts';

const never = new Promise(() => {});

test('says whether the work ended in time, and throws what it throws', async () => {
  expect(await within(30_000, Promise.resolve('done'))).toBe(true);
  expect(await within(1, never)).toBe(false);
  await expect(within(30_000, Promise.reject(new Error('broken')))).rejects.toThrow('broken');
});

test('what fails after its time disturbs nobody', async () => {
  const { promise, reject } = Promise.withResolvers();
  expect(await within(1, promise)).toBe(false);
  reject(new Error('too late to be heard'));
  await new Promise((resolve) => setImmediate(resolve));
});
