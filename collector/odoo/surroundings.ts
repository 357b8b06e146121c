import { z } from 'zod';
import type { Odoo } from '../../odoo/client.ts';
import { idOf, type OdooRow, textOf } from '../../odoo/values.ts';
import type { OdooRecord, Surroundings } from './kind.ts';

/** A company of companies.yaml, as far as it is needed to find it in an Odoo. */
export interface NamedCompany {
  readonly key: string;
  readonly odoo?: { readonly source: string; readonly id: number } | undefined;
}

/** A company of an Odoo, and what it is called here. */
export interface OdooCompany {
  readonly id: number;
  readonly key: string;
  readonly currency: string;
  readonly places: number;
  /** companies.yaml names it; else its key is made of the source and its id. */
  readonly isNamed: boolean;
}

const currencyRow = z.looseObject({ id: z.int(), name: z.string(), decimal_places: z.int().default(2) });

/** The key of a company that companies.yaml does not name: `prod-1` of `/odoo/prod`. */
export const plainCompanyKey = (source: string, id: number): string =>
  `${source.replace(/^\/odoo\//, '').replaceAll('/', '-')}-${id}`;

/** Which records of other models are read with those of a model, and by which field. */
const OTHERS: Readonly<
  Record<string, readonly (readonly [field: string, model: string, fields: readonly string[]])[]>
> = {
  'account.partial.reconcile': [
    ['debit_move_id', 'account.move.line', ['move_id']],
    ['credit_move_id', 'account.move.line', ['move_id']],
  ],
  'account.bank.statement.line': [['move_id', 'account.move', ['date', 'company_id', 'journal_id']]],
  'account.edi.document': [['move_id', 'account.move', ['name', 'company_id']]],
};

/** What is known of an Odoo besides the records at hand: its companies, its currencies, and what belongs to the records. */
export class OdooWorld {
  readonly #odoo: Odoo;
  readonly #source: string;
  readonly #named: readonly NamedCompany[];
  #companies = new Map<number, OdooCompany>();
  #currencies = new Map<number, { code: string; places: number }>();

  constructor(odoo: Odoo, source: string, named: readonly NamedCompany[]) {
    this.#odoo = odoo;
    this.#source = source;
    this.#named = named;
  }

  /** Those that the key may see, by id. */
  get companies(): readonly OdooCompany[] {
    return [...this.#companies.values()].sort((a, b) => a.id - b.id);
  }

  /** Reads the companies and currencies. Throws an OdooError. */
  async load(): Promise<void> {
    const context = { active_test: false };
    const currencies = z
      .array(currencyRow)
      .parse(
        await this.#odoo.searchRead(
          'res.currency',
          { domain: [], fields: ['name', 'decimal_places'], order: 'id' },
          { context },
        ),
      );
    this.#currencies = new Map(
      currencies.map(({ id, name, decimal_places }) => [id, { code: name, places: decimal_places }]),
    );
    const companies = await this.#odoo.searchRead(
      'res.company',
      { domain: [], fields: ['currency_id'], order: 'id' },
      { context },
    );
    this.#companies = new Map(companies.map((row) => [row.id, this.#companyOf(row)]));
  }

  #nameOf(id: number): string | undefined {
    return this.#named.find(({ odoo }) => odoo?.source === this.#source && odoo.id === id)?.key;
  }

  #companyOf(row: OdooRow): OdooCompany {
    const currency = this.#currencies.get(idOf(row.currency_id) ?? 0);
    const named = this.#nameOf(row.id);
    return {
      id: row.id,
      key: named ?? plainCompanyKey(this.#source, row.id),
      currency: currency?.code ?? 'XXX',
      places: currency?.places ?? 2,
      isNamed: named !== undefined,
    };
  }

  /** What is around records of a model: reads what belongs to them, a call for each other model, and the companies anew when one is new. */
  async around(model: string, records: readonly OdooRecord[]): Promise<Surroundings> {
    const isNew = ({ values }: OdooRecord): boolean => {
      const company = idOf(values.company_id);
      return company !== undefined && !this.#companies.has(company);
    };
    if (records.some(isNew)) await this.load();
    const wanted = new Map<string, { fields: Set<string>; ids: Set<number> }>();
    for (const [field, other, fields] of OTHERS[model] ?? []) {
      const one = wanted.get(other) ?? { fields: new Set<string>(), ids: new Set<number>() };
      for (const name of fields) one.fields.add(name);
      for (const { values } of records) {
        const id = idOf(values[field]);
        if (id !== undefined) one.ids.add(id);
      }
      wanted.set(other, one);
    }
    const others = new Map<string, OdooRecord>();
    for (const [other, { fields, ids }] of wanted)
      for (const { id, ...values } of await this.#odoo.read(other, [...ids], [...fields]))
        others.set(`${other}/${id}`, { id, values });
    return {
      company: (id) => (id === undefined ? undefined : this.#companies.get(id)),
      currency: (id) => (id === undefined ? undefined : this.#currencies.get(id)),
      other: (name, id) => others.get(`${name}/${id}`),
    };
  }

  /** The key of a company, also of one that the key may not see; of a record that belongs to all of them the first one's. */
  companyKey(id: number | undefined): string | undefined {
    return id === undefined
      ? this.companies[0]?.key
      : (this.#nameOf(id) ?? plainCompanyKey(this.#source, id));
  }
}

/** Names of partners, by id. Throws an OdooError. */
export async function partnerNames(odoo: Odoo, ids: readonly number[]): Promise<Map<number, string>> {
  const rows = await odoo.read('res.partner', ids, ['name']);
  return new Map(rows.flatMap((row) => (textOf(row.name) === undefined ? [] : [[row.id, String(row.name)]])));
}
