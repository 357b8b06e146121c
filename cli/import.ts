import { basename, resolve } from 'node:path';
import { defineCommand } from 'citty';
import { type ImportProgress, type ImportResult, importEventLog } from '../collector/files/import.ts';
import { FORMATS } from '../collector/files/map.ts';
import { type ImportRequest, importRequest } from '../collector/files/request.ts';
import { markingEvents } from '../store/source-terms.ts';
import { readCollector, readCompanies } from './catalogue.ts';
import type { Config } from './config.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { createBar } from './progress.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** Imports a file; paths are absolute, for the process that does it may stand elsewhere. */
export const importTask: Task<Stores, ImportRequest, ImportProgress, ImportResult> = {
  name: 'import',
  args: importRequest,
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
      'Load a file as finance events: an event log (CSV, JSON lines, XES, OCEL 2.0, Parquet), CloudEvents, a bank statement (camt.053, camt.054, MT940); gzip too. The same file twice adds nothing',
  },
  args: {
    file: { type: 'positional', description: 'the file' },
    map: {
      type: 'string',
      description: 'import map (YAML): which column is what; event logs need one; docs/import.md',
    },
    format: {
      type: 'string',
      description: `what the file is, when neither content nor name tells: ${FORMATS.join(', ')}`,
    },
    cases: { type: 'string', description: 'file of case attributes, instead of the one that the map names' },
    source: {
      type: 'string',
      description: 'store under this source; of CloudEvents, take only those of this source and below',
    },
    company: { type: 'string', description: 'the company whose bank account a statement is of' },
    'account-journal': { type: 'string', description: 'the journal of that account in the books' },
    timezone: {
      type: 'string',
      description: 'zone of times and dates that carry none (default: of the map, else of the company)',
    },
    'complete-up-to': {
      type: 'string',
      description: 'up to when the file tells everything: an instant, or last-event',
    },
    live: {
      type: 'boolean',
      description: 'the facts are news, not history: detection may open exceptions for them',
    },
    'dry-run': {
      type: 'boolean',
      description: 'store nothing; say what would be stored, with a sample event',
    },
    strict: { type: 'boolean', description: 'store nothing when a row is bad' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args);
      const given = {
        file: resolve(args.file ?? ''),
        map: args.map && resolve(args.map),
        cases: args.cases && resolve(args.cases),
        format: args.format,
        source: args.source,
        company: args.company,
        accountJournal: args['account-journal'],
        timezone: args.timezone,
        completeUpTo: args['complete-up-to'],
        live: args.live || undefined,
        strict: args.strict || undefined,
        dryRun: args['dry-run'] || undefined,
        zones: args.timezone ? undefined : await zonesOf(config),
      };
      const request = importRequest.parse(withoutUndefined(given));
      const bar = args.json ? undefined : progressBar();
      try {
        const result = await runTask(importTask, request, config, (progress) => bar?.show(progress));
        bar?.stop();
        if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
        else process.stdout.write(summaryOf(result, basename(given.file)));
        return result.bad + result.badCases > 0 ? EXIT.findings : EXIT.ok;
      } catch (error) {
        bar?.stop();
        throw error;
      }
    }),
});

const withoutUndefined = (fields: object): object =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));

/** The zone of each company of companies.yaml. */
async function zonesOf(config: Config): Promise<Record<string, string>> {
  const companies = await readCompanies(config);
  return Object.fromEntries(companies.map(({ key, timezone }) => [key, timezone]));
}

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

const BY = { option: 'as asked', content: 'by its content', name: 'by its name' } as const;

function summaryOf(result: ImportResult, file: string): string {
  const { source, rowsRead, seconds, stored, known, skipped, bad, badCases, dryRun } = result;
  const verb = dryRun ? 'would be stored' : 'stored';
  const lines = [
    `${file} was read as ${result.format}, ${BY[result.recognisedBy]}`,
    `${source}: ${rowsRead} rows read in ${seconds} s: ${stored} ${verb}, ${known} known before, ${skipped} left out, ${bad} bad`,
  ];
  if (badCases > 0) lines.push(`${badCases} bad rows in the file of case attributes`);
  for (const { where, what } of result.problems) lines.push(`  ${where}: ${what}`);
  const untold = bad + badCases - result.problems.length;
  if (untold > 0) {
    const counts = Object.entries(result.reasons).map(([reason, count]) => `${reason} ${count}`);
    lines.push(`  and ${untold} more; in all ${counts.join(', ')}`);
  }
  for (const warning of result.warnings) lines.push(`  note: ${warning}`);
  if (result.sample) lines.push('the first event:', JSON.stringify(result.sample, null, 2));
  return `${lines.join('\n')}\n`;
}
