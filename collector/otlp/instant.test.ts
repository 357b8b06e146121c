import fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayOf, Newest, secondsOf } from './instant.ts';

const halves = (nanos: bigint): [low: number, high: number] => [
  Number(nanos & 0xffff_ffffn),
  Number(nanos >> 32n),
];
const anyInstant = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
/** Instants around whole seconds, where a double would be off. */
const nearSecond = fc
  .tuple(fc.bigInt({ min: 0n, max: 18_446_744_072n }), fc.bigInt({ min: -2n, max: 2n }))
  .map(([seconds, off]) => (seconds * 1_000_000_000n + off < 0n ? 0n : seconds * 1_000_000_000n + off));

test('whole seconds and days are exact', () => {
  fc.assert(
    fc.property(fc.oneof(anyInstant, nearSecond), (nanos) => {
      expect(secondsOf(...halves(nanos))).toBe(Number(nanos / 1_000_000_000n));
      expect(dayOf(...halves(nanos))).toBe(Number(nanos / 86_400_000_000_000n));
    }),
    { numRuns: 2000 },
  );
});

test('the newest is the greatest', () => {
  fc.assert(
    fc.property(fc.array(anyInstant), (all) => {
      const newest = new Newest();
      for (const one of all) newest.see(...halves(one));
      expect(newest.nanos).toBe(all.reduce((most, one) => (one > most ? one : most), 0n));
    }),
  );
});
