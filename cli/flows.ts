import { defineCommand } from 'citty';
import { stringify } from 'yaml';
import type { Discovered } from '../analyzer/backtest/discover.ts';
import type { Learned } from '../analyzer/backtest/learn.ts';
import { ruleTable } from '../analyzer/detect/rule-table.ts';
import { ClosewatchError } from '../model/errors.ts';
import { formatInstant, nanosOf } from '../model/time.ts';
import { instantOf } from './backtest.ts';
import { catalogueOf } from './catalogue.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { discoverTask, learnTask, type Predictions, predictTask } from './flow-history.ts';
import { flowStatusTask, type RuleStatus } from './flow-status.ts';
import { createBar } from './progress.ts';
import { runTask } from './run-task.ts';

const flowsFlag = {
  flows: {
    type: 'string',
    description: 'folder of flow files and companies.yaml; left out: those that are watched',
  },
} as const;
const historyFlags = {
  ...commonFlags,
  ...jsonFlag,
  'as-of': { type: 'string', description: 'instant up to which the history counts; left out: now' },
  source: { type: 'string', description: 'only the events of this source' },
} as const;

const say = (text: string): void => void process.stdout.write(text);

async function questionOf(args: {
  flows?: string | undefined;
  'as-of'?: string | undefined;
  source?: string | undefined;
  'data-dir'?: string | undefined;
}) {
  const { flows, companies } = await catalogueOf(configOf(args), args.flows);
  return {
    flows: flows.map(({ file, ...rest }) => rest),
    companies: [...companies],
    asOf: formatInstant(args['as-of'] ? instantOf(args['as-of']) : nanosOf(new Date())),
    source: args.source,
  };
}

/** Progress while the history is read. */
function reading() {
  const bar = createBar('reading events: {value}');
  bar?.start(0, 0);
  return { update: (events: number): void => bar?.update(events), stop: (): void => bar?.stop() };
}

const status = defineCommand({
  meta: {
    name: 'status',
    description:
      'Say of every rule and company whether it is active, not applicable and why, or only observes',
  },
  args: { ...commonFlags, ...jsonFlag, company: { type: 'string', description: 'only this company' } },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const all = await runTask(flowStatusTask, {}, configOf(args));
      const rules = all.filter(({ company }) => !args.company || company === args.company);
      say(args.json ? `${JSON.stringify(rules)}\n` : statusText(rules));
      return EXIT.ok;
    }),
});

function statusText(rules: readonly RuleStatus[]): string {
  if (rules.length === 0) return 'No company is catalogued, and none has sent anything yet.\n';
  const lines = [...Map.groupBy(rules, ({ company }) => company)].flatMap(([company, some]) => {
    const count = (wanted: RuleStatus['status']): number =>
      some.filter((one) => one.status === wanted).length;
    return [
      `${company}: ${count('active')} active, ${count('observe-only')} observe-only, ${count('not applicable')} not applicable, ${count('off')} off`,
      ...some.map((one) => `  ${one.rule.padEnd(8)} ${one.status.padEnd(15)} ${one.why}`),
      '',
    ];
  });
  return `${lines.join('\n')}`;
}

const list = defineCommand({
  meta: {
    name: 'list',
    description: 'Print the table of all rules: kind, the facts that each needs, severity',
  },
  args: { ...commonFlags, ...jsonFlag, ...flowsFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const { flows } = await catalogueOf(configOf(args), args.flows);
      say(args.json ? `${JSON.stringify(flows)}\n` : ruleTable(flows));
      return EXIT.ok;
    }),
});

const learn = defineCommand({
  meta: {
    name: 'learn',
    description:
      'Propose deadlines from the history: p50, p95, p99 of each rule and company, and the alerts that they would make',
  },
  args: { ...historyFlags, ...flowsFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const bar = reading();
      const learned = await runTask(learnTask, await questionOf(args), configOf(args), bar.update).finally(
        bar.stop,
      );
      say(args.json ? `${JSON.stringify(learned)}\n` : learnedText(learned));
      return EXIT.ok;
    }),
});

function learnedText(learned: readonly Learned[]): string {
  if (learned.length === 0) return 'No rule has thirty answers yet: there is nothing to learn from.\n';
  const head = `# ${'rule'.padEnd(9)}${'company'.padEnd(14)}${['now', 'p50', 'p95', 'p99', 'proposed'].map((word) => word.padStart(10)).join('')}   alerts a day: now, proposed (of n)\n`;
  const lines = learned.map(
    (one) =>
      `# ${one.rule.padEnd(9)}${one.company.padEnd(14)}${[one.within, one.p50, one.p95, one.p99, one.proposed].map((word) => word.padStart(10)).join('')}   ${one.alertsADayNow}, ${one.alertsADay} (${one.answered} of ${one.due} answered)\n`,
  );
  const companies = [
    ...Map.groupBy(
      learned.filter(({ within, proposed }) => within !== proposed),
      ({ company }) => company,
    ),
  ].map(([key, some]) => ({
    key,
    rules: Object.fromEntries(some.map(({ rule, proposed }) => [rule, { within: proposed }])),
  }));
  const proposal =
    companies.length > 0
      ? `# To accept them, put this into companies.yaml:\n${stringify({ companies })}`
      : '';
  return `${head}${lines.join('')}${proposal}`;
}

