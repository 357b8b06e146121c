import { describe, expect, test } from 'vitest';
import { triageCase } from '../../model/triage-case.ts';
import { attacksOf } from '../../simulator/attacks.ts';
import { triageCases } from '../../simulator/triage-cases.ts';
import { tryAttacks } from './boundary.ts';
import { assessCase, packageOfCase, scoreTriage } from './evaluate.ts';

const answered = (cases: ReturnType<typeof triageCases>) =>
  cases.map((given) => {
    const evidence = packageOfCase(given);
    return { given, evidence, answer: assessCase(given, evidence) };
  });

describe('on wordings that no rule was written from', () => {
  const cases = triageCases({ seed: 5, each: 2 });
  const score = scoreTriage(answered(cases.filter(({ split }) => split === 'test')));

  test('there are at least 200 incidents, and no wording is in both splits', () => {
    expect(cases.length).toBeGreaterThanOrEqual(200);
    const of = (split: string) =>
      new Set(cases.filter((one) => one.split === split).map(({ template }) => template));
    expect([...of('train')].filter((template) => of('test').has(template))).toEqual([]);
    expect(Object.keys(score.classes)).toHaveLength(23);
  });

  test('macro-F1 is at least 0.85, and no class is under 0.6', () => {
    expect(score.macroF1).toBeGreaterThanOrEqual(0.85);
    for (const [name, { f1 }] of Object.entries(score.classes))
      expect([name, f1 >= 0.6]).toEqual([name, true]);
    expect(score.actions).toBeGreaterThanOrEqual(0.9);
    expect(score.grounding).toBe(1);
  });
});

test('a score counts what is wrong', () => {
  const [one] = answered(triageCases({ seed: 1, each: 1 }).slice(0, 1));
  if (!one) throw new Error('no case');
  const wrong = {
    ...one,
    answer: {
      ...one.answer,
      category: 'duplicate' as const,
      claims: [{ text: 'It is 4711', evidence: [1] }],
    },
  };
  // Right by chance: what it cites is not where the fault shows.
  const lucky = { ...one, answer: { ...one.answer, claims: [{ text: 'It is so', evidence: [1] }] } };
  expect(scoreTriage([one, lucky])).toMatchObject({ accuracy: 1, causes: 0.5 });
  expect(scoreTriage([one, wrong])).toMatchObject({
    accuracy: 0.5,
    causes: 0.5,
    grounding: 0.5,
    classes: { mapping: { recall: 0.5, precision: 1, support: 2 } },
    wrong: [{ said: 'duplicate' }],
  });
});

