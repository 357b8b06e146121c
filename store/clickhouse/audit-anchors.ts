import { z } from 'zod';
import type { AuditAnchor } from '../../model/audit.ts';
import type { ClickHouse } from './client.ts';
import { defineQuery } from './query.ts';

const anchors = defineQuery({
  name: 'audit.anchors',
  sql: `SELECT toString(Seq) AS seq, Hash AS hash, formatDateTime(At, '%FT%TZ') AS at FROM audit_anchors ORDER BY Seq, At`,
  params: z.object({}),
  row: z.object({ seq: z.coerce.number(), hash: z.string(), at: z.string() }),
});

/** The heads of the audit chain that ClickHouse has, by number. */
export const auditAnchorsOf = (clickhouse: Pick<ClickHouse, 'query'>): Promise<AuditAnchor[]> =>
  clickhouse.query(anchors, {});

/** Notes a head of the chain; the same one again is noted once. */
export async function noteAnchor(
  clickhouse: Pick<ClickHouse, 'insertRows'>,
  { seq, hash, at }: AuditAnchor,
): Promise<void> {
  await clickhouse.insertRows('audit_anchors', [{ Seq: seq, Hash: hash, At: at }], {
    token: `anchor:${hash}`,
  });
}
