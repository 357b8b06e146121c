import { z } from 'zod';
import type { Deployment } from '../../model/deployment.ts';
import type { ClickHouse } from './client.ts';
import { defineLookup } from './query.ts';

/** The last versions of each service that began up to an instant, so many that the one before each is among them. */
const begun = defineLookup({
  name: 'service_versions.begun',
  sql: `SELECT Service AS service, Version AS version, toUnixTimestamp64Nano(min(FirstSeen)) AS firstNs
    FROM service_versions WHERE Service IN {services:Array(String)}
    GROUP BY service, version HAVING firstNs <= {to:Int64}
    ORDER BY service, firstNs DESC, version LIMIT 6 BY service`,
  params: z.object({ services: z.array(z.string()), to: z.string() }),
  row: z.object({ service: z.string(), version: z.string(), firstNs: z.coerce.bigint() }),
});

/** What of a service was seen for the first time in (from, to], epoch nanoseconds, where another version was seen before; the last first. */
export async function deploymentsOf(
  clickhouse: Pick<ClickHouse, 'query'>,
  services: readonly string[],
  { from, to }: { readonly from: bigint; readonly to: bigint },
): Promise<Deployment[]> {
  if (services.length === 0) return [];
  const rows = await clickhouse.query(begun, { services: [...services], to: `${to}` });
  return rows
    .flatMap(({ service, version, firstNs }, index) => {
      const before = rows[index + 1];
      return before?.service === service && firstNs > from
        ? [{ service, version, previous: before.version, at: firstNs }]
        : [];
    })
    .sort((a, b) => (a.at > b.at ? -1 : 1));
}
