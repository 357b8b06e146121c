import { defineCommand } from 'citty';
import { z } from 'zod';
import { createDetector, type PassResult } from '../analyzer/detect/pass.ts';
import { busy } from '../analyzer/detect/rejudge.ts';
import { formatInstant, nanosOf } from '../model/time.ts';
import { createAnalysis } from './analysis.ts';
import { readCatalogue } from './catalogue.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** What one pass did; batch numbers and the instant as text. */
export interface DetectReport extends Omit<PassResult, 'asOf' | 'fromBatch' | 'toBatch'> {
  readonly asOf: string;
  readonly fromBatch: string;
  readonly toBatch: string;
  /** Exceptions that are open or indeterminate after it. */
  readonly openExceptions: number;
}

const detectArgs = z.strictObject({ rebuild: z.boolean() });

/**
 * One pass of detection and grouping, now, under the flows that the process runs which holds the stores; one that runs none
 * reads them. What new rules have not seen yet is judged first, to its end: what it says to be open is all of it.
 */
export const detectTask: Task<Stores, z.infer<typeof detectArgs>, never, DetectReport> = {
  name: 'detect',
  args: detectArgs,
  async run(stores, { rebuild }) {
    const { postgres, events, logger } = stores;
    const catalogue = stores.catalogue ?? (await readCatalogue(stores.config));
    const now = nanosOf(new Date());
    const again = rebuild
      ? await createDetector({ postgres, events, logger, ...catalogue }).pass(now, { rebuild })
      : undefined;
    if (again?.overtaken) throw busy();
    const { pass } = await createAnalysis(stores, catalogue).detect(now, { catchUp: true });
    // After a rebuild it does not matter which pass goes on.
    if (pass.overtaken && !again) throw busy();
    const { count } = await postgres.db
      .selectFrom('exceptions')
      .select(({ fn }) => fn.countAll<string>().as('count'))
      .where('state', 'in', ['open', 'indeterminate'])
      .executeTakeFirstOrThrow();
    const shown = again ?? pass;
    return {
      ...shown,
      asOf: formatInstant(shown.asOf),
      fromBatch: `${shown.fromBatch}`,
      toBatch: `${shown.toBatch}`,
      openExceptions: Number(count),
    };
  },
};

export default defineCommand({
  meta: {
    name: 'detect',
    description:
      'Run one pass of detection now. Exit code 0: nothing is open; 3: exceptions are open; 1: it could not be done',
  },
  args: {
    ...commonFlags,
    ...jsonFlag,
    rebuild: {
      type: 'boolean',
      description: 'judge everything stored again, beside the passes of a running process',
    },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const report = await runTask(detectTask, { rebuild: args.rebuild ?? false }, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : sentences(report));
      return report.openExceptions > 0 ? EXIT.findings : EXIT.ok;
    }),
});

function sentences(report: DetectReport): string {
  return [
    `${report.events} new events, ${report.judged} obligations judged: ${report.opened} exceptions opened, ${report.closed} closed; ${report.openExceptions} are open\n`,
    ...report.rules.map(
      ({ rule, judged, opened, closed }) =>
        `  ${rule}: ${judged} judged, ${opened} opened, ${closed} closed\n`,
    ),
  ].join('');
}
