import type { ConnectPlan } from '../collector/odoo/provision.ts';

/** What a person reads before anything is made in an Odoo. */
export function planText(
  plan: ConnectPlan,
  given: {
    readonly url: string;
    readonly source: string;
    readonly login: string;
    readonly hooksUrl: string | undefined;
    readonly why: string | undefined;
    readonly reader: string | undefined;
    readonly keyOf: (id: number) => { readonly key: string; readonly isNamed: boolean };
  },
): string {
  const { url, source, login, hooksUrl, why, reader, keyOf } = given;
  const absent = plan.reports.filter(({ state }) => state === 'absent');
  const missing = plan.reports.filter(({ missing: fields }) => fields.length > 0);
  const unnamed = plan.companies.filter(({ id }) => !keyOf(id).isNamed);
  const noHooks = plan.withoutHooks ?? why ?? '--no-hooks';
  const lines = [
    `Odoo ${plan.version} at ${url}, signed in as ${login}. It will be ${source}.`,
    '',
    'This is made in it:',
    '  a group "Closewatch reader"',
    `  the right to read, and a rule for it, on ${plan.access.length} models:`,
    ...wrapped(plan.access.join(', '), '    '),
    reader === undefined
      ? '  a user closewatch-reader with this group, in all companies'
      : `  this group for the user ${reader}`,
    ...(plan.hooks.length > 0
      ? [
          `  ${plan.hooks.length} automation rules that tell ${hooksUrl}${source}/… of`,
          ...plan.hooks.map(({ model, name }) => `    ${name} (${model})`),
        ]
      : [`  no automation rules: ${noHooks}`]),
    '',
    'Nothing else is changed; closewatch odoo disconnect takes all of it away.',
    ...(absent.length > 0
      ? [
          '',
          'Not there, so that rules that need it do not apply:',
          ...absent.map(({ model, module }) => `  ${model}${module ? ` (module ${module})` : ''}`),
        ]
      : []),
    ...missing.map(({ model, missing: fields }) => `  ${model} has no ${fields.join(', ')}`),
    '',
    'Companies:',
    ...plan.companies.map(({ id, name }) => `  ${id}  ${name}  is ${keyOf(id).key}`),
    ...(unnamed.length > 0
      ? [
          'Those that companies.yaml does not name get every default: name them with their time zone and calendar, such as',
          `  - { key: ${keyOf(unnamed[0]?.id ?? 1).key}, odoo: { source: ${source}, id: ${unnamed[0]?.id} }, timezone: Europe/Brussels }`,
        ]
      : []),
  ];
  return lines.join('\n');
}

const WIDTH = 100;

function wrapped(text: string, indent: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > WIDTH) {
      lines.push(`${indent}${line}`);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, `${indent}${line}`];
}
