import { type AuditEntry, auditEntry } from '../../model/audit.ts';
import type { CompanyScope } from '../../model/principal.ts';
import { decodeCursor, encodeCursor, type Page } from '../paging.ts';
import type { Postgres } from './database.ts';
import { inScope } from './scope.ts';

export interface AuditFilter {
  readonly companies: CompanyScope;
  readonly company?: string | undefined;
  readonly actor?: string | undefined;
  readonly entity?: string | undefined;
  readonly entityId?: string | undefined;
  readonly from?: Date | undefined;
  readonly to?: Date | undefined;
}

/** A row of the chain as people read it. */
export interface AuditListRow extends AuditEntry {
  readonly hash: string;
}

export const auditCursor = ({ seq }: AuditListRow): string => encodeCursor([`${seq}`]);

/** Rows of the chain, the newest first. What belongs to no company is for who reads every company. */
export async function listAudit(
  { db }: Pick<Postgres, 'db'>,
  filter: AuditFilter,
  page: Page,
): Promise<AuditListRow[]> {
  let query = db.selectFrom('audit').select(['body', 'hash']).where(inScope('company', filter.companies));
  if (filter.company !== undefined) query = query.where('company', '=', filter.company);
  if (filter.actor !== undefined) query = query.where('actor', '=', filter.actor);
  if (filter.entity !== undefined) query = query.where('entity', '=', filter.entity);
  if (filter.entityId !== undefined) query = query.where('entity_id', '=', filter.entityId);
  if (filter.from) query = query.where('at', '>=', filter.from);
  if (filter.to) query = query.where('at', '<', filter.to);
  const after = decodeCursor(page.after, [/^\d{1,18}$/]);
  if (after) query = query.where('seq', '<', after[0] ?? '');
  const rows = await query.orderBy('seq', 'desc').limit(page.limit).execute();
  return rows.map(({ body, hash }) => ({ ...auditEntry.parse(JSON.parse(body)), hash }));
}
