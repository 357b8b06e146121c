import { z } from 'zod';
import { ClosewatchError } from '../../model/errors.ts';
import type { Sealer } from '../sealed.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';

type Db = Pick<Postgres, 'db'>;

/** A login with its key or password. */
export interface OdooCredential {
  readonly login: string | undefined;
  readonly secret: string;
}

/** What was made in an Odoo, so that it can be taken away again: ids of its records, by model. */
export const installation = z.object({
  made: z.array(z.object({ model: z.string(), id: z.int() })).default([]),
  /** Models that tell of their changes by webhook. */
  hooked: z.array(z.string()).default([]),
});
export type Installation = z.infer<typeof installation>;

/** How a watched Odoo stands, as its last round left it. */
export const odooState = z.object({
  version: z.string().optional(),
  protocol: z.string().optional(),
  /** How transitions are known: `tracking`, the audit log, or the difference of readings. */
  history: z.enum(['tracking', 'audit-log', 'difference']).optional(),
  roundStartedAt: z.string().optional(),
  roundEndedAt: z.string().optional(),
  roundMs: z.number().optional(),
  roundCalls: z.number().optional(),
  rounds: z.number().default(0),
  /** Complete up to, in the clock of that Odoo. */
  completeUpTo: z.string().optional(),
  settleMs: z.number().optional(),
  clockOffsetMs: z.number().optional(),
  /** Of the last round that failed; gone when one succeeds. */
  error: z.object({ code: z.string(), message: z.string(), since: z.string() }).optional(),
  lateRows: z.number().default(0),
  hooks: z
    .object({
      confirmed: z.number().default(0),
      phantoms: z.number().default(0),
      missed: z.number().default(0),
      late: z.number().default(0),
    })
    .prefault({}),
  models: z
    .array(
      z.object({
        model: z.string(),
        state: z.enum(['ready', 'absent', 'forbidden']),
        module: z.string().optional(),
        missing: z.array(z.string()).default([]),
      }),
    )
    .default([]),
  /** What the fields of each model were when they were last looked at. */
  picture: z.record(z.string(), z.union([z.string(), z.record(z.string(), z.string())])).default({}),
  inspectedAt: z.string().optional(),
  backfill: z.object({ done: z.number(), total: z.number(), finishedAt: z.string().optional() }).optional(),
});
export type OdooState = z.infer<typeof odooState>;

/** An Odoo that is watched. */
export interface OdooSource {
  /** `/odoo/prod`. */
  readonly source: string;
  readonly url: string;
  readonly database: string | undefined;
  readonly login: string | undefined;
  /** SHA-256 of the secret in the address of its webhooks, hex; undefined: it has none. */
  readonly hookHash: string | undefined;
  readonly pace: unknown;
  readonly liveFrom: Date;
  readonly historyFrom: Date;
  readonly installed: Installation;
  readonly state: OdooState;
  readonly hasWriter: boolean;
  /** Webhooks that came, and when the last one did. */
  readonly hookRequests: number;
  readonly lastHookAt: Date | undefined;
  readonly createdAt: Date;
}

const about = (source: string, role: 'reader' | 'writer'): string => `odoo ${role}\n${source}`;

/** Begins to watch an Odoo. Throws `state.conflict` when one is watched under this name. */
export async function addOdooSource(
  { db }: Db,
  sealer: Sealer,
  given: Pick<
    OdooSource,
    'source' | 'url' | 'database' | 'pace' | 'liveFrom' | 'historyFrom' | 'installed'
  > & {
    readonly reader: OdooCredential;
    readonly hookHash: string | undefined;
    readonly by: string;
  },
): Promise<void> {
  const { source } = given;
  await db.transaction().execute(async (trx) => {
    const added = await trx
      .insertInto('odoo_sources')
      .values({
        source,
        url: given.url,
        database: given.database ?? null,
        login: given.reader.login ?? null,
        sealed: sealer.seal(given.reader.secret, about(source, 'reader')),
        hook_hash: given.hookHash ?? null,
        pace: given.pace === undefined ? null : JSON.stringify(given.pace),
        live_from: given.liveFrom,
        history_from: given.historyFrom,
        installed: JSON.stringify(given.installed),
        created_by: given.by,
      })
      .onConflict((conflict) => conflict.column('source').doNothing())
      .returning('source')
      .executeTakeFirst();
    if (!added) throw new ClosewatchError('state.conflict', `${source} is connected already`);
    const data = { url: given.url, database: given.database, login: given.reader.login };
    await appendChanges(trx, [
      settingChange(`odoo:${source}`, 'connected', { by: given.by, at: new Date(), data }),
    ]);
  });
}

