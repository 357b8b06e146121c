import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { explicitIntervals, exponentialIntervals, quantilesOf } from './distribution.ts';

const buckets = (fields: object) => ({
  scale: 0,
  zeroCount: 0,
  positiveOffset: 0,
  positive: [],
  negativeOffset: 0,
  negative: [],
  ...fields,
});

describe('explicit bounds', () => {
  test.each([
    ['halfway into a bucket', [10, 20, 30], [0, 10, 0, 0], [15, 19.5, 19.9]],
    ['over several buckets', [10, 20, 30], [50, 40, 10, 0], [10, 25, 29]],
    ['the first bucket begins at 0', [10], [100, 0], [5, 9.5, 9.9]],
    ['a first bound of 0 or less is its bound', [-5, 0], [1, 0, 0], [-5, -5, -5]],
    ['above the last bound counts as that', [10, 20], [0, 0, 4], [20, 20, 20]],
    ['a bound without end', [10, Number.POSITIVE_INFINITY], [0, 4, 0], [10, 10, 10]],
  ])('%s', (_name, bounds, counts, expected) => {
    const found = quantilesOf(explicitIntervals(bounds, counts), [0.5, 0.95, 0.99]);
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] as number, 9);
    });
  });

  test.each([
    [[], []],
    [[10], [0, 0]],
    [[], [5]],
  ])('bounds %j with counts %j tell nothing', (bounds, counts) => {
    expect(quantilesOf(explicitIntervals(bounds, counts), [0.5, 0.95])).toEqual([null, null]);
  });

  test('histograms of different bounds count together', () => {
    const both = [...explicitIntervals([10, 20], [0, 10, 0]), ...explicitIntervals([5, 15], [0, 10, 0])];
    // Half of 5 to 15, half of 10 to 20: the middle is where both have as much on either side.
    expect(quantilesOf(both, [0.25, 0.5, 0.75])).toEqual([10, 12.5, 15]);
  });
});

describe('exponential buckets', () => {
  test('scale 0 has the powers of 2; zeros and negative values are below', () => {
    const one = buckets({
      zeroCount: 1,
      positiveOffset: 1,
      positive: [2, 1],
      negativeOffset: 0,
      negative: [4],
    });
    expect(exponentialIntervals([one])).toEqual([
      { from: -2, to: -1, count: 4 },
      { from: 0, to: 0, count: 1 },
      { from: 2, to: 4, count: 2 },
      { from: 4, to: 8, count: 1 },
    ]);
    expect(quantilesOf(exponentialIntervals([one]), [0.5, 0.6, 0.875, 1])).toEqual([-1, 0, 4, 8]);
  });

  test('are brought to the coarsest scale', () => {
    const fine = buckets({ scale: 1, positiveOffset: -1, positive: [1, 1, 1, 1] });
    const coarse = buckets({ positiveOffset: 0, positive: [10] });
    expect(exponentialIntervals([fine, coarse])).toEqual([
      { from: 0.5, to: 1, count: 1 },
      { from: 1, to: 2, count: 12 },
      { from: 2, to: 4, count: 1 },
    ]);
  });

  test('of the highest and lowest scales give no infinite interval', () => {
    for (const scale of [-11, 20])
      for (const { from, to } of exponentialIntervals([
        buckets({
          scale,
          positiveOffset: -(2 ** 30),
          positive: [1, 1],
          negativeOffset: 2 ** 30,
          negative: [1],
        }),
      ]))
        expect(Number.isFinite(from) && Number.isFinite(to)).toBe(true);
  });
});

test('quantiles of any intervals rise, and lie within them', () => {
  const interval = fc
    .tuple(fc.integer({ min: -50, max: 50 }), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 1, max: 9 }))
    .map(([from, width, count]) => ({ from, to: from + width, count }));
  const rounded = [
    [-17, -17, 5],
    [0, 0, 1],
    [-45, -32, 9],
    [-39, -33, 4],
    [0, 0, 7],
  ].map(([from = 0, to = 0, count = 0]) => ({ from, to, count }));
  fc.assert(
    fc.property(fc.array(interval, { minLength: 1, maxLength: 8 }), (intervals) => {
      const found = quantilesOf(intervals, [0, 0.1, 0.5, 0.9, 1]) as number[];
      const least = Math.min(...intervals.map(({ from }) => from));
      const most = Math.max(...intervals.map(({ to }) => to));
      found.forEach((value, i) => {
        expect(value).toBeGreaterThanOrEqual((found[i - 1] ?? least) - 1e-9);
        expect(value).toBeLessThanOrEqual(most + 1e-9);
      });
      const total = intervals.reduce((sum, { count }) => sum + count, 0);
      const share = (value: number, closed: boolean) =>
        intervals.reduce((sum, { from, to, count }) => {
          if (from === to) return sum + ((closed ? from <= value : from < value) ? count : 0);
          return sum + count * Math.min(1, Math.max(0, (value - from) / (to - from)));
        }, 0) / total;
      const middle = found[2] as number;
      expect(share(middle, false)).toBeLessThanOrEqual(0.5 + 1e-9);
      expect(share(middle, true)).toBeGreaterThanOrEqual(0.5 - 1e-9);
    }),
    { examples: [[rounded]] },
  );
});
