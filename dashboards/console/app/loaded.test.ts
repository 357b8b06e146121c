import { expect, test } from 'vitest';
import { answerTo, failed, type Held } from './loaded.ts';

const acme: Held<string> = { question: 'acme', loaded: { state: 'ready', data: 'money of acme', at: 1 } };
const down = new Error('503');

test('an answer stands only under its own question', () => {
  expect(answerTo(acme, 'acme')).toEqual(acme.loaded);
  expect(answerTo(acme, 'beta')).toEqual({ state: 'loading' });
});

test('a failure keeps what was known of the same question, and since when, however often it fails', () => {
  const once = failed(acme, 'acme', down);
  expect(once.loaded).toEqual({ state: 'error', error: down, data: 'money of acme', at: 1 });
  expect(failed(once, 'acme', down).loaded).toEqual(once.loaded);
});

test('a failure keeps nothing of another question', () => {
  expect(failed(acme, 'beta', down).loaded).toEqual({ state: 'error', error: down });
});
