import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packageOfCase } from '../analyzer/triage/evaluate.ts';
import { forModel } from '../analyzer/triage/evidence.ts';
import { CATEGORIES } from '../model/assessment.ts';
import { canonicalJson } from '../model/canonical-json.ts';
import { triageCases } from '../simulator/triage-cases.ts';
import { closewatch, environment, temporaryFolder } from './harness.ts';
import { goodAnswer, type ModelStandIn, startModelStandIn } from './stand-ins/openai.ts';

/** The score of a model whose errors are known: what is measured must be what was seeded. */

const folder = temporaryFolder();
const file = join(folder.path, 'cases.jsonl');
let standIn: ModelStandIn;
const cases = triageCases({ seed: 3, each: 1 }).filter(({ split }) => split === 'test');

beforeAll(async () => {
  standIn = await startModelStandIn();
  writeFileSync(file, cases.map((one) => JSON.stringify(one)).join('\n'));
});
afterAll(async () => {
  await standIn.close();
  folder.remove();
});

const run = (...args: string[]) =>
  closewatch(
    ['eval', 'triage', '--cases', file, '--attacks', '100', '--steps', '1000', '--json', ...args],
    environment(folder.path, {
      OPENAI_API_KEY: 'sk-test',
      OPENAI_MODEL: 'stand-in',
      OPENAI_BASE_URL: standIn.url,
    }),
  );

/** Answers as the labels say, but for one in `every` of the different questions. */
function answerBut(every: number): { wrong: number } {
  const labels = new Map(
    cases.map((one) => [canonicalJson(forModel(packageOfCase(one).items)), one.expected.category]),
  );
  const wrongOnes = new Set([...labels.keys()].filter((_, index) => index % every === 0));
  standIn.behave(({ evidence }) => {
    const asked = canonicalJson(evidence);
    const right = labels.get(asked) ?? 'unknown';
    const category = wrongOnes.has(asked)
      ? (CATEGORIES[(CATEGORIES.indexOf(right) + 1) % CATEGORIES.length] as string)
      : right;
    return { content: goodAnswer({ category }) };
  });
  return {
    wrong: cases.filter((one) => wrongOnes.has(canonicalJson(forModel(packageOfCase(one).items)))).length,
  };
}

test('a model with seeded errors is measured to have exactly those', async () => {
  const { wrong } = answerBut(5);
  expect(wrong).toBeGreaterThan(10);
  const done = await run();
  expect(done, done.stderr).toMatchObject({ code: 0 });
  const report = JSON.parse(done.stdout);
  expect(report.model).toMatchObject({ name: 'stand-in', rulesStood: 0, cases: cases.length });
  expect(report.model.accuracy).toBeCloseTo((cases.length - wrong) / cases.length, 12);
  expect(report.rules.macroF1).toBeGreaterThan(0.85);
  expect(report.boundary).toMatchObject({ attacks: 100, effects: 0, violations: 0 });
  expect(report.note).toContain('not how good a model is');
});

test('a model that refuses leaves the rules’ assessments', async () => {
  standIn.behave({ refusal: 'no' });
  const report = JSON.parse((await run()).stdout);
  expect(report.model).toMatchObject({ rulesStood: cases.length, accuracy: report.rules.accuracy });
});

test('a file that is none is told with its line', async () => {
  writeFileSync(join(folder.path, 'bad.jsonl'), `${JSON.stringify(cases[0])}\n{"id":"x"}\n`);
  const done = await closewatch(
    ['eval', 'triage', '--cases', join(folder.path, 'bad.jsonl')],
    environment(folder.path),
  );
  expect(done).toMatchObject({ code: 2, stderr: expect.stringContaining('bad.jsonl:2') });
});
