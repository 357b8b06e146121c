import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * ClickHouse writes a token into a table's de-duplication log and then commits the part. A kill between the two leaves
 * a token without rows: the sender's next try would be taken for a duplicate, and lost though acknowledged. So before
 * the data directory of a killed engine is opened, the tokens of parts that are not there are taken out of the logs.
 */
const ADDED = /^1\t([^_\t]+)_(\d+)_(\d+)_\d+(?:_\d+)?\t/;
const PART = /^([^_]+)_(\d+)_(\d+)_\d+(?:_\d+)?$/;

interface Span {
  readonly partition: string;
  readonly from: number;
  readonly to: number;
}

const spanOf = (match: RegExpExecArray): Span => ({
  partition: match[1]!,
  from: Number(match[2]),
  to: Number(match[3]),
});

/** Takes the tokens without rows out of the logs below `path` (chDB's folder) after a kill; returns their lines. */
export function forgetUncommitted(path: string): string[] {
  const store = join(path, 'store');
  // A clean end removes the lock file.
  if (!existsSync(join(path, 'status')) || !existsSync(store)) return [];
  const tables = readdirSync(store).flatMap((prefix) =>
    readdirSync(join(store, prefix)).map((id) => join(store, prefix, id)),
  );
  return tables
    .filter((table) => existsSync(join(table, 'deduplication_logs')))
    .flatMap((table) => forgetInTable(table, join(path, 'deduplication_log.new')));
}

function forgetInTable(table: string, scratch: string): string[] {
  const parts = readdirSync(table).flatMap((name) => {
    const match = PART.exec(name);
    return match ? [spanOf(match)] : [];
  });
  const isThere = (line: string): boolean => {
    const match = ADDED.exec(line);
    if (!match) return true;
    const { partition, from, to } = spanOf(match);
    return parts.some((part) => part.partition === partition && part.from <= from && to <= part.to);
  };
  const folder = join(table, 'deduplication_logs');
  return readdirSync(folder).flatMap((name) => {
    const lines = readFileSync(join(folder, name), 'utf8').split('\n');
    const gone = lines.filter((line) => !isThere(line));
    if (gone.length > 0) {
      writeFileSync(scratch, lines.filter(isThere).join('\n'));
      renameSync(scratch, join(folder, name));
    }
    return gone;
  });
}
