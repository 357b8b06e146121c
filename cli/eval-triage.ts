import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { type BoundaryFigures, tryAttacks } from '../analyzer/triage/boundary.ts';
import {
  type Answered,
  assessCase,
  packageOfCase,
  scoreTriage,
  type TriageFigures,
} from '../analyzer/triage/evaluate.ts';
import { createModel } from '../analyzer/triage/model.ts';
import { evidenceMessage, loadPrompt } from '../analyzer/triage/prompt.ts';
import { tripwire } from '../analyzer/triage/tripwire.ts';
import { readAnswer, validateAnswer } from '../analyzer/triage/validate.ts';
import { ClosewatchError } from '../model/errors.ts';
import { type TriageCase, triageCase } from '../model/triage-case.ts';
import { attacksOf } from '../simulator/attacks.ts';
import { walkDecisions } from '../simulator/decisions.ts';
import { triageCases } from '../simulator/triage-cases.ts';
import { correctedCases } from '../store/postgres/corrections.ts';
import type { Config } from './config.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { printable } from './printable.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

const MAX_LINE = 4_000_000;
const MAX_CASES = 100_000;

/** The cases of a file, one JSON object a line. Throws `config.invalid` naming file and line of what is none. */
async function readCases(file: string): Promise<TriageCase[]> {
  const cases: TriageCase[] = [];
  let number = 0;
  for await (const line of createInterface({
    input: createReadStream(file),
    crlfDelay: Number.POSITIVE_INFINITY,
  })) {
    number += 1;
    if (!line.trim()) continue;
    const wrong = (why: string) => new ClosewatchError('config.invalid', `${file}:${number}: ${why}`);
    if (line.length > MAX_LINE) throw wrong('the line is too long');
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch {
      throw wrong('it is no JSON');
    }
    const read = triageCase.safeParse(json);
    if (!read.success) throw wrong(z.prettifyError(read.error));
    cases.push(read.data);
    if (cases.length > MAX_CASES) throw wrong(`there are more than ${MAX_CASES} cases`);
  }
  if (cases.length === 0) throw new ClosewatchError('config.invalid', `${file} has no case`);
  return cases;
}

/** What people corrected, as cases. */
export const correctedCasesTask: Task<Stores, Record<never, never>, never, TriageCase[]> = {
  name: 'triage-corrections',
  args: z.strictObject({}),
  run: ({ postgres }) => correctedCases(postgres),
};

/** What a model makes of the cases, and how often the rules' assessment stood instead. */
async function byModel(
  cases: readonly TriageCase[],
  config: NonNullable<Config['model']>,
): Promise<{ answered: Answered[]; stood: number }> {
  const model = createModel(config);
  const prompt = loadPrompt();
  let stood = 0;
  const answered: Answered[] = [];
  for (const given of cases) {
    const evidence = packageOfCase(given);
    const rules = assessCase(given, evidence);
    const messages = {
      system: prompt.text,
      user: evidenceMessage(evidence.items),
      settings: prompt.settings,
    };
    const isTripped = tripwire(`${messages.system}\n${messages.user}`).length > 0;
    const reply = isTripped ? undefined : await model.ask(messages);
    const loose = reply?.ok ? readAnswer(reply.json) : undefined;
    const answer = loose && validateAnswer(loose, evidence.items, rules).answer;
    if (!answer) stood += 1;
    answered.push({ given, evidence, answer: answer ?? rules });
  }
  return { answered, stood };
}

interface TriageReport {
  readonly cases: number;
  readonly rules: TriageFigures;
  readonly model?: TriageFigures & { readonly name: string; readonly rulesStood: number };
  readonly boundary: BoundaryFigures & { readonly policySteps: number; readonly violations: number };
  readonly note: string;
}

const NOTE =
  'Made offline: the figures show how the rules fare on these wordings and that the boundary holds, not how good a model is.';

const whole = (flag: string, text: string, most: number): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) > most)
    throw new ClosewatchError('config.invalid', `--${flag} must be a whole number up to ${most}`);
  return Number(text);
};

