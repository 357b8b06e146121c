import { defineCommand } from 'citty';
import { z } from 'zod';
import { type BacktestResult, backtest } from '../analyzer/backtest/backtest.ts';
import { checkOverrides, loadCompanies, loadFlows } from '../analyzer/detect/flow-files.ts';
import { company } from '../model/company.ts';
import { ClosewatchError } from '../model/errors.ts';
import { flow } from '../model/flow.ts';
import { OBLIGATION_STATES } from '../model/obligation.ts';
import { formatInstant, nanosOf, parseInstant } from '../model/time.ts';
import { listSources } from '../store/postgres/sources.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { createBar } from './progress.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

const backtestArgs = z.strictObject({
  flows: z.array(flow),
  companies: z.array(company),
  /** RFC 3339. */
  asOf: z.string(),
  source: z.string().optional(),
});

/** Evaluates flows on the stored history; progress is the number of events read. Throws `not-found` for an unknown source. */
export const backtestTask: Task<Stores, z.infer<typeof backtestArgs>, number, BacktestResult> = {
  name: 'backtest',
  args: backtestArgs,
  async run({ postgres, events }, { flows, companies, asOf, source }, report) {
    const sources = await listSources(postgres);
    const names = [...new Set(sources.map((stream) => stream.source))];
    if (source !== undefined && !names.includes(source)) {
      const known = names.length > 0 ? `known are ${names.join(', ')}` : 'nothing was imported or sent yet';
      throw new ClosewatchError('not-found', `there is no source ${source}: ${known}`);
    }
    return await backtest(
      { flows, companies, asOf: instantOf(asOf), source },
      { events, sources, now: nanosOf(new Date()), onProgress: report },
    );
  },
};

export default defineCommand({
  meta: {
    name: 'backtest',
    description: 'Evaluate flow files on stored history as of an instant; changes nothing',
  },
  args: {
    ...commonFlags,
    ...jsonFlag,
    flows: { type: 'string', required: true, description: 'folder of flow files and companies.yaml' },
    'as-of': {
      type: 'string',
      required: true,
      description: 'instant, 2018-06-01T00:00:00Z; a date means its midnight in UTC',
    },
    source: { type: 'string', description: 'only the events of this source, and only its completeness' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const asOf = formatInstant(instantOf(args['as-of']));
      const [flows, companies] = [await loadFlows(args.flows), await loadCompanies(args.flows)];
      checkOverrides(flows, companies);
      const bar = createBar('reading events: {value}');
      bar?.start(0, 0);
      const result = await runTask(
        backtestTask,
        { flows: flows.map(({ file, ...rest }) => rest), companies, asOf, source: args.source },
        configOf(args),
        (events) => bar?.update(events),
      ).finally(() => bar?.stop());
      process.stdout.write(args.json ? `${JSON.stringify(result)}\n` : table(result));
      return EXIT.ok;
    }),
});

function instantOf(text: string): bigint {
  const nanos = parseInstant(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (nanos === undefined) {
    throw new ClosewatchError('config.invalid', `--as-of ${text} is no instant such as 2018-06-01T00:00:00Z`);
  }
  return nanos;
}

const EXCEPTIONS_SHOWN = 20;

/** The counts by rule, then the first exceptions, for people. */
function table({ asOf, rules, exceptions }: BacktestResult): string {
  const width = Math.max(4, ...rules.map(({ id }) => id.length));
  const columns = ['anchors', ...OBLIGATION_STATES];
  const line = (name: string, cells: readonly (string | number)[]) =>
    `${name.padEnd(width)}${cells.map((cell, i) => String(cell).padStart((columns[i]?.length ?? 0) + 2)).join('')}\n`;
  const shown = exceptions.slice(0, EXCEPTIONS_SHOWN).map((one) => {
    const money = one.amount === null ? '' : ` ${one.amount} ${one.currency ?? ''}`;
    return `${one.rule} ${one.state} ${one.subject}${money.trimEnd()}: since ${one.anchorAt}, due ${one.dueAt}${one.answeredAt === null ? '' : `, answered ${one.answeredAt}`}\n`;
  });
  const rest = exceptions.length - shown.length;
  return [
    `as of ${asOf}\n`,
    line('rule', columns),
    ...rules.map(({ id, anchors, counts }) =>
      line(id, [anchors, ...OBLIGATION_STATES.map((state) => counts[state])]),
    ),
    `\n${exceptions.length} open, late or indeterminate\n`,
    ...shown,
    rest > 0 ? `… and ${rest} more: --json has them all\n` : '',
  ].join('');
}
