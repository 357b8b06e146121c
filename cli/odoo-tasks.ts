import { z } from 'zod';
import { plainCompanyKey } from '../collector/odoo/surroundings.ts';
import { ClosewatchError } from '../model/errors.ts';
import { odooPace } from '../odoo/pace.ts';
import {
  addOdooSource,
  installation,
  listOdooSources,
  type OdooState,
  odooState,
  removeOdooSource,
  setOdooWriter,
} from '../store/postgres/odoo-sources.ts';
import type { Config } from './config.ts';
import { runTask } from './run-task.ts';
import { sealerOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** A watched Odoo as it is told of, without its credentials. */
export interface ListedOdoo {
  readonly source: string;
  readonly url: string;
  readonly database: string | null;
  readonly login: string | null;
  readonly hasHooks: boolean;
  readonly hasWriter: boolean;
  readonly hookRequests: number;
  readonly lastHookAt: string | null;
  readonly liveFrom: string;
  readonly historyFrom: string;
  readonly installed: z.infer<typeof installation>;
  readonly state: OdooState;
}

export const listOdoosTask: Task<Stores, Record<never, never>, never, readonly ListedOdoo[]> = {
  name: 'odoo-list',
  args: z.strictObject({}),
  run: async ({ postgres }) =>
    (await listOdooSources(postgres)).map((one) => ({
      source: one.source,
      url: one.url,
      database: one.database ?? null,
      login: one.login ?? null,
      hasHooks: one.hookHash !== undefined,
      hasWriter: one.hasWriter,
      hookRequests: one.hookRequests,
      lastHookAt: one.lastHookAt?.toISOString() ?? null,
      liveFrom: one.liveFrom.toISOString(),
      historyFrom: one.historyFrom.toISOString(),
      installed: one.installed,
      state: odooState.parse(one.state),
    })),
};

const credential = z.strictObject({
  login: z.string().min(1).max(256).optional(),
  secret: z.string().min(1).max(1024),
});

const newOdoo = z.strictObject({
  source: z.string().regex(/^\/odoo\/[A-Za-z0-9._-]{1,64}$/),
  url: z.url({ protocol: /^https?$/ }),
  database: z.string().min(1).max(256).optional(),
  reader: credential,
  hookHash: z.string().length(64).optional(),
  pace: odooPace.optional(),
  liveFrom: z.iso.datetime(),
  historyFrom: z.iso.datetime(),
  installed: installation,
  by: z.string().max(256),
});

export const addOdooTask: Task<Stores, z.infer<typeof newOdoo>, never, { readonly source: string }> = {
  name: 'odoo-add',
  args: newOdoo,
  async run({ postgres, config }, given) {
    await addOdooSource(postgres, sealerOf(config), {
      ...given,
      database: given.database,
      hookHash: given.hookHash,
      reader: { login: given.reader.login, secret: given.reader.secret },
      pace: given.pace,
      liveFrom: new Date(given.liveFrom),
      historyFrom: new Date(given.historyFrom),
    });
    return { source: given.source };
  },
};

const named = z.strictObject({ source: z.string().min(1).max(1024), by: z.string().max(256) });

export const removeOdooTask: Task<Stores, z.infer<typeof named>, never, { readonly source: string }> = {
  name: 'odoo-remove',
  args: named,
  async run({ postgres }, { source, by }) {
    if (!(await removeOdooSource(postgres, source, by)))
      throw new ClosewatchError('not-found', `no Odoo is connected as ${source}`);
    return { source };
  },
};

const newWriter = z.strictObject({ ...named.shape, writer: credential.nullable() });

export const setWriterTask: Task<Stores, z.infer<typeof newWriter>, never, { readonly source: string }> = {
  name: 'odoo-writer',
  args: newWriter,
  async run({ postgres, config }, { source, writer, by }) {
    const given = writer ? { login: writer.login, secret: writer.secret } : undefined;
    if (!(await setOdooWriter(postgres, sealerOf(config), source, given, by)))
      throw new ClosewatchError('not-found', `no Odoo is connected as ${source}`);
    return { source };
  },
};

/** How companies of an Odoo are called here, by the catalogue that the caller has read. */
export const companyKeyOf = (
  source: string,
  id: number,
  companies: readonly {
    readonly key: string;
    readonly odoo?: { readonly source: string; readonly id: number } | undefined;
  }[],
): { readonly key: string; readonly isNamed: boolean } => {
  const found = companies.find(({ odoo }) => odoo?.source === source && odoo.id === id);
  return { key: found?.key ?? plainCompanyKey(source, id), isNamed: found !== undefined };
};

/** The source of an Odoo by what it is called, `prod` or `/odoo/prod`. Throws `config.invalid` when it is not said. */
export function sourceOf(name: string | undefined): string {
  if (!name) throw new ClosewatchError('config.invalid', 'which Odoo? closewatch odoo list has their names');
  return name.startsWith('/odoo/') ? name : `/odoo/${name}`;
}

/** The Odoo that is called so. Throws `not-found`. */
export async function findOdoo(name: string | undefined, config: Config): Promise<ListedOdoo> {
  const source = sourceOf(name);
  const one = (await runTask(listOdoosTask, {}, config)).find((odoo) => odoo.source === source);
  if (!one) throw new ClosewatchError('not-found', `no Odoo is connected as ${source}`);
  return one;
}
