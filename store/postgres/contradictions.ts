import { createHash } from 'node:crypto';
import type { Contradiction } from '../../model/contradiction.ts';
import type { CompanyScope } from '../../model/principal.ts';
import { moveCursor, readCursor } from './cursors.ts';
import type { Postgres } from './database.ts';

/** A contradiction as it was recorded. */
export interface RecordedContradiction extends Contradiction {
  readonly id: string;
  readonly firstAt: Date;
  readonly lastAt: Date;
  /** When the systems were found to agree; null: they do not. */
  readonly resolvedAt: Date | null;
}

/** Contradictions kept of one company, the newest; and for how long those that are resolved. */
const MOST = 10_000;
const KEEP_RESOLVED_MS = 90 * 86_400_000;

const idOf = ({ company, about, said }: Contradiction): string => {
  const documents = said.map(({ source, subject }) => JSON.stringify([source, subject])).sort();
  return createHash('sha256')
    .update(JSON.stringify([company, about, documents]))
    .digest('hex');
};

/**
 * Records what was found at `at` among the documents of the keys that were looked at: new ones, those that are there still,
 * and those of these keys that are no more. Moves the cursor to `upTo` with it.
 */
export async function recordContradictions(
  { db }: Pick<Postgres, 'db'>,
  given: {
    readonly found: readonly Contradiction[];
    readonly keys: readonly string[];
    readonly cursor: string;
    readonly upTo: bigint;
    readonly at: Date;
  },
): Promise<void> {
  const { found, keys, at } = given;
  await db.transaction().execute(async (trx) => {
    const rows = [...new Map(found.map((one) => [idOf(one), one])).entries()];
    for (const [id, { company, key, about, said }] of rows)
      await trx
        .insertInto('contradictions')
        .values({ id, company, key, about, said: JSON.stringify(said), first_at: at, last_at: at })
        .onConflict((conflict) =>
          conflict
            .column('id')
            .doUpdateSet({ said: JSON.stringify(said), key, last_at: at, resolved_at: null }),
        )
        .execute();
    if (keys.length > 0)
      await trx
        .updateTable('contradictions')
        .set({ resolved_at: at })
        .where('key', 'in', [...keys])
        .where('resolved_at', 'is', null)
        .$if(rows.length > 0, (query) =>
          query.where(
            'id',
            'not in',
            rows.map(([id]) => id),
          ),
        )
        .execute();
    await moveCursor(trx, given.cursor, given.upTo, at);
  });
}

/** The cursor of who looks for contradictions. */
export const contradictionsCursor = (
  { db }: Pick<Postgres, 'db'>,
  name: string,
): Promise<bigint | undefined> => readCursor(db, name);

/** Contradictions of the companies, the newest first; resolved ones only when asked for. */
export async function listContradictions(
  { db }: Pick<Postgres, 'db'>,
  filter: {
    readonly companies: CompanyScope;
    readonly resolved?: boolean;
    readonly company?: string | undefined;
  },
  limit: number,
): Promise<RecordedContradiction[]> {
  let query = db.selectFrom('contradictions').selectAll();
  if (filter.companies !== '*' && filter.companies.length === 0) return [];
  if (filter.companies !== '*') query = query.where('company', 'in', [...filter.companies]);
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  if (!filter.resolved) query = query.where('resolved_at', 'is', null);
  const rows = await query.orderBy('last_at', 'desc').orderBy('id').limit(limit).execute();
  return rows.map((row) => ({
    id: row.id,
    company: row.company,
    key: row.key,
    about: row.about,
    said: row.said as Contradiction['said'],
    firstAt: row.first_at,
    lastAt: row.last_at,
    resolvedAt: row.resolved_at,
  }));
}

/** How many of them are open. */
export async function countContradictions({ db }: Pick<Postgres, 'db'>): Promise<number> {
  const row = await db
    .selectFrom('contradictions')
    .select(({ fn }) => fn.countAll<string>().as('count'))
    .where('resolved_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** Removes resolved ones after 90 days, and the oldest beyond 10,000 of a company. */
export async function tidyContradictions({ db }: Pick<Postgres, 'db'>, now: Date): Promise<void> {
  await db
    .deleteFrom('contradictions')
    .where('resolved_at', '<', new Date(now.getTime() - KEEP_RESOLVED_MS))
    .execute();
  const many = await db
    .selectFrom('contradictions')
    .select('company')
    .groupBy('company')
    .having(({ fn }) => fn.countAll(), '>', MOST)
    .execute();
  for (const { company } of many)
    await db
      .deleteFrom('contradictions')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('contradictions')
          .select('id')
          .where('company', '=', company)
          .orderBy('last_at', 'desc')
          .offset(MOST),
      )
      .execute();
}
