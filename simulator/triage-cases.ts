import type { ActionKind } from '../model/action.ts';
import type { Category } from '../model/assessment.ts';
import { type TriageCase, triageCase } from '../model/triage-case.ts';
import { ERROR_TEMPLATES, type ErrorTemplate } from './error-templates.ts';
import { createRandom, type Random } from './random.ts';

/** Actions that a person would agree to, by category. */
const ACTIONS: Readonly<Record<Category, readonly ActionKind[]>> = {
  mapping: ['reprocess-events', 'create-odoo-activity', 'open-ticket'],
  'missing-data': ['redrive-events', 'create-odoo-activity'],
  connection: ['requeue-job', 'open-ticket'],
  'rate-limit': ['requeue-job', 'open-ticket'],
  timeout: ['requeue-job', 'open-ticket'],
  parse: ['redrive-events', 'open-ticket'],
  'schema-change': ['open-ticket', 'redrive-events'],
  duplicate: ['create-odoo-activity', 'investigate'],
  'locked-period': ['mark-for-accrual', 'create-odoo-activity'],
  approval: ['nudge-approver', 'create-odoo-activity'],
  'late-batch': ['redrive-events', 'open-ticket'],
  'amount-mismatch': ['create-odoo-activity', 'investigate'],
  'wrong-entity': ['redrive-events', 'create-odoo-activity'],
  'master-data': ['reprocess-events', 'create-odoo-activity'],
  credentials: ['open-ticket'],
  access: ['open-ticket'],
  'bank-rejection': ['create-odoo-activity', 'investigate'],
  'tax-engine': ['requeue-job', 'open-ticket'],
  sequence: ['investigate', 'create-odoo-activity'],
  'control-breach': ['investigate', 'create-odoo-activity'],
  'feed-stale': ['open-ticket'],
  capacity: ['open-ticket', 'requeue-job'],
  unknown: ['investigate', 'open-ticket'],
};

type Draft = Omit<TriageCase, 'id' | 'split' | 'template' | 'expected'>;
type Shape = (random: Random) => Partial<Draft>;

const late = (
  rule: string,
  kind = 'response',
  more: Partial<Draft['exceptions'][number]> = {},
): Draft['exceptions'] => [
  { rule, kind, state: 'open', source: '/odoo/prod', subject: 'account.move/1', ...more },
];
const event = (type: string, source = '/odoo/prod'): Draft['events'][number] => ({
  type,
  source,
  subject: 'account.move/1',
  attributes: {},
});

