import { defineCommand } from 'citty';
import { z } from 'zod';
import { type BacktestResult, backtest } from '../analyzer/backtest/backtest.ts';
import {
  type Comparison,
  compareSweeps,
  MOST_JUDGEMENTS,
  type Sweep,
  sweep,
} from '../analyzer/backtest/sweep.ts';
import { company } from '../model/company.ts';
import { parseDuration } from '../model/duration.ts';
import { ClosewatchError } from '../model/errors.ts';
import { flow } from '../model/flow.ts';
import { OBLIGATION_STATES } from '../model/obligation.ts';
import { formatInstant, nanosOf, parseInstant } from '../model/time.ts';
import { listSources } from '../store/postgres/sources.ts';
import { catalogueOf } from './catalogue.ts';
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

const sweepArgs = z.strictObject({
  flows: z.array(flow),
  companies: z.array(company),
  from: z.string(),
  to: z.string(),
  everyNanos: z.string(),
  source: z.string().optional(),
});

/** Judges a span of the stored history again and again, as the days went by. */
export const sweepTask: Task<Stores, z.infer<typeof sweepArgs>, number, Sweep> = {
  name: 'backtest-sweep',
  args: sweepArgs,
  async run({ postgres, events }, { from, to, everyNanos, ...rest }, report) {
    return await sweep(
      { ...rest, from: instantOf(from), to: instantOf(to), everyNanos: BigInt(everyNanos) },
      { events, sources: await listSources(postgres), now: nanosOf(new Date()), onProgress: report },
    );
  },
};

export default defineCommand({
  meta: {
    name: 'backtest',
    description:
      'Evaluate flow files on stored history, as of an instant or swept over a span; changes nothing',
  },
  args: {
    ...commonFlags,
    ...jsonFlag,
    flows: { type: 'string', required: true, description: 'folder of flow files and companies.yaml' },
    'as-of': {
      type: 'string',
      description: 'instant, 2018-06-01T00:00:00Z; a date means its midnight in UTC; this or --from and --to',
    },
    from: { type: 'string', description: 'first instant of a span that is judged day by day' },
    to: { type: 'string', description: 'last instant of the span' },
    every: { type: 'string', default: '1d', description: 'elapsed time between two judgements of a span' },
    against: { type: 'string', description: 'folder of other flow files, to be compared over the same span' },
    source: { type: 'string', description: 'only the events of this source, and only its completeness' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      if (args.from !== undefined || args.to !== undefined) return await swept(args);
      if (args['as-of'] === undefined)
        throw new ClosewatchError('config.invalid', 'say --as-of, or --from and --to');
      const asOf = formatInstant(instantOf(args['as-of']));
      const { flows, ...known } = await catalogueOf(configOf(args), args.flows);
      const companies = [...known.companies];
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

interface SpanArgs {
  readonly flows: string;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly every: string;
  readonly against?: string | undefined;
  readonly source?: string | undefined;
  readonly json?: boolean | undefined;
  readonly 'data-dir'?: string | undefined;
}

async function swept(args: SpanArgs): Promise<number> {
  if (args.from === undefined || args.to === undefined)
    throw new ClosewatchError('config.invalid', 'a span needs both --from and --to');
  const every = parseDuration(args.every);
  if (every?.clock !== 'elapsed' || every.nanos <= 0n)
    throw new ClosewatchError('config.invalid', '--every must be elapsed time, such as 6h or 1d');
  const [from, to] = [instantOf(args.from), instantOf(args.to)];
  if (from > to) throw new ClosewatchError('config.invalid', '--from must lie before --to');
  if ((to - from) / every.nanos > BigInt(MOST_JUDGEMENTS))
    throw new ClosewatchError(
      'config.invalid',
      `a span may have ${MOST_JUDGEMENTS} judgements: --every is too short`,
    );
  const span = {
    from: formatInstant(from),
    to: formatInstant(to),
    everyNanos: `${every.nanos}`,
    source: args.source,
  };
  const sweepOf = async (folder: string): Promise<Sweep> => {
    const { flows, companies } = await catalogueOf(configOf(args), folder);
    const given = { flows: flows.map(({ file, ...rest }) => rest), companies: [...companies], ...span };
    return await runTask(sweepTask, given, configOf(args));
  };
  const first = await sweepOf(args.flows);
  if (args.against === undefined) {
    process.stdout.write(args.json ? `${JSON.stringify(first)}\n` : sweepTable(first));
    return EXIT.ok;
  }
  const second = await sweepOf(args.against);
  const comparison = compareSweeps(first, second);
  process.stdout.write(
    args.json
      ? `${JSON.stringify({ first, second, comparison })}\n`
      : comparisonTable(comparison, args.flows, args.against),
  );
  return EXIT.ok;
}

function sweepTable({ from, to, judgements, rules, raised }: Sweep): string {
  const width = Math.max(4, ...rules.map(({ id }) => id.length));
  const cells = (values: readonly (string | number)[]): string =>
    values.map((value) => String(value).padStart(13)).join('');
  const shown = raised.slice(0, EXCEPTIONS_SHOWN).map((one) => {
    const money = one.amount === null ? '' : ` ${one.amount} ${one.currency ?? ''}`;
    return `${one.rule} ${one.company} ${one.subject}${money.trimEnd()}: raised ${one.raisedAt}, ${one.endedAt === null ? 'open' : `ended ${one.endedAt}`}\n`;
  });
  const rest = raised.length - shown.length;
  return [
    `${from} to ${to}, ${judgements} judgements\n`,
    `${'rule'.padEnd(width)}${cells(['raised', 'open', 'median days', 'alerts a day'])}\n`,
    ...rules.map(
      (rule) =>
        `${rule.id.padEnd(width)}${cells([rule.raised, rule.open, rule.medianDays ?? '–', rule.alertsADay])}\n`,
    ),
    '\n',
    ...shown,
    rest > 0 ? `… and ${rest} more: --json has them all\n` : '',
  ].join('');
}

function comparisonTable(
  { rules, onlyFirst, onlySecond }: Comparison,
  first: string,
  second: string,
): string {
  const width = Math.max(4, ...rules.map(({ id }) => id.length));
  const list = (where: string, some: Comparison['onlyFirst']): string =>
    some
      .slice(0, EXCEPTIONS_SHOWN)
      .map((one) => `only ${where}: ${one.rule} ${one.company} ${one.subject}, raised ${one.raisedAt}\n`)
      .join('');
  return [
    `${'rule'.padEnd(width)}      both  only ${first}  only ${second}\n`,
    ...rules.map(
      ({ id, both, onlyFirst: a, onlySecond: b }) =>
        `${id.padEnd(width)}${String(both).padStart(10)}${String(a).padStart(7 + first.length)}${String(b).padStart(7 + second.length)}\n`,
    ),
    '\n',
    list(first, onlyFirst),
    list(second, onlySecond),
  ].join('');
}

/** The instant of a flag, epoch nanoseconds; a date means its midnight in UTC. Throws `config.invalid`. */
export function instantOf(text: string): bigint {
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
