import { z } from 'zod';
import { type AuditAnchor, type AuditFault, checkChain, sha256 } from '../model/audit.ts';
import { fingerprintOf } from '../model/audit-pack.ts';
import { ClosewatchError } from '../model/errors.ts';
import { auditRows, type StoredAuditRow } from '../store/postgres/audit.ts';
import { appendChanges, settingChange } from '../store/postgres/change-log.ts';
import { proposalsOf } from '../store/postgres/proposals.ts';
import { anchorHead, anchorsOf } from './audit-anchors.ts';
import { packOf, publicKeyOf } from './audit-pack.ts';
import { secretOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

export interface Verified {
  readonly fault: AuditFault | null;
  readonly rows: number;
  readonly head: string;
  readonly anchors: number;
}

const anchors = z.array(z.object({ seq: z.int(), hash: z.string(), at: z.string() }));

/** What a row's columns say that its text does not: by them rows are searched. */
function columnsFault(row: StoredAuditRow): AuditFault | undefined {
  const said = JSON.parse(row.body) as Record<string, unknown> & { actor?: { id?: unknown } };
  const differs =
    said.entity !== row.entity ||
    said.entityId !== row.entityId ||
    said.company !== row.company ||
    said.actor?.id !== row.actor ||
    said.at !== row.at.toISOString();
  return differs
    ? { seq: row.seq, fault: 'altered', why: 'a column of it says something else than its text' }
    : undefined;
}

export const verifyAuditTask: Task<Stores, { anchors: AuditAnchor[] }, never, Verified> = {
  name: 'audit-verify',
  args: z.strictObject({ anchors }),
  async run(stores, given) {
    const known = [...(await anchorsOf(stores)), ...given.anchors];
    const check = checkChain(known);
    let columns: AuditFault | undefined;
    for await (const row of auditRows(stores.postgres.db)) {
      if (check.add(row)) break;
      columns ??= columnsFault(row);
      if (columns) break;
    }
    const { fault = columns, rows, head } = check.end();
    return { fault: columns ?? fault ?? null, rows, head, anchors: known.length };
  },
};

export const anchorAuditTask: Task<
  Stores,
  Record<never, never>,
  never,
  { anchor: AuditAnchor | null; key: string }
> = {
  name: 'audit-anchor',
  args: z.strictObject({}),
  async run(stores) {
    const anchor = (await anchorHead(stores, new Date())) ?? null;
    return { anchor, key: fingerprintOf(publicKeyOf(secretOf(stores.config.dataDir, 'audit-key').text)) };
  },
};

const wish = z.strictObject({
  incident: z.string().max(64).optional(),
  from: z.iso.datetime().optional(),
  to: z.iso.datetime().optional(),
  company: z.string().max(128).optional(),
  by: z.string().max(256),
});

export interface ExportedPack {
  /** Base64. */
  readonly zip: string;
  readonly about: string;
  readonly rows: number;
  readonly sha256: string;
}

export const exportAuditTask: Task<Stores, z.infer<typeof wish>, never, ExportedPack> = {
  name: 'audit-export',
  args: wish,
  async run(stores, { by, ...asked }) {
    const at = new Date();
    const subject = asked.incident ? await incidentSubject(stores, asked.incident) : spanSubject(asked);
    const known = await anchorsOf(stores);
    let rows = 0;
    async function* chained() {
      for await (const row of auditRows(stores.postgres.db)) {
        const isToTell = subject.tells(row);
        if (isToTell) rows += 1;
        yield { seq: row.seq, body: row.body, bodyHash: row.bodyHash, hash: row.hash, isToTell };
      }
    }
    const { about, documents, tables } = subject;
    const content = { about, madeAt: at, madeBy: by, rows: chained(), anchors: known, documents, tables };
    const zip = await packOf(content, secretOf(stores.config.dataDir, 'audit-key').text);
    const hash = sha256(zip);
    const data = { about, rows, sha256: hash };
    await stores.postgres.db
      .transaction()
      .execute((trx) => appendChanges(trx, [settingChange('evidence-pack', 'exported', { by, at, data })]));
    return { zip: Buffer.from(zip).toString('base64'), about, rows, sha256: hash };
  },
};

interface Subject {
  readonly about: string;
  tells(row: StoredAuditRow): boolean;
  readonly documents: Readonly<Record<string, unknown>>;
  readonly tables: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>>;
}

function spanSubject({ from, to, company }: Omit<z.infer<typeof wish>, 'by'>): Subject {
  const [start, end] = [from ?? '', to ?? '9999'];
  if (from && to && start >= end) throw new ClosewatchError('config.invalid', '--from must lie before --to');
  const place = company ? ` of ${company}` : '';
  return {
    about: `decisions${place} from ${from ?? 'the beginning'} to ${to ?? 'now'}`,
    tells: (row) => {
      const at = row.at.toISOString();
      return at >= start && at < end && (!company || row.company === company);
    },
    documents: {},
    tables: {},
  };
}

/** An incident with everything that was decided on: its exceptions, its assessments with their evidence, and its decisions. */
async function incidentSubject({ postgres }: Stores, asked: string): Promise<Subject> {
  const incident = await postgres.db
    .selectFrom('incidents')
    .selectAll()
    .where(/^\d+$/.test(asked) ? 'number' : 'id', '=', asked)
    .executeTakeFirst();
  if (!incident) throw new ClosewatchError('not-found', `there is no incident ${asked}`);
  const exceptions = await postgres.db
    .selectFrom('exceptions')
    .selectAll()
    .where('incident', '=', incident.id)
    .orderBy('id')
    .execute();
  const assessments = await postgres.db
    .selectFrom('assessments')
    .selectAll()
    .where('incident', '=', incident.id)
    .orderBy('version')
    .execute();
  const proposals = await proposalsOf(postgres, [incident.id]);
  const ids = new Set([
    incident.id,
    ...exceptions.map(({ id }) => id),
    ...proposals.map(({ row }) => row.id),
    ...assessments.map(({ id }) => id),
  ]);
  return {
    about: `incident ${incident.number} of ${incident.company}`,
    tells: (row) => ids.has(row.entityId),
    documents: { 'incident.json': incident, 'assessments.json': assessments, 'proposals.json': proposals },
    tables: { 'exceptions.csv': exceptions },
  };
}
