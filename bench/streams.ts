import type { Kysely } from 'kysely';
import type { SourceStream } from '../model/watermark.ts';
import type { Database } from '../store/postgres/schema.ts';
import { declareComplete } from '../store/postgres/sources.ts';

/**
 * Every stream has sent everything up to the instant (epoch nanoseconds), and is known to send its types: rules that wait to be told
 * apply where they would.
 */
export async function declareStreams(
  db: Kysely<Database>,
  streams: readonly Pick<SourceStream, 'source' | 'company' | 'types'>[],
  completeUpTo: bigint,
): Promise<void> {
  const marks = streams.map(({ source, company }) => ({ source, company, stream: '', completeUpTo }));
  await declareComplete(db, marks, new Date());
  for (const { source, company, types } of streams)
    await db
      .updateTable('sources')
      .set({ types: [...types] })
      .where('source', '=', source)
      .where('company', '=', company)
      .execute();
}
