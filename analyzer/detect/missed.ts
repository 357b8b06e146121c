import type { Kysely } from 'kysely';
import type { BatchSpan } from '../../store/clickhouse/finance-events.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { readSetting, writeSetting } from '../../store/postgres/settings.ts';
import type { Rule } from './rules.ts';

/** The setting that holds by rule the batches (after, upTo], as text, that were not judged under it; null: none. */
const RULES = 'detect.rules';

type MissedOf = Record<string, readonly [after: string, upTo: string] | null>;

/** Batches that rules have missed. */
export interface Missed extends BatchSpan {
  readonly rules: readonly Rule[];
}

/**
 * Remembers that these are the rules and no other. One that is new, or was switched off, has missed every batch up to
 * `upTo`; where nothing was ever judged there is nothing to have missed.
 */
export async function meetRules(
  db: Kysely<Database>,
  rules: readonly Rule[],
  upTo: bigint,
  at: Date,
): Promise<void> {
  const known = await readSetting<MissedOf>(db, RULES);
  const all = known && upTo > 0n ? (['0', `${upTo}`] as const) : null;
  const met = rules.map(({ expectation: { id } }) => [id, known?.[id] === undefined ? all : known[id]]);
  await writeSetting(db, RULES, Object.fromEntries(met), at);
}

/** Those of the rules that have missed batches, and from the first of these to the last; undefined: none has. */
export async function missedBy(db: Kysely<Database>, rules: readonly Rule[]): Promise<Missed | undefined> {
  const known = (await readSetting<MissedOf>(db, RULES)) ?? {};
  const missing = rules.filter(({ expectation }) => known[expectation.id]);
  const windows = missing.flatMap(({ expectation }) => windowOf(known[expectation.id]) ?? []);
  return windows.reduce<Missed | undefined>(
    (all, { after, upTo }) => ({
      rules: missing,
      after: all && all.after < after ? all.after : after,
      upTo: all && all.upTo > upTo ? all.upTo : upTo,
    }),
    undefined,
  );
}

/**
 * Notes that a window of batches was passed under these rules: any other rule, which another process has, missed it. In
 * the transaction that moves past the window.
 */
export async function notePassed(
  db: Kysely<Database>,
  rules: readonly Rule[],
  window: BatchSpan,
  at: Date,
): Promise<void> {
  await change(db, at, (rule, missed) => {
    if (rules.some(({ expectation }) => expectation.id === rule)) return missed;
    return { after: missed?.after ?? window.after, upTo: window.upTo };
  });
}

/** Notes that a window of stored batches was judged under the rules, in the transaction that records it. */
export async function noteJudged(
  db: Kysely<Database>,
  rules: readonly Rule[],
  window: BatchSpan,
  at: Date,
): Promise<void> {
  await change(db, at, (rule, missed) => {
    if (!missed || !rules.some(({ expectation }) => expectation.id === rule)) return missed;
    // One that begins later leaves a gap: the rule was met anew meanwhile.
    if (window.after > missed.after || window.upTo <= missed.after) return missed;
    return window.upTo < missed.upTo ? { ...missed, after: window.upTo } : undefined;
  });
}

const windowOf = (stored: MissedOf[string] | undefined): BatchSpan | undefined =>
  stored ? { after: BigInt(stored[0]), upTo: BigInt(stored[1]) } : undefined;

/** Writes what changes, and nothing when nothing does. */
async function change(
  db: Kysely<Database>,
  at: Date,
  next: (rule: string, missed: BatchSpan | undefined) => BatchSpan | undefined,
): Promise<void> {
  const known = Object.entries((await readSetting<MissedOf>(db, RULES)) ?? {});
  let changed = false;
  const after = known.map(([rule, stored]): [string, MissedOf[string]] => {
    const missed = windowOf(stored);
    const now = next(rule, missed);
    if (now === missed) return [rule, stored];
    changed = true;
    return [rule, now ? [`${now.after}`, `${now.upTo}`] : null];
  });
  if (changed) await writeSetting(db, RULES, Object.fromEntries(after), at);
}
