import { defineCommand } from 'citty';
import { z } from 'zod';
import { listRetention, type TableRetention } from '../store/clickhouse/retention.ts';
import { readCollector } from './catalogue.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { printable } from './printable.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** What is stored and how long it is kept, by the settings as they lie there now. */
export interface RetentionReport {
  readonly tables: readonly TableRetention[];
  /** Milliseconds. */
  readonly inbox: { readonly payloads: number; readonly settledLetters: number };
}

export const retentionTask: Task<Stores, Record<never, never>, never, RetentionReport> = {
  name: 'retention',
  args: z.strictObject({}),
  async run({ clickhouse, config }) {
    const { retention, inbox } = await readCollector(config);
    return {
      tables: await listRetention(clickhouse, retention, new Date()),
      inbox: { payloads: inbox.keepPayloads, settledLetters: inbox.keepSettledLetters },
    };
  },
};

const days = (ms: number): string => `${Math.round((ms / 86_400_000) * 10) / 10} d`;
const size = (bytes: number): string =>
  bytes < 1 << 20 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / (1 << 20)).toFixed(1)} MiB`;

const HEADER = ['table', 'kept for', 'rows', 'size', 'oldest', 'newest', 'over', 'hold'];

const cells = (row: TableRetention): string[] => [
  row.table,
  row.keptFor === null ? 'ever' : days(row.keptFor),
  `${row.rows}`,
  size(row.bytes),
  row.oldest?.slice(0, 10) ?? '-',
  row.newest?.slice(0, 10) ?? '-',
  `${row.over ?? '-'}`,
  row.hold ? `${row.hold.reason}${row.hold.until ? `, until ${row.hold.until}` : ''}` : '-',
];

function printed({ tables, inbox }: RetentionReport): string {
  const rows = [HEADER, ...tables.map(cells)];
  const widths = HEADER.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return printable(
    `${lines.join('\n')}\n\nInbox: payloads ${days(inbox.payloads)} after they are stored, settled dead letters ${days(inbox.settledLetters)}.\n`,
  );
}

export default defineCommand({
  meta: {
    name: 'retention',
    description:
      'What every table holds, how long it is kept (retention in collector.yaml), and what of it is over',
  },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const report = await runTask(retentionTask, {}, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : printed(report));
      return EXIT.ok;
    }),
});
