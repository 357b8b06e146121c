import { z } from 'zod';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

const shared = defineQuery({
  name: 'event_keys.shared',
  sql: `SELECT JoinKey AS key FROM event_keys
    WHERE JoinKey IN (SELECT JoinKey FROM event_keys WHERE Batch > {after:UInt64} AND Batch <= {upTo:UInt64}
        AND KeyType IN {types:Array(String)})
    GROUP BY key HAVING uniq(Source) > 1 AND uniq(Company, Source, Subject) <= {most:UInt32}
    ORDER BY key LIMIT {limit:UInt32}`,
  params: z.object({
    after: z.string(),
    upTo: z.string(),
    types: z.array(z.string()),
    most: z.int(),
    limit: z.int(),
  }),
  row: z.object({ key: z.string() }),
});

/**
 * The join keys of the types that an event of the batches (after, upTo] has and an event of another source too; keys that
 * more than `most` documents share are left out.
 */
export async function keysOfSeveralSources(
  clickhouse: ClickHouse,
  { after, upTo }: { readonly after: bigint; readonly upTo: bigint },
  options: { readonly types: readonly string[]; readonly most: number; readonly limit: number },
): Promise<string[]> {
  const { types, most, limit } = options;
  const rows = await clickhouse.query(shared, {
    after: `${after}`,
    upTo: `${upTo}`,
    types: [...types],
    most,
    limit,
  });
  return rows.map(({ key }) => key);
}
