import { sql } from 'kysely';
import { SEVERITIES, type Severity } from '../../model/severity.ts';
import type { Postgres } from './database.ts';
import type { IncidentRow } from './incidents.ts';

/** A cause over all companies: what the incidents that live have in common, without what they are worth. */
export interface LivingCause {
  readonly kind: string;
  readonly key: string;
  readonly title: string;
  readonly companies: number;
  readonly incidents: number;
  readonly openExceptions: number;
  readonly severity: Severity;
  readonly firstOpenedAt: Date;
}

const RANKS = sql.join(SEVERITIES.map((one) => sql.lit(one)));

/** The causes of incidents that are not resolved, those of most companies first. */
export async function livingCauses({ db }: Pick<Postgres, 'db'>, limit: number): Promise<LivingCause[]> {
  const rows = await db
    .selectFrom('incidents')
    .select(({ fn }) => [
      'cause_kind',
      'cause_key',
      fn.min('title').as('title'),
      fn.count<string>('company').distinct().as('companies'),
      fn.countAll<string>().as('incidents'),
      fn.sum<string>('open_exceptions').as('open'),
      fn.min('opened_at').as('first'),
      sql<number>`max(array_position(ARRAY[${RANKS}], severity))`.as('rank'),
    ])
    .where('state', '<>', 'resolved')
    .groupBy(['cause_kind', 'cause_key'])
    .orderBy('companies', 'desc')
    .orderBy('open', 'desc')
    .orderBy('cause_key')
    .limit(limit)
    .execute();
  return rows.map((row) => ({
    kind: row.cause_kind,
    key: row.cause_key,
    title: row.title,
    companies: Number(row.companies),
    incidents: Number(row.incidents),
    openExceptions: Number(row.open),
    severity: SEVERITIES[row.rank - 1] ?? 'info',
    firstOpenedAt: row.first,
  }));
}

/** How many exceptions of an incident opened after an instant. */
export async function openedSince(
  { db }: Pick<Postgres, 'db'>,
  incident: string,
  since: Date,
): Promise<number> {
  const row = await db
    .selectFrom('exceptions')
    .select(({ fn }) => fn.countAll<string>().as('n'))
    .where('incident', '=', incident)
    .where('opened_at', '>', since)
    .executeTakeFirstOrThrow();
  return Number(row.n);
}

const LIVING = 500;
const ALIKE = 0.5;
const wordsOf = (text: string): Set<string> => new Set(text.toLowerCase().match(/[\p{L}\p{N}-]{3,}/gu) ?? []);

/**
 * Living incidents of the company whose titles have at least half of their words in common, the most alike first: a person may
 * merge them, nothing does by itself.
 */
export async function alikeIncidents(
  { db }: Pick<Postgres, 'db'>,
  incident: IncidentRow,
  limit: number,
): Promise<IncidentRow[]> {
  const others = await db
    .selectFrom('incidents')
    .selectAll()
    .where('company', '=', incident.company)
    .where('state', '<>', 'resolved')
    .where('id', '<>', incident.id)
    .orderBy('opened_at', 'desc')
    .limit(LIVING)
    .execute();
  const own = wordsOf(incident.title);
  return others
    .map((other) => {
      const words = wordsOf(other.title);
      const shared = [...words].filter((word) => own.has(word)).length;
      return { other, share: shared / Math.max(1, new Set([...own, ...words]).size) };
    })
    .filter(({ share }) => share >= ALIKE)
    .sort((a, b) => b.share - a.share)
    .slice(0, limit)
    .map(({ other }) => other);
}
