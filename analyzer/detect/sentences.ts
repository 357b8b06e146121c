import { formatInstant } from '../../model/time.ts';
import type { Completeness } from './completeness.ts';

/** One or several event types in a sentence: `bill.posted or bill.rejected`. */
export const anyOf = (types: readonly string[]): string => types.join(' or ');

/** Why nothing can be said about an unanswered deadline: the source is behind it, or unknown. */
export function incompleteText(
  types: readonly string[],
  due: bigint,
  { watermark, assumed }: Pick<Completeness, 'watermark' | 'assumed'>,
): string {
  const until = formatInstant(due);
  const is = assumed ? 'is assumed to be' : 'is';
  return watermark === undefined
    ? `no ${anyOf(types)} seen, and no source is known to be complete up to the deadline ${until}`
    : `no ${anyOf(types)} seen, but the source ${is} complete only up to ${formatInstant(watermark)}, short of the deadline ${until}`;
}

/** What an absence rests on when nobody has declared it: the end of its sentence, else nothing. */
export const assumedText = ({ assumed }: Pick<Completeness, 'assumed'>): string =>
  assumed ? '; the source is assumed to be complete' : '';
