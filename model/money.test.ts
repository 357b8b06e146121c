import { Decimal } from 'decimal.js';
import { expect, test } from 'vitest';
import { canonicalAmount, compareAmounts } from './money.ts';

const Exact = Decimal.clone({ precision: 76, toExpNeg: -60, toExpPos: 60 });

test('amounts as they are mostly written are compared and written as exactly as all others', () => {
  const random = (() => {
    let state = 7;
    return (below: number) => {
      state = (state * 48_271) % 2_147_483_647;
      return state % below;
    };
  })();
  const digits = (count: number) => Array.from({ length: count }, () => `${random(10)}`).join('');
  const amount = () =>
    `${['', '-', '+'][random(3)]}${digits(1 + random(20))}${random(2) ? `.${digits(1 + random(18))}${'0'.repeat(random(3))}` : ''}`;
  for (let i = 0; i < 3_000; i += 1) {
    const [a, b] = [amount(), random(3) ? amount() : ''];
    const other = b || `${a}${a.includes('.') ? '0' : '.0'}`;
    const exact = new Exact(a);
    expect(canonicalAmount(a)).toBe(exact.toFixed());
    expect(compareAmounts(a, other)).toBe(exact.comparedTo(other));
  }
  expect(compareAmounts('0.1', '0.10000000000000001')).toBe(-1);
  expect(compareAmounts('999999999999999', '999999999999998')).toBe(1);
});