const discover = defineCommand({
  meta: {
    name: 'discover',
    description: 'Find follow-ups that nearly always come, and print them as a flow file to review',
  },
  args: {
    ...historyFlags,
    by: {
      type: 'string',
      default: 'subject',
      description: 'key types that join events into cases, with commas',
    },
    support: { type: 'string', default: '50', description: 'cases that a follow-up must be seen in' },
    confidence: { type: 'string', default: '0.95', description: 'share of these in which it came' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const [support, confidence] = [Number(args.support), Number(args.confidence)];
      if (!Number.isInteger(support) || support < 2 || !(confidence >= 0.5 && confidence <= 1))
        throw new ClosewatchError(
          'config.invalid',
          '--support must be a whole number from 2, --confidence a share from 0.5 to 1',
        );
      const asOf = formatInstant(args['as-of'] ? instantOf(args['as-of']) : nanosOf(new Date()));
      const bar = reading();
      const question = {
        asOf,
        source: args.source,
        by: args.by.split(',').map((type) => type.trim()),
        support,
        confidence,
      };
      const found = await runTask(discoverTask, question, configOf(args), bar.update).finally(bar.stop);
      say(args.json ? `${JSON.stringify(found)}\n` : discoveredText(found, question.by));
      return EXIT.ok;
    }),
});

function discoveredText(found: readonly Discovered[], by: readonly string[]): string {
  const file = {
    flow: 'discovered',
    name: 'Follow-ups that nearly always came, to be reviewed',
    owner: 'to be named',
    expectations: found.map(({ after, comes, support, confidence, days, within }, index) => ({
      id: `DISCOVERED-${index + 1}`,
      kind: 'response',
      name: `${comes} followed ${after} in ${(confidence * 100).toFixed(1)} % of ${support} cases (days: p50 ${days.p50}, p95 ${days.p95}, p99 ${days.p99})`.slice(
        0,
        200,
      ),
      by,
      when: { types: [after] },
      expect: { types: [comes] },
      within,
      observe: true,
    })),
  };
  return found.length === 0
    ? '# Nothing nearly always followed anything: lower --support or --confidence\n'
    : stringify(file);
}

const predict = defineCommand({
  meta: {
    name: 'predict',
    description:
      'Say what waits and will probably breach, from how long earlier ones took; and how well that told breaches before',
  },
  args: {
    ...historyFlags,
    ...flowsFlag,
    risk: { type: 'string', default: '0.5', description: 'risk from which on it is told, 0 to 1' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const risk = Number(args.risk);
      if (!(risk >= 0 && risk <= 1))
        throw new ClosewatchError('config.invalid', '--risk must be a share from 0 to 1');
      const bar = reading();
      const all = await runTask(predictTask, await questionOf(args), configOf(args), bar.update).finally(
        bar.stop,
      );
      const told = { ...all, pending: all.pending.filter((one) => one.risk >= risk) };
      say(args.json ? `${JSON.stringify(told)}\n` : predictedText(told));
      return EXIT.ok;
    }),
});

function predictedText({ pending, measured }: Predictions): string {
  const lines = pending.slice(0, 50).map(({ rule, company, subject, amount, currency, dueAt, risk, n }) => {
    const money = amount === null ? '' : ` ${amount} ${currency ?? ''}`;
    return `${(risk * 100).toFixed(0).padStart(3)} %  ${rule} ${company} ${subject}${money}, due ${dueAt} (of ${n} earlier ones)\n`;
  });
  const rest =
    pending.length > lines.length ? `… and ${pending.length - lines.length} more: --json has them all\n` : '';
  const how = Object.entries(measured)
    .filter(([, { count }]) => count > 0)
    .map(
      ([rule, { count, breaches, auc, brier }]) =>
        `${rule}: ${count} told at half time, ${breaches} breached, AUC ${auc?.toFixed(3) ?? '–'}, Brier ${brier?.toFixed(3) ?? '–'}\n`,
    );
  return `${lines.length === 0 ? 'Nothing that waits is likely to breach.\n' : lines.join('')}${rest}${how.length > 0 ? `\nHow well this told breaches before:\n${how.join('')}` : ''}`;
}

export default defineCommand({
  meta: {
    name: 'flows',
    description: 'The rules: how they stand, what the history says of their deadlines, and which are missing',
  },
  subCommands: { status, list, learn, discover, predict },
});
