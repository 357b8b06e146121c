import { z } from 'zod';
import { openHistory } from '../collector/odoo/history.ts';
import { missingRights } from '../collector/odoo/provision.ts';
import type { Company } from '../model/company.ts';
import { ClosewatchError } from '../model/errors.ts';
import { connectOdoo, type Odoo } from '../odoo/client.ts';
import { briskPace } from '../odoo/pace.ts';
import { instantOf } from '../odoo/values.ts';
import { KNOWN_MAJORS } from '../odoo/version.ts';
import {
  listOdooSources,
  type OdooCredential,
  type OdooSource,
  readerOf,
} from '../store/postgres/odoo-sources.ts';
import { readCompanies } from './catalogue.ts';
import { attempt, type Check, note, ok } from './doctor-checks.ts';
import { companyKeyOf } from './odoo-tasks.ts';
import { sealerOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

/** Asks an Odoo now, in the process that holds its credential: it is not handed out for this. */
export const examineOdooTask: Task<Stores, { source: string }, never, { readonly checks: readonly Check[] }> =
  {
    name: 'odoo-examine',
    args: z.strictObject({ source: z.string().min(1).max(1024) }),
    async run({ postgres, config, catalogue }, { source }) {
      const one = (await listOdooSources(postgres)).find((odoo) => odoo.source === source);
      if (!one) throw new ClosewatchError('not-found', `no Odoo is connected as ${source}`);
      const reader = await readerOf(postgres, sealerOf(config), source);
      return { checks: await examine(one, reader, catalogue?.companies ?? (await readCompanies(config))) };
    },
  };

/** What can be seen by asking that Odoo now. */
async function examine(
  one: OdooSource,
  reader: OdooCredential,
  companies: readonly Company[],
): Promise<Check[]> {
  const checks: Check[] = [];
  const connection = await attempt(
    'connection',
    async () => {
      const odoo = await connectOdoo({
        url: one.url,
        pace: briskPace(one.url),
        database: one.database,
        login: reader.login,
        secret: reader.secret,
      });
      const { version, protocol } = odoo;
      const way = protocol === 'json2' ? '/json/2' : '/jsonrpc';
      const isKnown = version.major >= KNOWN_MAJORS.first && version.major <= KNOWN_MAJORS.last;
      checks.push(
        isKnown
          ? ok('version', `Odoo ${version.text}, read by ${way}`)
          : note(
              'version',
              `Odoo ${version.text}, read as the nearest of 17 to 19`,
              'it may have fields that are not read',
            ),
      );
      if (version.major >= 19 && protocol === 'jsonrpc')
        checks.push(
          note(
            'protocol',
            '/jsonrpc goes with Odoo 20',
            'make an API key for the reader, and connect with --reader-secret-file',
          ),
        );
      const { mode } = await openHistory(odoo);
      checks.push(
        mode === 'tracking'
          ? ok('history', 'tracking values are read: who changed what, and when')
          : note(
              'history',
              `${mode}: who and when are inferred where Odoo does not tell`,
              'the group "Closewatch reader" lets tracking values be read',
            ),
      );
      for (const { right, consequence } of await missingRights(odoo))
        checks.push(note('rights', `the reader may not ${right}`, consequence));
      checks.push(...(await expiring(odoo, new Date())));
      const rows = await odoo.searchRead('res.company', { domain: [], fields: ['id'], order: 'id' });
      const unnamed = rows.filter(({ id }) => !companyKeyOf(one.source, id, companies).isNamed);
      checks.push(
        unnamed.length === 0
          ? ok('companies', `${rows.length}, all named in companies.yaml`)
          : note(
              'companies',
              `${unnamed.length} of ${rows.length} are not in companies.yaml: ${unnamed.map(({ id }) => companyKeyOf(one.source, id, companies).key).join(', ')}`,
              'name them with their time zone, calendar and currency',
            ),
      );
      return ok('connection', `${one.url} answers, and takes the reader's credential`);
    },
    'is the address right, does Odoo run, and does the reader still have its password or key?',
  );
  return [connection, ...checks];
}

const SOON_DAYS = 30;
const DAY_MS = 86_400_000;

/** API keys of the reader that end soon; where Odoo keeps no ends of keys (17), or does not tell, nothing. */
async function expiring(odoo: Odoo, now: Date): Promise<Check[]> {
  const keys = await odoo
    .searchRead('res.users.apikeys', {
      domain: [['user_id', '=', odoo.uid]],
      fields: ['name', 'expiration_date'],
    })
    .catch(() => []);
  return keys.flatMap(({ name, expiration_date }) => {
    const end = instantOf(expiration_date);
    const days = end === undefined ? SOON_DAYS : Math.floor((Date.parse(end) - now.getTime()) / DAY_MS);
    return days >= SOON_DAYS
      ? []
      : [
          note(
            'API key',
            `"${String(name)}" of the reader ends in ${days} days`,
            'make another in Odoo, and connect with it before that',
          ),
        ];
  });
}