/** Incidents that no error tells of: what they are shows in their rules, causes and events. */
const SHAPES: Readonly<Partial<Record<Category, readonly Shape[]>>> = {
  'feed-stale': [
    () => ({
      incident: { cause: 'stale-source', title: 'A source is behind', severity: 'high' },
      exceptions: late('DC-02', 'watermark'),
    }),
    () => ({ exceptions: late('MP-02', 'response', { state: 'indeterminate' }) }),
    () => ({ incident: { cause: 'stale-source', title: 'No heartbeat', severity: 'medium' } }),
    () => ({ exceptions: late('PY-01', 'response', { state: 'indeterminate', source: '/bank' }) }),
  ],
  duplicate: [
    () => ({ exceptions: late('CT-01', 'no-duplicate') }),
    () => ({ exceptions: late('CT-01N', 'no-duplicate', { source: '/ocr' }) }),
    () => ({ exceptions: late('PY-05', 'no-duplicate') }),
    () => ({ exceptions: late('ours-twice', 'no-duplicate') }),
  ],
  approval: [
    () => ({ exceptions: late('SA-01', 'state-age') }),
    () => ({ exceptions: late('bill-never-approved', 'response') }),
    () => ({ exceptions: late('review-overdue', 'state-age'), events: [event('expense.submitted')] }),
    () => ({ exceptions: late('waits', 'state-age'), events: [event('approval.requested')] }),
    () => ({ exceptions: late('po-sign-off', 'response') }),
    () => ({ exceptions: late('SA-04', 'response'), events: [event('order.submitted')] }),
  ],
  'late-batch': [
    () => ({
      incident: { cause: 'batch', title: 'Documents of one batch', severity: 'medium' },
      exceptions: late('DC-03'),
    }),
    () => ({
      incident: { cause: 'batch', title: 'A nightly batch', severity: 'high' },
      exceptions: late('MP-05'),
    }),
    () => ({
      incident: { cause: 'batch', title: 'A payroll batch', severity: 'high' },
      exceptions: late('PR-02'),
    }),
    () => ({
      incident: { cause: 'batch', title: 'Settlement file', severity: 'medium' },
      exceptions: late('ST-01'),
    }),
  ],
  'amount-mismatch': [
    () => ({ exceptions: late('IC-02', 'equal-value') }),
    () => ({ exceptions: late('CB-01', 'balance') }),
    () => ({ exceptions: late('amounts-differ', 'equal-value', { source: '/shop' }) }),
    () => ({ exceptions: late('GL-04', 'balance') }),
  ],
  'control-breach': [
    () => ({ exceptions: late('CT-02', 'distinct-actors') }),
    () => ({ exceptions: late('CT-05', 'precedence') }),
    () => ({ exceptions: late('bank-change-by-payer', 'distinct-actors') }),
    () => ({ exceptions: late('paid-before-approval', 'precedence') }),
  ],
  'bank-rejection': [
    () => ({ exceptions: late('PY-02'), events: [event('payment.rejected', '/bank')] }),
    () => ({ exceptions: late('PY-03'), events: [event('payment.returned', '/bank')] }),
    () => ({ exceptions: late('PY-02'), events: [event('mandate.rejected', '/bank')] }),
    () => ({ exceptions: late('PY-06'), events: [event('paymentfile.failed', '/bank')] }),
  ],
  sequence: [
    () => ({ exceptions: late('GL-03', 'sequence') }),
    () => ({ exceptions: late('statement-gap', 'sequence', { source: '/bank' }) }),
  ],
  unknown: [
    () => ({ exceptions: late('MP-02') }),
    () => ({ exceptions: late('AN-07', 'anomaly') }),
    () => ({ exceptions: late('MP-09', 'threshold') }),
    () => ({ exceptions: late('XX-01') }),
  ],
};

const FILLINGS: Readonly<Record<string, (random: Random) => string>> = {
  n: (random) => `${random.int(10, 99_999)}`,
  code: (random) => random.pick(['TX-19', 'CC4711', 'ZZ', 'DE_RED', 'V-0815', 'XPF']),
  name: (random) => random.pick(['Northwind BV', 'acme', 'Globex', 'Maier & Co', 'vendor portal']),
  ip: (random) => `10.${random.int(0, 255)}.${random.int(0, 255)}.${random.int(1, 254)}`,
  country: (random) => random.pick(['DE', 'FR', 'BE', 'US']),
  date: (random) => `2026-0${random.int(1, 9)}-28`,
};

const filled = (text: string, random: Random): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => FILLINGS[name]?.(random) ?? whole);

/**
 * Labelled incidents: of every template `each`, with what differs filled in from the seed. Templates with even numbers are `train`, the
 * others `test`.
 */
export function triageCases({ seed, each = 2 }: { seed: number; each?: number }): TriageCase[] {
  const random = createRandom(seed);
  const cases: TriageCase[] = [];
  const add = (category: Category, index: number, template: string, draft: Partial<Draft>): void => {
    cases.push(
      triageCase.parse({
        id: `${template}#${cases.length + 1}`,
        template,
        split: index % 2 === 0 ? 'train' : 'test',
        expected: { category, actions: [...ACTIONS[category]] },
        incident: {},
        ...draft,
      }),
    );
  };
  for (let round = 0; round < each; round += 1) {
    for (const [category, templates] of Object.entries(ERROR_TEMPLATES) as [
      Category,
      readonly ErrorTemplate[],
    ][])
      for (const [index, template] of templates.entries())
        add(category, index, `${category}-error-${index}`, {
          incident: { cause: 'interface-error', title: 'Documents are not posted', severity: 'medium' },
          exceptions: late('MP-02', 'response', { amount: random.amount(10, 9_000), currency: 'EUR' }),
          errors: [
            {
              ...template,
              operation: template.operation,
              message: filled(template.message, random),
              count: random.int(1, 6),
            },
          ],
        });
    for (const [category, shapes] of Object.entries(SHAPES) as [Category, readonly Shape[]][])
      for (const [index, shape] of shapes.entries())
        add(category, index, `${category}-shape-${index}`, shape(random));
  }
  return cases;
}
