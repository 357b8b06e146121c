import type { Postgres } from '../../store/postgres/database.ts';
import { dueHints, settleHints, type WaitingHint } from '../../store/postgres/odoo-hints.ts';
import { parentsOf, seenRecords } from '../../store/postgres/odoo-records.ts';
import { kindOfModel } from './kinds.ts';
import type { Observer } from './observer.ts';
import type { Poller } from './poller.ts';

/** Nothing came of it by then: the transaction that sent it was rolled back. */
export const PHANTOM_AFTER_MS = 10 * 60_000;
/** From 19 on a webhook comes after the commit, and a poll may have been quicker. */
const EARLIER_MS = 5_000;
const BATCH = 500;

/** What became of webhooks. */
export interface HintCounts {
  readonly confirmed: number;
  readonly phantoms: number;
  readonly waiting: number;
}

/**
 * Reads back what webhooks told of, in batches of a model. Up to 18 Odoo sends within the transaction, so that what is read may be older
 * than what was told: such a hint is read again, ever more seldom, until the record changed or ten minutes are over, for the
 * transaction may have been rolled back. Throws what Odoo and the stores throw: then the hints wait on.
 */
export async function readBackHints(
  deps: {
    readonly postgres: Postgres;
    readonly source: string;
    readonly poller: Poller;
    readonly observer: Observer;
    readonly version: { readonly major: number };
  },
  now: Date,
): Promise<HintCounts> {
  const { postgres, source, poller, observer } = deps;
  const earlierMs = deps.version.major >= 19 ? EARLIER_MS : 0;
  const due = await dueHints(postgres, source, now, BATCH);
  let [confirmed, phantoms] = [0, 0];
  for (const [model, hints] of Map.groupBy(due, (hint) => hint.model)) {
    const ids = hints.map(({ id }) => id);
    const known = await seenRecords(postgres, source, model, ids);
    const { changed, found } = await poller.readBack(model, ids, 'webhook');
    const news = new Set(changed.map(({ record }) => record.id));
    const kind = kindOfModel(model);
    const gone = ids.filter((id) => known.has(id) && !found.has(id));
    // Of what is undone the entries tell when, and by whom.
    await poller.readBack('account.move', await parentsOf(postgres, source, model, gone), 'webhook');
    if (kind && poller.models.includes(model)) await observer.gone(kind, gone);
    const isConfirmed = ({ id, firstAt }: WaitingHint): boolean =>
      news.has(id) ||
      gone.includes(id) ||
      (known.get(id)?.seenAt.getTime() ?? 0) >= firstAt.getTime() - earlierMs;
    const settled = hints.map((hint) => {
      if (isConfirmed(hint)) return { ...hint, state: 'seen' as const };
      const age = now.getTime() - hint.firstAt.getTime();
      if (age >= PHANTOM_AFTER_MS) return { ...hint, state: 'phantom' as const };
      return { ...hint, state: 'waiting' as const, dueAt: new Date(now.getTime() + pauseOf(age)) };
    });
    await settleHints(postgres, source, settled);
    confirmed += settled.filter(({ state }) => state === 'seen').length;
    phantoms += settled.filter(({ state }) => state === 'phantom').length;
  }
  return { confirmed, phantoms, waiting: due.length - confirmed - phantoms };
}

/** Half of its age, from a second to a minute. */
const pauseOf = (ageMs: number): number => Math.min(60_000, Math.max(1_000, ageMs / 2));
