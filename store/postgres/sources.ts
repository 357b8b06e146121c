import { type Kysely, sql } from 'kysely';
import type { FinanceEvent } from '../../model/event.ts';
import type { SourceStream } from '../../model/watermark.ts';
import type { Postgres } from './database.ts';
import type { Database } from './schema.ts';

/** What came for a source and company, summed up: one row however many events. */
export interface Arrival {
  readonly source: string;
  readonly company: string;
  /** Short event types that came. */
  readonly types: Iterable<string>;
  /** The newest event time, epoch nanoseconds. */
  readonly lastEventAt?: bigint | undefined;
  readonly events: number;
}

/** What is needed of an event to sum it up. */
type Arrived = Pick<FinanceEvent, 'source' | 'company' | 'type'>;

/** Sums arrivals up by source and company. */
export interface ArrivalSums {
  /** An event of time `at` (epoch nanoseconds) came, known or not. */
  note(event: Arrived, at: bigint): void;
  /** One that was noted is new. */
  count(event: Arrived): void;
  sums(): Iterable<Arrival>;
}

/** Sums of nothing yet. */
export function createArrivalSums(): ArrivalSums {
  const sums = new Map<
    string,
    { source: string; company: string; types: Set<string>; lastEventAt: bigint; events: number }
  >();
  const keyOf = ({ source, company }: Arrived): string => `${source}\n${company}`;
  return {
    note(event, at) {
      const { source, company, type } = event;
      const sum = sums.get(keyOf(event));
      if (!sum) {
        sums.set(keyOf(event), { source, company, types: new Set([type]), lastEventAt: at, events: 0 });
        return;
      }
      sum.types.add(type);
      if (at > sum.lastEventAt) sum.lastEventAt = at;
    },
    count(event) {
      const sum = sums.get(keyOf(event));
      if (sum) sum.events++;
    },
    sums: () => sums.values(),
  };
}

/** A source says it has sent everything up to `completeUpTo` (epoch nanoseconds). */
export interface Declaration {
  readonly source: string;
  readonly company: string;
  readonly stream: string;
  readonly completeUpTo: bigint;
}

type Executor = Kysely<Database>;

const MILLI = 1_000_000n;

/** Every stream of every source as the collector knows it, by source, company, stream. */
export async function listSources({ db }: Pick<Postgres, 'db'>): Promise<SourceStream[]> {
  const rows = await db
    .selectFrom('sources')
    .selectAll()
    .orderBy('source')
    .orderBy('company')
    .orderBy('stream')
    .execute();
  return rows.map((row) => ({
    source: row.source,
    company: row.company,
    stream: row.stream,
    kind: row.kind,
    completeUpTo: row.complete_up_to_ns === null ? undefined : BigInt(row.complete_up_to_ns),
    completeWithoutLimit: row.complete_without_limit,
    latenessNanos: BigInt(row.lateness_ms) * MILLI,
    silenceNanos: row.silence_ms === null ? undefined : BigInt(row.silence_ms) * MILLI,
    lastArrivalAt: row.last_arrival_at === null ? undefined : BigInt(row.last_arrival_at.getTime()) * MILLI,
    types: row.types,
  }));
}

const mergedTypes = sql<string[]>`(SELECT coalesce(array_agg(DISTINCT t ORDER BY t), '{}')
  FROM unnest(sources.types || excluded.types) t)`;

/** Rows in one order, so that two transactions that write several sources cannot wait for each other in a circle. */
const inOrder = <T extends { source: string; company: string }>(rows: Iterable<T>): T[] =>
  [...rows].sort((a, b) => {
    const [x, y] = [`${a.source}\n${a.company}`, `${b.source}\n${b.company}`];
    return x < y ? -1 : x > y ? 1 : 0;
  });

/** Raises the *declared* watermarks of heartbeats that came at `at`; one never goes back. */
export async function declareComplete(db: Executor, said: Iterable<Declaration>, at: Date): Promise<void> {
  for (const { source, company, stream, completeUpTo } of inOrder(said)) {
    await db
      .insertInto('sources')
      .values({
        source,
        company,
        stream,
        kind: 'declared',
        complete_up_to_ns: completeUpTo,
        last_arrival_at: at,
        updated_at: at,
      })
      .onConflict((conflict) =>
        conflict.columns(['source', 'company', 'stream']).doUpdateSet({
          kind: 'declared',
          complete_without_limit: false,
          complete_up_to_ns: sql`greatest(sources.complete_up_to_ns, excluded.complete_up_to_ns)`,
          last_arrival_at: sql`greatest(sources.last_arrival_at, excluded.last_arrival_at)`,
          updated_at: sql`excluded.updated_at`,
        }),
      )
      .execute();
  }
}

