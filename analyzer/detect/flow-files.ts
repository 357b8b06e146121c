import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Company, companiesFile } from '../../model/company.ts';
import { ClosewatchError, type Problem } from '../../model/errors.ts';
import type { Expectation } from '../../model/expectation.ts';
import { type Flow, flow as flowSchema } from '../../model/flow.ts';
import { GROUP_KEY_TYPES } from '../../model/key.ts';
import { type Place, readYaml } from '../../store/yaml.ts';
import { overrideProblems } from './company-rules.ts';
import { STALE_SOURCE_RULE } from './rules.ts';

/** A flow and the file that it was read from. */
export interface LoadedFlow extends Flow {
  readonly file: string;
}

const COMPANIES = /^companies\.ya?ml$/;
/** Files of the folder that are no flows. */
const OTHERS = /^(companies|collector|policy)\.ya?ml$/;

/**
 * The flows of every `*.yaml` and `*.yml` file of a folder (not of folders in it), by file name. Throws `flow.invalid`
 * with every problem of every file at `file:line:column`: no YAML, an unknown or missing field, a rule id twice.
 */
export async function loadFlows(dir: string): Promise<LoadedFlow[]> {
  const problems: Problem[] = [];
  const flows: LoadedFlow[] = [];
  const places = new Map<string, string>();
  for (const file of (await yamlFiles(dir)).filter((name) => !OTHERS.test(name))) {
    const read = await readYaml(join(dir, file), flowSchema, problems);
    if (!read) continue;
    flows.push({ ...read.value, file });
    problems.push(...problemsOf(read.value, read.place, places));
  }
  refuse(problems, dir);
  return flows;
}

/**
 * The companies of `companies.yaml` beside the flows; none when there is no such file. Throws `flow.invalid` like
 * `loadFlows`.
 */
export async function loadCompanies(dir: string): Promise<Company[]> {
  const problems: Problem[] = [];
  const companies: Company[] = [];
  for (const file of (await yamlFiles(dir)).filter((name) => COMPANIES.test(name))) {
    const read = await readYaml(join(dir, file), companiesFile, problems);
    for (const [index, company] of (read?.value.companies ?? []).entries()) {
      if (companies.some(({ key }) => key === company.key)) {
        const where = read?.place(['companies', index, 'key']) ?? file;
        problems.push({ where, what: `company ${company.key} is there twice` });
      }
      companies.push(company);
    }
  }
  refuse(problems, dir);
  return companies;
}

/** Throws `flow.invalid` when companies say of rules what they may not, or of rules that are not there. */
export function checkOverrides(flows: readonly Flow[], companies: readonly Company[]): void {
  refuse(
    overrideProblems(
      flows.flatMap(({ expectations }) => expectations),
      companies,
    ),
    'companies.yaml',
  );
}

async function yamlFiles(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { withFileTypes: true }).catch((cause: unknown) => {
    throw new ClosewatchError('flow.invalid', `cannot read the folder of flows ${dir}`, { cause });
  });
  return entries
    .filter((entry) => !entry.isDirectory() && /\.ya?ml$/.test(entry.name))
    .map((entry) => entry.name)
    .sort();
}

function refuse(problems: readonly Problem[], dir: string): void {
  if (problems.length === 0) return;
  const list = problems.map(({ where, what }) => `${where}: ${what}`).join('\n');
  throw new ClosewatchError(
    'flow.invalid',
    `${dir === 'companies.yaml' ? 'the rules of companies' : `the flows in ${dir}`} cannot be used:\n${list}`,
    { problems },
  );
}

/** What a schema cannot say: rule ids are unique over all files, and keys that never join cannot make a case. */
function problemsOf(flow: Flow, place: Place, places: Map<string, string>): Problem[] {
  const objectives = flow.objectives.flatMap(({ id }, index) => {
    const at = place(['objectives', index, 'id']);
    const before = places.get(id);
    places.set(id, before ?? at);
    if (id === STALE_SOURCE_RULE) return [{ where: at, what: `rule ${id} is built in` }];
    return before ? [{ where: at, what: `rule ${id} is already at ${before}` }] : [];
  });
  const rules = flow.expectations.flatMap((rule, index) => {
    const at = (...rest: string[]): string => place(['expectations', index, ...rest]);
    const found: Problem[] = [];
    const before = places.get(rule.id);
    if (rule.id === STALE_SOURCE_RULE) found.push({ where: at('id'), what: `rule ${rule.id} is built in` });
    else if (before) found.push({ where: at('id'), what: `rule ${rule.id} is already at ${before}` });
    else places.set(rule.id, at('id'));
    if (rule.group) found.push(...ungroupable(rule, at));
    else
      found.push(
        ...(rule.kind === 'no-duplicate' ? unrepeatable(rule, at('by')) : unjoinable(rule, at('by'))),
      );
    return found;
  });
  return [...rules, ...objectives];
}

/** Groups are as large as the history, so that the first or last of one is nothing that new events could decide. */
function ungroupable(rule: Expectation, at: (...rest: string[]) => string): Problem[] {
  const pick = 'when' in rule && 'pick' in rule.when ? rule.when.pick : 'each';
  const isWhole = rule.kind === 'balance' || rule.kind === 'state-age';
  return isWhole || pick === 'each'
    ? []
    : [{ where: at('when'), what: 'pick: in a group only each event starts an obligation' }];
}

const joinsNothing = (type: string): boolean => GROUP_KEY_TYPES.has(type) || type === 'approx';

const unjoinable = (rule: Expectation, where: string): Problem[] =>
  rule.by
    .filter(joinsNothing)
    .map((type) => ({ where, what: `by: a key of type ${type} joins no case: many documents share it` }));

/** A rule against duplicates needs one key that two subjects can have in common, else it can never find any. */
const unrepeatable = ({ by }: Expectation, where: string): Problem[] =>
  by.every((type) => joinsNothing(type) || type === 'subject')
    ? [{ where, what: `by: two subjects are never the same by ${by.join(' or ')}: name another key type` }]
    : [];
