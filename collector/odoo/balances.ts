import { z } from 'zod';
import type { Odoo } from '../../odoo/client.ts';
import { recordUrl } from '../../odoo/links.ts';
import { amountOf, idOf } from '../../odoo/values.ts';
import type { AcceptedEvent } from '../../store/postgres/accepted.ts';
import { eventOf } from './event.ts';
import { plainFact, subjectOf } from './kind.ts';
import type { OdooCompany } from './surroundings.ts';

const grouped = z.array(z.looseObject({ account_id: z.unknown() }));

/**
 * The posted balance of each account of a company to a date, as one grouped read tells it: an `account.balanceobserved` each. Reading it
 * again gives the same events as long as the balances are the same; a balance that changed since is another. Throws an OdooError.
 */
export async function observeBalances(
  odoo: Odoo,
  given: {
    readonly source: string;
    readonly company: OdooCompany;
    /** Accounting date up to which items count, `2026-10-31`. */
    readonly date: string;
    readonly at: string;
  },
): Promise<AcceptedEvent[]> {
  const { source, company, date, at } = given;
  const domain = [
    ['company_id', '=', company.id],
    ['parent_state', '=', 'posted'],
    ['date', '<=', date],
  ];
  const balances = await groupedBalances(odoo, domain);
  return [...balances].flatMap(([account, balance]) => {
    const amount = amountOf(balance, company.places);
    if (amount === undefined) return [];
    const subject = subjectOf('account.account', account);
    return [
      eventOf({
        id: `odoo:balance:${company.id}:${account}:${date}:${at}`,
        source,
        companyKey: company.key,
        subject,
        fact: plainFact('account.balanceobserved'),
        at,
        actor: undefined,
        inferred: false,
        mappingErrors: [],
        path: 'poll',
        url: recordUrl(odoo.url, odoo.version, { model: 'account.account', id: account }),
        description: {
          company: company.id,
          period: date.slice(0, 7),
          object: { kind: 'account', nativeModel: 'account.account', nativeId: String(account) },
          money: { amount, currency: company.currency },
          dates: { accountingDate: date },
          keys: [{ type: 'subject', value: subject }],
        },
      }),
    ];
  });
}

/** Balances by account. `read_group` gives way to `formatted_read_group` in 19. */
async function groupedBalances(odoo: Odoo, domain: readonly unknown[]): Promise<Map<number, unknown>> {
  const isNew = odoo.version.major >= 19;
  const answer = isNew
    ? await odoo.call(
        'account.move.line',
        'formatted_read_group',
        { domain, groupby: ['account_id'], aggregates: ['balance:sum'] },
        { again: true },
      )
    : await odoo.call(
        'account.move.line',
        'read_group',
        { domain, fields: ['balance:sum'], groupby: ['account_id'], lazy: false },
        { again: true },
      );
  return new Map(
    grouped.parse(answer).flatMap((row) => {
      const account = idOf(row.account_id);
      return account === undefined ? [] : [[account, isNew ? row['balance:sum'] : row.balance] as const];
    }),
  );
}
