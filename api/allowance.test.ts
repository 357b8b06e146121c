import { expect, test } from 'vitest';
import { createAllowance } from './allowance.ts';

test('an allowance is given out once, to the last, whatever was refused in between', () => {
  const spans = createAllowance(10, 'spans');
  spans.take(7);
  expect(() => spans.take(4)).toThrowError(
    expect.objectContaining({ code: 'request.too-complex', message: expect.stringContaining('10 spans') }),
  );
  spans.take(3);
  expect(() => spans.take(1)).toThrow('ask for fewer at once');
});
