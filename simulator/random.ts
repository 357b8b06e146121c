import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

/** Chance from a seed: the same calls in the same order give the same values, on every machine. */
export interface Random {
  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** True once in `1 / share` times; `share` is 0 to 1 in steps of a thousandth. */
  chance(share: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** `length` lower-case hexadecimal digits. */
  hex(length: number): string;
  /** Decimal text with two digits, mostly small and rarely large, as amounts of documents are. */
  amount(low: number, high: number): string;
}

export function createRandom(seed: number): Random {
  const generator = xoroshiro128plus(seed);
  const int = (low: number, high: number) => uniformInt(generator, low, high);
  return {
    int,
    chance: (share) => int(0, 999) < share * 1000,
    pick<T>(items: readonly T[]): T {
      if (items.length === 0) throw new RangeError('nothing to pick from');
      return items[int(0, items.length - 1)] as T;
    },
    hex(length) {
      let digits = '';
      while (digits.length < length) digits += int(0, 0xffffff).toString(16).padStart(6, '0');
      return digits.slice(0, length);
    },
    amount(low, high) {
      const share = (int(0, 10_000) / 10_000) ** 3;
      const cents = Math.round((low + (high - low) * share) * 100) + int(0, 99);
      return `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`;
    },
  };
}
