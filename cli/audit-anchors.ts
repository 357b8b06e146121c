import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type AuditAnchor, auditAnchor } from '../model/audit.ts';
import { ClosewatchError } from '../model/errors.ts';
import { auditAnchorsOf, noteAnchor } from '../store/clickhouse/audit-anchors.ts';
import { auditHead } from '../store/postgres/audit.ts';
import { QUEUES } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';
import type { Stores } from './stores.ts';

const EVERY_MS = 3_600_000;

const fileOf = (dataDir: string): string => join(dataDir, 'audit', 'anchors.jsonl');

/** The anchors of a file, one JSON object a line. Throws `config.invalid` naming the line that is none. */
export function readAnchors(file: string): AuditAnchor[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (!line.trim()) return [];
      try {
        return [auditAnchor.parse(JSON.parse(line))];
      } catch {
        throw new ClosewatchError('config.invalid', `${file}:${index + 1} is no anchor`);
      }
    });
}

/** Every anchor that this deployment knows: those of ClickHouse and of the data directory. */
export const anchorsOf = async ({
  clickhouse,
  config,
}: Pick<Stores, 'clickhouse' | 'config'>): Promise<AuditAnchor[]> => [
  ...(await auditAnchorsOf(clickhouse)),
  ...readAnchors(fileOf(config.dataDir)),
];

/**
 * Notes the head of the audit chain where who writes PostgreSQL does not write: in ClickHouse, in a file of the data directory, and in
 * the log, which others may collect. Undefined when there is no row, or the head was noted before.
 */
export async function anchorHead(
  { postgres, clickhouse, config, logger }: Pick<Stores, 'postgres' | 'clickhouse' | 'config' | 'logger'>,
  at: Date,
): Promise<AuditAnchor | undefined> {
  const head = await auditHead(postgres.db);
  if (!head) return undefined;
  const file = fileOf(config.dataDir);
  if (readAnchors(file).at(-1)?.hash === head.hash) return undefined;
  const anchor = { seq: head.seq, hash: head.hash, at: at.toISOString() };
  await noteAnchor(clickhouse, anchor);
  mkdirSync(join(config.dataDir, 'audit'), { recursive: true, mode: 0o700 });
  appendFileSync(file, `${JSON.stringify(anchor)}\n`, { mode: 0o600 });
  logger.info({ audit: anchor }, 'the head of the audit chain was anchored');
  return anchor;
}

/** Number of the last row of the chain that the file of this data directory anchors; 0 for none. */
export const lastAnchored = (dataDir: string): number => readAnchors(fileOf(dataDir)).at(-1)?.seq ?? 0;

/** Anchors the chain every hour. */
export async function scheduleAnchors(stores: Stores, queues: Queues): Promise<void> {
  await queues.work(QUEUES.anchors, async () => {
    await anchorHead(stores, new Date());
  });
  await queues.every(QUEUES.anchors, 'anchor', { everyMs: EVERY_MS }, {});
}