/**
 * Raises the *polled* watermark of a source: a round has read all of it up to `upTo`, epoch nanoseconds. One never goes back.
 * `types` are those that it would send, seen or not: that nothing came of one says something.
 */
export async function completePolled(
  db: Executor,
  polled: {
    readonly source: string;
    readonly companies: readonly string[];
    /** Undefined: it is polled, and nothing is assured yet. */
    readonly upTo: bigint | undefined;
    readonly types: readonly string[];
  },
  at: Date,
): Promise<void> {
  for (const company of polled.companies.toSorted()) {
    await db
      .insertInto('sources')
      .values({
        source: polled.source,
        company,
        kind: 'polled',
        complete_up_to_ns: polled.upTo ?? null,
        types: [...polled.types],
        updated_at: at,
      })
      .onConflict((conflict) =>
        conflict.columns(['source', 'company', 'stream']).doUpdateSet({
          kind: 'polled',
          complete_without_limit: false,
          complete_up_to_ns: sql`greatest(sources.complete_up_to_ns, excluded.complete_up_to_ns)`,
          types: mergedTypes,
          updated_at: sql`excluded.updated_at`,
        }),
      )
      .execute();
  }
}

/** Up to when an import says that its source is complete: epoch nanoseconds, as the file says or at least up to there. */
export type ImportedUpTo = 'without-limit' | { readonly upTo: bigint } | { readonly atLeast: bigint };

/**
 * Records what a file brought and closes its source. One that several files tell bit by bit (`atLeast`) never goes back. A
 * source that is also fed live keeps its own watermark: back-fill does not make the live feed complete.
 */
export async function closeImported(
  db: Executor,
  arrivals: Iterable<Arrival>,
  complete: ImportedUpTo,
  at: Date,
): Promise<void> {
  const isWithoutLimit = complete === 'without-limit';
  const upTo = isWithoutLimit ? null : 'upTo' in complete ? complete.upTo : complete.atLeast;
  const raised =
    isWithoutLimit || 'upTo' in complete
      ? sql`excluded.complete_up_to_ns`
      : sql`greatest(sources.complete_up_to_ns, excluded.complete_up_to_ns)`;
  for (const arrival of inOrder(arrivals)) {
    await db
      .insertInto('sources')
      .values({
        source: arrival.source,
        company: arrival.company,
        kind: 'imported',
        complete_up_to_ns: upTo,
        complete_without_limit: isWithoutLimit,
        types: [...new Set(arrival.types)],
        last_event_ns: arrival.lastEventAt ?? null,
        last_arrival_at: at,
        events: arrival.events,
        updated_at: at,
      })
      .onConflict((conflict) =>
        conflict.columns(['source', 'company', 'stream']).doUpdateSet({
          complete_up_to_ns: sql`CASE WHEN sources.kind = 'imported' THEN ${raised}
            ELSE sources.complete_up_to_ns END`,
          complete_without_limit: sql`CASE WHEN sources.kind = 'imported' THEN excluded.complete_without_limit
            ELSE sources.complete_without_limit END`,
          types: mergedTypes,
          last_event_ns: sql`greatest(sources.last_event_ns, excluded.last_event_ns)`,
          last_arrival_at: sql`CASE WHEN sources.kind = 'imported' THEN excluded.last_arrival_at
            ELSE sources.last_arrival_at END`,
          events: sql`sources.events + excluded.events`,
          updated_at: sql`excluded.updated_at`,
        }),
      )
      .execute();
  }
}

/**
 * Counts refused events of a source that is known already: under their company; without one, where the source has only
 * one company.
 */
export async function countErrors(
  { db }: Pick<Postgres, 'db'>,
  refused: readonly { readonly source: string; readonly company?: string | undefined }[],
): Promise<void> {
  const sources = refused.map(({ source }) => source);
  const companies = refused.map(({ company }) => company ?? null);
  await sql`UPDATE sources SET errors = sources.errors + counted.errors
    FROM (
      SELECT known.source, known.company, count(*) AS errors
      FROM unnest(${sources}::text[], ${companies}::text[]) AS given (source, company)
      JOIN sources AS known ON known.source = given.source AND known.stream = ''
        AND (known.company = given.company OR given.company IS NULL AND NOT EXISTS (
          SELECT FROM sources AS other
          WHERE other.source = known.source AND other.stream = '' AND other.company <> known.company))
      GROUP BY known.source, known.company
    ) AS counted
    WHERE sources.source = counted.source AND sources.company = counted.company AND sources.stream = ''`.execute(
    db,
  );
}
