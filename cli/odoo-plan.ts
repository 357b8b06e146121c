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

/** What came of connecting. */
export interface Connected {
  readonly source: string;
  readonly version: string;
  readonly protocol: string;
  readonly history: string;
  readonly reader: string | null;
  readonly hooks: boolean;
  readonly companies: readonly { readonly id: number; readonly key: string }[];
  readonly missing: readonly { readonly right: string; readonly consequence: string }[];
  readonly webhookTest: 'received' | 'not-received' | 'not-tested';
}

const HISTORY: Readonly<Record<string, string>> = {
  tracking: 'every change that Odoo tracks, with who and when',
  'audit-log': 'changes of journal entries from the audit log; all else is inferred from readings',
  difference: 'nothing of the past: changes are inferred from readings, by who wrote last',
};

/** What a person reads when an Odoo is connected. */
export function connectedText(connected: Connected): string {
  const { source, version, protocol, history, reader, hooks, companies, missing, webhookTest } = connected;
  const tested = {
    received: 'a webhook was sent and came',
    'not-received':
      'a webhook was sent and did NOT come: can Odoo reach that address? closewatch odoo doctor',
    'not-tested': 'made, not tried: that takes a running Closewatch, and an entry in Odoo',
  }[webhookTest];
  return [
    '',
    `Connected: ${source} is Odoo ${version}, read as ${reader} by ${protocol === 'json2' ? '/json/2' : '/jsonrpc'}.`,
    `  history    ${HISTORY[history] ?? history}`,
    `  webhooks   ${hooks ? tested : 'none: changes are found by polling, within half a minute'}`,
    `  companies  ${companies.map(({ id, key }) => `${id} is ${key}`).join(', ')}`,
    ...missing.map(({ right, consequence }) => `  missing    ${right}: ${consequence}`),
    '',
    'closewatch odoo doctor says how it goes.',
  ].join('\n');
}