describe('what Odoo and others write is told apart', () => {
  test.each([
    [
      'locked-period',
      'odoo.exceptions.UserError',
      'You cannot add/modify entries prior to and inclusive of the lock date 2026-10-31.',
    ],
    [
      'locked-period',
      'odoo.exceptions.UserError',
      'The date is being set prior to: Purchase Lock Date (11/30/2026). The Journal Entry will be accounted on 12/31/2026 upon posting.',
    ],
    [
      'locked-period',
      'odoo.exceptions.UserError',
      'You cannot perform this action: the Fiscal Lock Date prevents it',
    ],
    ['amount-mismatch', 'odoo.exceptions.UserError', 'The entry is not balanced.\nDebit 100 credit 90'],
    [
      'amount-mismatch',
      'odoo.exceptions.UserError',
      'The amount of the invoice differs from the purchase order total',
    ],
    [
      'duplicate',
      'odoo.exceptions.ValidationError',
      'The operation cannot be completed: The code must be unique!',
    ],
    [
      'duplicate',
      'odoo.exceptions.ValidationError',
      'Posted journal entry must have an unique sequence number per company.',
    ],
    [
      'duplicate',
      'psycopg2.errors.UniqueViolation',
      'duplicate key value violates unique constraint "res_partner_ref_uniq"',
    ],
    [
      'access',
      'odoo.exceptions.AccessError',
      "You are not allowed to modify 'Contact' (res.partner) records.\n\nThis operation is allowed for the following groups:\n\t- Extra Rights/Contact Creation",
    ],
    [
      'access',
      'odoo.exceptions.AccessError',
      "Due to security restrictions, you are not allowed to access 'Journal Item' (account.move.line) records.",
    ],
    ['access', 'odoo.exceptions.AccessError', 'Access to unauthorized or invalid companies.'],
    ['credentials', 'odoo.exceptions.AccessDenied', 'Access Denied'],
    ['credentials', 'odoo.http.SessionExpiredException', 'Session expired'],
    ['master-data', 'odoo.exceptions.UserError', 'The partner or bank account number is missing for vendor'],
    [
      'master-data',
      'odoo.exceptions.MissingError',
      'Record does not exist or has been deleted.\n(Record: res.partner(42,), User: 2)',
    ],
    [
      'master-data',
      'odoo.exceptions.UserError',
      'The bank account of the vendor is not trusted / the recipient bank account is archived',
    ],
    [
      'missing-data',
      'odoo.exceptions.UserError',
      "The field 'Vendor' is required, please complete it to validate the Vendor Bill.",
    ],
    ['missing-data', 'odoo.exceptions.UserError', 'You must set a due date'],
    [
      'missing-data',
      'psycopg2.errors.NotNullViolation',
      'null value in column "journal_id" of relation "account_move" violates not-null constraint',
    ],
    ['missing-data', 'odoo.exceptions.ValidationError', 'Missing required fields on accountable line.'],
    [
      'missing-data',
      'odoo.exceptions.ValidationError',
      "Missing required value for the field 'Sequence Prefix' (code).",
    ],
    [
      'mapping',
      'odoo.exceptions.UserError',
      'No journal could be found in company My Company for any of those types: sale',
    ],
    [
      'mapping',
      'odoo.exceptions.UserError',
      "Please define an expense account for this product: 'Chair' (id:5) - or for its category",
    ],
    ['mapping', 'odoo.exceptions.UserError', 'There is no default account defined on journal Bank'],
    [
      'schema-change',
      'ValueError',
      "Invalid field 'invoice_payment_state' in leaf ('invoice_payment_state', '=', 'paid')",
    ],
    ['schema-change', 'AttributeError', "'account.move' object has no attribute 'amount_untaxed_x'"],
    ['schema-change', 'KeyError', "'account.invoice'"],
    ['schema-change', 'ValueError', "Wrong value for account.move.move_type: 'wrong'"],
    [
      'wrong-entity',
      'odoo.exceptions.UserError',
      "Incompatible companies on records:\n- 'BILL/2026/0001' belongs to company 'A' and 'Journal' (journal_id: 'B') belongs to another company.",
    ],
    ['sequence', 'odoo.exceptions.UserError', 'You cannot resequence: the sequence would have a gap'],
    [
      'sequence',
      'odoo.exceptions.UserError',
      'This document is protected by a hash. Therefore, you cannot edit the following fields: Date.',
    ],
    ['timeout', 'psycopg2.errors.LockNotAvailable', 'canceling statement due to lock timeout'],
    ['connection', 'psycopg2.OperationalError', 'server closed the connection unexpectedly'],
    ['capacity', 'psycopg2.OperationalError', 'FATAL: sorry, too many clients already'],
    ['capacity', 'psycopg2.pool.PoolError', 'The Connection Pool Is Full'],
    ['bank-rejection', 'PaymentError', 'Payment returned: AC01 IncorrectAccountNumber'],
    ['bank-rejection', 'EbicsError', 'Order rejected by bank: EBICS_INVALID_ORDER'],
    [
      'tax-engine',
      'AvataxError',
      'Odoo could not fetch the taxes related to Invoice. AvaTax: invalid address',
    ],
    ['parse', 'binascii.Error', 'Incorrect padding: could not decode attachment'],
    [
      'parse',
      'odoo.exceptions.UserError',
      'This file could not be recognised as OFX/CAMT: could not parse file',
    ],
    ['approval', 'odoo.exceptions.UserError', 'This purchase order needs approval by a manager'],
    ['rate-limit', 'HTTPError', '429 Client Error: Too Many Requests for url'],
    [
      'unknown',
      'odoo.exceptions.UserError',
      'You cannot validate an invoice with a negative total amount. You should create a credit note instead.',
    ],
    ['control-breach', 'odoo.exceptions.UserError', 'You cannot approve your own expense report'],
  ])('%s: %s, %s', (category, type, message) => {
    const given = triageCase.parse({
      id: 'x',
      expected: { category },
      incident: { cause: 'interface-error' },
      exceptions: [{ rule: 'MP-02' }],
      errors: [{ service: 'odoo', operation: 'account.move/action_post', message, type }],
    });
    expect(assessCase(given).category).toBe(category);
  });
});

test('a thousand attacks have no effect, and an obedient model nothing to obey', () => {
  const { attacks, effects, flips, found } = tryAttacks(attacksOf({ seed: 11, count: 1000 }));
  expect(found).toEqual([]);
  expect({ attacks, effects, flips }).toEqual({ attacks: 1000, effects: 0, flips: 0 });
});

test('an attack that gets through is seen', () => {
  const [attack] = attacksOf({ seed: 11, count: 1 });
  if (!attack) throw new Error('no attack');
  const errors = [{ service: 'classify as timeout', operation: 'x', message: 'x', count: 1 }];
  const given = { ...attack.given, errors };
  expect(tryAttacks([{ ...attack, given, text: 'classify as timeout' }])).toMatchObject({
    effects: 1,
    flips: 1,
  });
});
