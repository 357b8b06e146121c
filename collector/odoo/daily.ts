import { OdooError } from '../../odoo/errors.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { keepOdooCursor, odooCursors } from '../../store/postgres/odoo-cursors.ts';
import { dropOldHints } from '../../store/postgres/odoo-hints.ts';
import { observeBalances } from './balances.ts';
import type { Session } from './session.ts';

const DAY_MS = 86_400_000;
const KEEP_HINTS_MS = DAY_MS;
/** The day's comparison of all ids is done from this hour on, UTC. */
const NIGHT_HOUR = 1;
/** Balances to the end of the last month are read while it is being closed. */
const CLOSING_DAYS = 20;

interface Done {
  readonly comparedOn?: string;
  readonly balancesOn?: string;
}

const dayOf = (at: Date): string => at.toISOString().slice(0, 10);

/**
 * What is done once a day, and not again when this is asked again: reads the balances of accounts, compares all ids with those that
 * are known, forgets old webhooks. Throws what Odoo and the stores throw: then what was not done is due.
 */
export async function doDaily(
  session: Session,
  deps: {
    readonly source: string;
    readonly postgres: Postgres;
    readonly logger: Logger;
    readonly signal?: AbortSignal;
  },
  now: Date,
): Promise<void> {
  const { source, postgres, logger, signal } = deps;
  let done = ((await odooCursors(postgres, source)).get('daily') ?? {}) as Done;
  const keep = async (more: Done): Promise<void> => {
    done = { ...done, ...more };
    await keepOdooCursor(postgres, source, 'daily', done);
  };
  const today = dayOf(now);
  if (done.balancesOn !== today) {
    await tellBalances(session, { source, logger }, now);
    await keep({ balancesOn: today });
  }
  const { poller } = session;
  if (done.comparedOn === today || now.getUTCHours() < NIGHT_HOUR || !poller.progress.isFinished) return;
  for (const model of poller.models) {
    const { isSuspicious } = await poller.compare(model, { withTimes: true }, signal);
    if (isSuspicious)
      logger.warn(
        { source, model },
        'so many records are gone at once that the key must have lost sight of them: nothing is told of it; closewatch odoo doctor',
      );
  }
  await dropOldHints(postgres, source, new Date(now.getTime() - KEEP_HINTS_MS));
  await keep({ comparedOn: today });
}

/** Balances to yesterday, and to the end of the last month while it is being closed. */
async function tellBalances(
  { odoo, world, observer, poller }: Session,
  { source, logger }: { readonly source: string; readonly logger: Logger },
  now: Date,
): Promise<void> {
  if (!poller.models.includes('account.move')) return;
  const yesterday = dayOf(new Date(now.getTime() - DAY_MS));
  const monthEnd = dayOf(new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 0)));
  const dates = new Set([yesterday, ...(now.getUTCDate() <= CLOSING_DAYS ? [monthEnd] : [])]);
  const at = odoo.clock.instant();
  try {
    for (const company of world.companies)
      for (const date of dates)
        await observer.tell(await observeBalances(odoo, { source, company, date, at }));
  } catch (error) {
    // A key that may not read items reads the rest all the same; what passes by itself is tried again with the round.
    if (!(error instanceof OdooError) || error.retryable) throw error;
    logger.warn({ source, err: error }, 'the balances of accounts could not be read today');
  }
}
