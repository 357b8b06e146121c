import { expect, test } from 'vitest';
import { isOfTheData } from './failures.ts';

test.each([
  ['22P05', true],
  ['22021', true],
  ['23505', true],
  ['54000', true],
  ['08006', false],
  ['40P01', false],
  ['53300', false],
  ['57P01', false],
  ['ECONNRESET', false],
  [undefined, false],
])('%s', (code, expected) => {
  expect(isOfTheData(Object.assign(new Error('no'), { code }))).toBe(expected);
});
