import { ClosewatchError } from '../model/errors.ts';

/** What one request may still be answered with. */
export interface Allowance {
  /** Takes so many before they are read; throws `request.too-complex` when fewer are left. */
  take(count: number): void;
}

/** An allowance of `most` of what `name` says, for one request. */
export function createAllowance(most: number, name: string): Allowance {
  let left = most;
  return {
    take(count) {
      if (count > left)
        throw new ClosewatchError(
          'request.too-complex',
          `one request may ask for ${most} ${name}; ask for fewer at once`,
        );
      left -= count;
    },
  };
}