export default defineCommand({
  meta: {
    name: 'triage',
    description:
      'Score the assessment of labelled incidents, by the rules and by the model when one is configured, and attack its boundary',
  },
  args: {
    ...commonFlags,
    ...jsonFlag,
    seed: {
      type: 'string',
      default: '1',
      description: 'number that decides the simulated cases and attacks',
    },
    cases: {
      type: 'string',
      description: 'file of labelled cases, one JSON object a line, instead of simulated ones',
    },
    corrections: {
      type: 'boolean',
      description: 'the assessments that people corrected, instead of simulated cases',
    },
    split: { type: 'string', default: 'test', description: 'which cases count: test, train or all' },
    attacks: {
      type: 'string',
      default: '1000',
      description: 'how many hostile incidents and answers are tried',
    },
    steps: {
      type: 'string',
      default: '100000',
      description: 'how many random decisions by people, services and models are tried on the policy',
    },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const { split } = args;
      if (!['test', 'train', 'all'].includes(split))
        throw new ClosewatchError('config.invalid', '--split must be test, train or all');
      const seed = whole('seed', args.seed, 999_999_999);
      if (args.cases && args.corrections)
        throw new ClosewatchError('config.invalid', '--cases or --corrections: not both');
      const all = args.cases
        ? await readCases(args.cases)
        : args.corrections
          ? await runTask(correctedCasesTask, {}, configOf(args))
          : triageCases({ seed, each: 3 });
      const cases = all.filter((one) => split === 'all' || one.split === split);
      if (cases.length === 0) throw new ClosewatchError('config.invalid', `no case is in the split ${split}`);
      const config = configOf(args);
      const ruled = cases.map((given) => {
        const evidence = packageOfCase(given);
        return { given, evidence, answer: assessCase(given, evidence) };
      });
      const asked = config.model ? await byModel(cases, config.model) : undefined;
      const walk = walkDecisions({ seed, steps: whole('steps', args.steps, 100_000_000), most: 100 });
      const report: TriageReport = {
        cases: cases.length,
        rules: scoreTriage(ruled),
        ...(asked && config.model
          ? { model: { ...scoreTriage(asked.answered), name: config.model.model, rulesStood: asked.stood } }
          : {}),
        boundary: {
          ...tryAttacks(attacksOf({ seed, count: whole('attacks', args.attacks, 1_000_000) })),
          policySteps: walk.steps,
          violations: walk.violations.length,
        },
        note: NOTE,
      };
      process.stdout.write(args.json ? `${JSON.stringify(report)}\n` : printable(printed(report)));
      return report.boundary.effects + report.boundary.violations > 0 ? EXIT.findings : EXIT.ok;
    }),
});

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;

function printed({ rules, model, boundary, note }: TriageReport): string {
  const head = (name: string, one: TriageFigures): string =>
    `${name}: macro-F1 ${one.macroF1.toFixed(3)} on ${one.cases} cases; category ${percent(one.accuracy)}, cause ${percent(one.causes)}, first action ${percent(one.actions)}, grounded claims ${percent(one.grounding)}\n`;
  const classes = Object.entries(rules.classes)
    .sort(([, a], [, b]) => (a?.f1 ?? 0) - (b?.f1 ?? 0))
    .map(
      ([name, one]) =>
        `  ${name.padEnd(18)} F1 ${one?.f1.toFixed(2)}  precision ${one?.precision.toFixed(2)}  recall ${one?.recall.toFixed(2)}  ${one?.support} cases\n`,
    );
  const wrong = rules.wrong
    .slice(0, 10)
    .map(({ id, expected, said }) => `  ${id}: ${said}, not ${expected}\n`);
  return [
    head('rules', rules),
    ...classes,
    ...wrong,
    model
      ? `${head(`model ${model.name}`, model)}  the rules' assessment stood ${model.rulesStood} times\n`
      : '',
    `boundary: ${boundary.attacks} attacks, ${boundary.effects} with an effect; a model that obeys everything changed the category ${boundary.flips} times; ${boundary.policySteps} decisions, ${boundary.violations} violations\n`,
    ...boundary.found.slice(0, 10).map((one) => `  ${one}\n`),
    `${note}\n`,
  ].join('');
}
