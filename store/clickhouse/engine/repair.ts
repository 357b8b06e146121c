import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * ClickHouse commits a part and then writes its de-duplication log. A kill between the two leaves rows that nobody was
 * told of and whose token is unknown: the sender's next try would store them twice. So before the data directory of a
 * killed engine is opened, such parts are set aside in `detached/`: they were never acknowledged, and are sent again.
 * Every insert is logged, as the settings hold `insert_deduplicate` on.
 */
const NEW_PART = /^[^_]+_(\d+)_\1_0$/;
/** How far behind the newest logged block an unlogged one may lie: more than inserts ever run at once. */
const REACH = 64;
/** Parts older than the log by more than this are not of its time. */
const SLACK_MS = 10_000;

/** Sets aside the unconfirmed parts below `path` (chDB's folder) after a kill; returns their paths. */
export function setAsideUnconfirmed(path: string): string[] {
  // A clean end removes the lock file.
  if (!existsSync(join(path, 'status'))) return [];
  const store = join(path, 'store');
  if (!existsSync(store)) return [];
  const tables = readdirSync(store).flatMap((prefix) =>
    readdirSync(join(store, prefix)).map((id) => join(store, prefix, id)),
  );
  return tables.filter((table) => existsSync(join(table, 'deduplication_logs'))).flatMap(setAsideInTable);
}

function setAsideInTable(table: string): string[] {
  const folder = join(table, 'deduplication_logs');
  const logs = readdirSync(folder).map((name) => join(folder, name));
  const logged = new Set(
    logs.flatMap((log) =>
      readFileSync(log, 'utf8')
        .split('\n')
        .map((line) => line.split('\t')[1]),
    ),
  );
  const since =
    Math.min(statSync(folder).mtimeMs, ...logs.map((log) => statSync(log).birthtimeMs)) - SLACK_MS;
  const newest = Math.max(0, ...[...logged].map((name) => Number(NEW_PART.exec(name ?? '')?.[1] ?? 0)));
  const unconfirmed = readdirSync(table).filter((name) => {
    const block = Number(NEW_PART.exec(name)?.[1]);
    return block > newest - REACH && !logged.has(name) && statSync(join(table, name)).mtimeMs > since;
  });
  return unconfirmed.map((name) => {
    mkdirSync(join(table, 'detached'), { recursive: true });
    const target = join(table, 'detached', `unconfirmed_${name}`);
    renameSync(join(table, name), existsSync(target) ? `${target}_${Date.now()}` : target);
    return target;
  });
}