/** Stops to watch an Odoo; what it told stays. False when there is none of this name. */
export async function removeOdooSource({ db }: Db, source: string, by: string): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const { numDeletedRows } = await trx
      .deleteFrom('odoo_sources')
      .where('source', '=', source)
      .executeTakeFirst();
    if (numDeletedRows === 0n) return false;
    await appendChanges(trx, [settingChange(`odoo:${source}`, 'disconnected', { by, at: new Date() })]);
    return true;
  });
}

/** The Odoos that are watched, by name; never their credentials. */
export async function listOdooSources({ db }: Db): Promise<OdooSource[]> {
  const rows = await db.selectFrom('odoo_sources').selectAll().orderBy('source').execute();
  return rows.map((row) => ({
    source: row.source,
    url: row.url,
    database: row.database ?? undefined,
    login: row.login ?? undefined,
    hookHash: row.hook_hash ?? undefined,
    pace: row.pace ?? undefined,
    liveFrom: row.live_from,
    historyFrom: row.history_from,
    installed: installation.catch({ made: [], hooked: [] }).parse(row.installed),
    state: odooState.catch(odooState.parse({})).parse(row.state),
    hasWriter: row.writer_sealed !== null,
    hookRequests: Number(row.hook_requests),
    lastHookAt: row.last_hook_at ?? undefined,
    createdAt: row.created_at,
  }));
}

/** The credential that it is read with. Throws `not-found`, and `config.invalid` when it was sealed under another key. */
export async function readerOf({ db }: Db, sealer: Sealer, source: string): Promise<OdooCredential> {
  const row = await db
    .selectFrom('odoo_sources')
    .select(['login', 'sealed'])
    .where('source', '=', source)
    .executeTakeFirst();
  if (!row) throw new ClosewatchError('not-found', `no Odoo is connected as ${source}`);
  return { login: row.login ?? undefined, secret: sealer.open(row.sealed, about(source, 'reader')) };
}

/** Gives an Odoo the credential that approved actions run with, or takes it away. False when no Odoo has this name. */
export async function setOdooWriter(
  { db }: Db,
  sealer: Sealer,
  source: string,
  writer: OdooCredential | undefined,
  by: string,
): Promise<boolean> {
  return await db.transaction().execute(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('odoo_sources')
      .set({
        writer_login: writer?.login ?? null,
        writer_sealed: writer ? sealer.seal(writer.secret, about(source, 'writer')) : null,
      })
      .where('source', '=', source)
      .executeTakeFirst();
    if (numUpdatedRows === 0n) return false;
    const change = writer ? 'writer given' : 'writer taken away';
    const who = { by, at: new Date(), data: writer ? { login: writer.login } : {} };
    await appendChanges(trx, [settingChange(`odoo:${source}`, change, who)]);
    return true;
  });
}

/** How an Odoo is reached for what was approved; undefined while nobody has set its writer, or none has this name. */
export async function writerOf(
  { db }: Db,
  sealer: Sealer,
  source: string,
): Promise<(OdooCredential & { readonly url: string; readonly database: string | undefined }) | undefined> {
  const row = await db
    .selectFrom('odoo_sources')
    .select(['url', 'database', 'writer_login', 'writer_sealed'])
    .where('source', '=', source)
    .executeTakeFirst();
  if (!row?.writer_sealed) return undefined;
  return {
    url: row.url,
    database: row.database ?? undefined,
    login: row.writer_login ?? undefined,
    secret: sealer.open(row.writer_sealed, about(source, 'writer')),
  };
}

/** Keeps how an Odoo stands. */
export async function keepOdooState({ db }: Db, source: string, state: OdooState): Promise<void> {
  await db
    .updateTable('odoo_sources')
    .set({ state: JSON.stringify(state) })
    .where('source', '=', source)
    .execute();
}
