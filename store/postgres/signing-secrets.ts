import { randomBytes, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ClosewatchError } from '../../model/errors.ts';
import type { Sealer } from '../sealed.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';

type Db = Pick<Postgres, 'db'>;

/** A secret that is told once: its text, `whsec_…` (Standard Webhooks), and its id. */
export interface NewSecret {
  readonly id: string;
  readonly secret: string;
  readonly source: string;
}

/** A secret as it is listed, never its text. */
export interface SigningSecret {
  readonly id: string;
  readonly source: string;
  /** Its signature needs no ingest token beside it. */
  readonly alone: boolean;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly lastUsedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

/** A secret that holds. */
export interface LiveSecret {
  readonly id: string;
  readonly source: string;
  readonly alone: boolean;
  /** Its text, or why it cannot be opened. */
  readonly opened: { readonly secret: string } | { readonly error: unknown };
}

interface Wish {
  readonly source: string;
  readonly alone: boolean;
  readonly createdBy: string;
  readonly at: Date;
}

const BYTES = 32;
const aboutOf = (id: string, source: string): string => `${id}\n${source}`;

function rowOf(sealer: Sealer, { source, alone, createdBy, at }: Wish) {
  const id = randomUUID();
  const secret = `whsec_${randomBytes(BYTES).toString('base64')}`;
  const sealed = sealer.seal(secret, aboutOf(id, source));
  return { secret, row: { id, source, sealed, alone, created_at: at, created_by: createdBy } };
}

/** Makes a secret for a source: from now on its requests must be signed. */
export async function createSigningSecret({ db }: Db, sealer: Sealer, wish: Wish): Promise<NewSecret> {
  const { secret, row } = rowOf(sealer, wish);
  await db.transaction().execute(async (trx) => {
    await trx.insertInto('signing_secrets').values(row).execute();
    const who = { by: wish.createdBy, at: wish.at, data: { source: wish.source, alone: wish.alone } };
    await appendChanges(trx, [settingChange(`signing-secret:${row.id}`, 'created', who)]);
  });
  return { id: row.id, secret, source: wish.source };
}

/**
 * Makes a secret that follows another; both hold until `until`, from then on the new one alone. Throws `not-found`, and
 * `state.conflict` for one that no longer holds.
 */
export async function rotateSigningSecret(
  { db }: Db,
  sealer: Sealer,
  { id, until, by, at }: { id: string; until: Date; by: string; at: Date },
): Promise<NewSecret & { readonly oldHoldsUntil: string }> {
  return await db.transaction().execute(async (trx) => {
    const old = await trx
      .selectFrom('signing_secrets')
      .selectAll()
      .where('id', '=', id)
      .forUpdate()
      .executeTakeFirst();
    if (!old) throw new ClosewatchError('not-found', `there is no signing secret ${id}`);
    if (old.revoked_at || (old.expires_at && old.expires_at <= at))
      throw new ClosewatchError('state.conflict', `the signing secret ${id} no longer holds`);
    const ends = old.expires_at && old.expires_at < until ? old.expires_at : until;
    await trx.updateTable('signing_secrets').set({ expires_at: ends }).where('id', '=', id).execute();
    const { secret, row } = rowOf(sealer, { source: old.source, alone: old.alone, createdBy: by, at });
    await trx.insertInto('signing_secrets').values(row).execute();
    const data = { source: old.source, follows: id, oldHoldsUntil: ends.toISOString() };
    await appendChanges(trx, [settingChange(`signing-secret:${row.id}`, 'rotated', { by, at, data })]);
    return { id: row.id, secret, source: old.source, oldHoldsUntil: ends.toISOString() };
  });
}

/**
 * Revokes a secret; collectors that know it stop taking it within 5 seconds. Returns its source and how many secrets that
 * has left, undefined when there is no such secret.
 */
export async function revokeSigningSecret(
  { db }: Db,
  id: string,
  by: string,
  at: Date,
): Promise<{ source: string; left: number } | undefined> {
  return await db.transaction().execute(async (trx) => {
    const row = await trx
      .updateTable('signing_secrets')
      .set((set) => ({ revoked_at: set.fn.coalesce('revoked_at', set.val(at)) }))
      .where('id', '=', id)
      .returning('source')
      .executeTakeFirst();
    if (!row) return undefined;
    await appendChanges(trx, [settingChange(`signing-secret:${id}`, 'revoked', { by, at, data: row })]);
    const { left } = await trx
      .selectFrom('signing_secrets')
      .select((eb) => eb.fn.countAll().as('left'))
      .where('source', '=', row.source)
      .where('revoked_at', 'is', null)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', at)]))
      .executeTakeFirstOrThrow();
    return { source: row.source, left: Number(left) };
  });
}

/** Every secret, newest first. */
export async function listSigningSecrets({ db }: Db): Promise<SigningSecret[]> {
  const rows = await db
    .selectFrom('signing_secrets')
    .select(['id', 'source', 'alone', 'created_at', 'created_by', 'last_used_at', 'expires_at', 'revoked_at'])
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    source: row.source,
    alone: row.alone,
    createdAt: row.created_at,
    createdBy: row.created_by,
    lastUsedAt: row.last_used_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  }));
}

/** How long a collector may go by what it read, as with tokens. */
const CACHE_MS = 5_000;
/** `last_used_at` is written at most so often for a secret. */
const USED_EVERY_MS = 60_000;

export interface SigningSecrets {
  /** Those that hold now. */
  live(): Promise<readonly LiveSecret[]>;
  /** Notes that a request was signed with it. */
  noteUse(id: string): void;
}

/** The secrets as the intake asks for them; what was read is kept for 5 seconds. */
export function openSigningSecrets(
  { db }: Db,
  sealer: Sealer,
  deps: { now?: () => number } = {},
): SigningSecrets {
  const now = deps.now ?? Date.now;
  const used = new LRUCache<string, number>({ max: 1_000 });
  let read:
    | { readonly until: number; readonly secrets: Promise<(LiveSecret & { expiresAt: number })[]> }
    | undefined;

  async function load(): Promise<(LiveSecret & { expiresAt: number })[]> {
    const rows = await db
      .selectFrom('signing_secrets')
      .select(['id', 'source', 'alone', 'sealed', 'expires_at'])
      .where('revoked_at', 'is', null)
      .where((eb) => eb.or([eb('expires_at', 'is', null), eb('expires_at', '>', new Date(now()))]))
      .execute();
    return rows.map(({ id, source, alone, sealed, expires_at: expires }) => ({
      id,
      source,
      alone,
      opened: openedOf(sealed, aboutOf(id, source)),
      expiresAt: expires?.getTime() ?? Number.POSITIVE_INFINITY,
    }));
  }

  function openedOf(sealed: string, about: string): LiveSecret['opened'] {
    try {
      return { secret: sealer.open(sealed, about) };
    } catch (error) {
      return { error };
    }
  }

  return {
    async live() {
      if (!read || read.until <= now()) {
        const secrets = load();
        read = { until: now() + CACHE_MS, secrets };
        // A failure is not kept: the next request asks again.
        secrets.catch(() => {
          read = undefined;
        });
      }
      return (await read.secrets).filter(({ expiresAt }) => expiresAt > now());
    },
    noteUse(id) {
      if (now() - (used.get(id) ?? Number.NEGATIVE_INFINITY) < USED_EVERY_MS) return;
      used.set(id, now());
      void db
        .updateTable('signing_secrets')
        .set({ last_used_at: new Date(now()) })
        .where('id', '=', id)
        .execute()
        .catch(() => used.delete(id));
    },
  };
}
