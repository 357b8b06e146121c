import { resolve } from 'node:path';
import { defineCommand } from 'citty';
import { z } from 'zod';
import {
  type ImportProgress,
  type ImportRequest,
  type ImportResult,
  importEventLog,
} from '../collector/files/import.ts';
import { markingEvents } from '../store/source-terms.ts';
import { readCollector } from './catalogue.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { createBar } from './progress.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** Imports an event log; paths are absolute, for the process that does it may stand elsewhere. */
export const importTask: Task<Stores, ImportRequest, ImportProgress, ImportResult> = {
  name: 'import',
  args: z.strictObject({
    file: z.string(),
    map: z.string(),
    source: z.string().min(1).max(1024).optional(),
    cases: z.string().optional(),
    strict: z.boolean().optional(),
  }),
  async run(stores, args, report) {
    const { sources } = stores.catalogue?.collector ?? (await readCollector(stores.config));
    const events = markingEvents(stores.events, sources);
    return await importEventLog(args, { ...stores, events }, report);
  },
};

export default defineCommand({
  meta: {
    name: 'import',
    description:
      'Load an event log (CSV, JSON lines, XES; .gz too) as finance events of a source. The same file twice adds nothing',
  },
  args: {
    file: { type: 'positional', description: 'the event log' },
    map: {
      type: 'string',
      required: true,
      description: 'import map (YAML): which column is what; docs/import.md',
    },
    cases: { type: 'string', description: 'file of case attributes, instead of the one that the map names' },
    source: { type: 'string', description: 'store under this source instead of the one that the map names' },
    strict: { type: 'boolean', description: 'store nothing when a row is bad' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const request: ImportRequest = {
        file: resolve(args.file ?? ''),
        map: resolve(args.map ?? ''),
        ...(args.cases ? { cases: resolve(args.cases) } : {}),
        ...(args.source ? { source: args.source } : {}),
        ...(args.strict ? { strict: true } : {}),
      };
      const bar = args.json ? undefined : progressBar();
      try {
        const result = await runTask(importTask, request, configOf(args), (progress) => bar?.show(progress));
        bar?.stop();
        if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
        else process.stdout.write(summaryOf(result));
        return result.bad + result.badCases > 0 ? EXIT.findings : EXIT.ok;
      } catch (error) {
        bar?.stop();
        throw error;
      }
    }),
});

/** A bar on standard error when a person looks at it. */
function progressBar(): { show(progress: ImportProgress): void; stop(): void } | undefined {
  const bar = createBar('{bar} {percentage}% | {rows} rows, {stored} stored, {known} known');
  if (!bar) return undefined;
  let started = false;
  return {
    show({ bytesRead, bytesTotal, rowsRead, stored, known }) {
      const shown = { rows: rowsRead, stored, known };
      if (!started) bar.start(bytesTotal, bytesRead, shown);
      else bar.update(bytesRead, shown);
      started = true;
    },
    stop: () => {
      if (started) bar.stop();
    },
  };
}

function summaryOf(result: ImportResult): string {
  const lines = [
    `${result.source}: ${result.rowsRead} rows read in ${result.seconds} s: ${result.stored} stored, ${result.known} known before, ${result.skipped} left out, ${result.bad} bad`,
  ];
  if (result.badCases > 0) lines.push(`${result.badCases} bad rows in the file of case attributes`);
  for (const { where, what } of result.problems) lines.push(`  ${where}: ${what}`);
  const untold = result.bad + result.badCases - result.problems.length;
  if (untold > 0) lines.push(`  and ${untold} more`);
  for (const warning of result.warnings) lines.push(`  note: ${warning}`);
  return `${lines.join('\n')}\n`;
}
