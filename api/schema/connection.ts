import { ClosewatchError } from '../../model/errors.ts';
import type { Page } from '../../store/paging.ts';
import { DEFAULT_PAGE, MAX_PAGE } from '../limits.ts';

/** For how many rows a list of spans counts: the allowance of the request watches over what is really there. */
export const USUAL_SPANS = 20;
/** The same of log records: of a trace, of one span of many. */
export const USUAL_LOGS = 20;
export const USUAL_LOGS_OF_SPAN = 2;

interface ConnectionArgs {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

/**
 * A page of a list that goes forward only: `first` (1 to 200, 50 when left out) and `after`. Throws `request.malformed`
 * for anything else, rather than giving other rows than asked.
 */
export async function page<T>(
  args: ConnectionArgs,
  cursorOf: (row: T) => string,
  list: (page: Page) => Promise<readonly T[]>,
) {
  if (args.last != null || args.before != null)
    throw new ClosewatchError('request.malformed', 'lists are paged forward: first and after');
  const first = rowsAsked(args.first ?? DEFAULT_PAGE, MAX_PAGE);
  const rows = await list({ limit: first + 1, after: args.after ?? undefined });
  const edges = rows.slice(0, first).map((node) => ({ cursor: cursorOf(node), node }));
  return {
    edges,
    pageInfo: {
      hasNextPage: rows.length > first,
      hasPreviousPage: args.after != null,
      startCursor: edges[0]?.cursor ?? null,
      endCursor: edges.at(-1)?.cursor ?? null,
    },
  };
}

/** `first` of a plain list, when it is 1 to `most`; throws `request.malformed` for anything else. */
export function rowsAsked(first: number, most: number): number {
  if (first < 1 || first > most) throw new ClosewatchError('request.malformed', `first must be 1 to ${most}`);
  return first;
}
