import { createHash, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { LRUCache } from 'lru-cache';
import { ClosewatchError } from '../../model/errors.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';

/** Who may send: the token's id, the source for which it speaks, and for which companies; left out, for all. */
export interface Sender {
  readonly tokenId: string;
  readonly source: string;
  readonly companies?: readonly string[] | undefined;
}

export interface IngestToken {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  /** Null: all. */
  readonly companies: readonly string[] | null;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** A new ingest token; its text is returned once and never stored, only its SHA-256. */
export async function createToken(
  { db }: Postgres,
  given: { name: string; source: string; companies?: readonly string[] | undefined; createdBy: string },
): Promise<{ id: string; token: string }> {
  const [id, token] = [randomUUID(), `cw_${randomBytes(32).toString('base64url')}`];
  const { name, source, companies } = given;
  const row = { id, name, source, token_hash: hashOf(token), companies: companies ? [...companies] : null };
  await db.transaction().execute(async (trx) => {
    await trx
      .insertInto('ingest_tokens')
      .values({ ...row, created_by: given.createdBy })
      .execute();
    const data = { name, source, companies: row.companies };
    const who = { by: given.createdBy, at: new Date(), data };
    await appendChanges(trx, [settingChange(`token:${id}`, 'created', who)]);
  });
  return { id, token };
}

const CONFIGURED = { name: 'configured', source: '*', created_by: 'configuration' };

/**
 * Makes the token of the configuration valid: it may send for every source. Throws `config.invalid` for one that a person
 * revoked: revoked stays revoked.
 */
export async function admitConfiguredToken({ db }: Postgres, token: string): Promise<void> {
  const hash = hashOf(token);
  await db
    .insertInto('ingest_tokens')
    .values({ ...CONFIGURED, id: randomUUID(), token_hash: hash })
    .onConflict((conflict) => conflict.column('token_hash').doNothing())
    .execute();
  const { id, revoked_at: revokedAt } = await db
    .selectFrom('ingest_tokens')
    .select(['id', 'revoked_at'])
    .where('token_hash', '=', hash)
    .executeTakeFirstOrThrow();
  if (revokedAt)
    throw new ClosewatchError(
      'config.invalid',
      `CLOSEWATCH_INGEST_TOKEN is the token ${id}, which was revoked at ${revokedAt.toISOString()}: configure another one`,
    );
}

/** Forgets the tokens that the configuration held before and holds no more, `token` being the one it holds: they end with it. */
export async function forgetConfiguredTokens({ db }: Postgres, token: string | undefined): Promise<void> {
  await db
    .deleteFrom('ingest_tokens')
    .where('created_by', '=', CONFIGURED.created_by)
    .where('token_hash', '<>', token === undefined ? '' : hashOf(token))
    .where('revoked_at', 'is', null)
    .execute();
}

/** Every token, newest first; of revoked ones when they were. Never the text of one. */
export async function listTokens({ db }: Postgres): Promise<IngestToken[]> {
  const rows = await db
    .selectFrom('ingest_tokens')
    .select(['id', 'name', 'source', 'companies', 'created_at', 'created_by', 'last_used_at', 'revoked_at'])
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .execute();
  return rows.map((row) => ({
    id: row.id,
    name: row.name,
    source: row.source,
    companies: row.companies,
    createdAt: row.created_at,
    createdBy: row.created_by,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
  }));
}

/** Revokes the token with this id; collectors that know it stop taking it within 5 seconds. Throws `not-found`. */
export async function revokeToken({ db }: Postgres, id: string, by: string, now: Date): Promise<void> {
  await db.transaction().execute(async (trx) => {
    const revoked = await trx
      .updateTable('ingest_tokens')
      .set((set) => ({ revoked_at: set.fn.coalesce('revoked_at', set.val(now)) }))
      .where('id', '=', id)
      .returning(['name', 'source'])
      .executeTakeFirst();
    if (!revoked) throw new ClosewatchError('not-found', `there is no ingest token ${id}`);
    await appendChanges(trx, [settingChange(`token:${id}`, 'revoked', { by, at: now, data: revoked })]);
  });
}

/** How long a collector may take a token that was revoked meanwhile. */
const CACHE_MS = 5_000;
/** `last_used_at` is written at most so often for a token. */
const USED_EVERY_MS = 60_000;

export interface IngestAuth {
  /** The sender of a request by its `Authorization: Bearer` header. Throws `auth.missing`, `auth.invalid`. */
  authenticate(request: Pick<IncomingMessage, 'headers'>): Promise<Sender>;
  /** The sender that the token's text stands for; undefined for none, or a revoked one. */
  verifyToken(token: string): Promise<Sender | undefined>;
}

/** Checks ingest tokens against the database; an answer is kept for 5 seconds, a refusal never. */
export function createIngestAuth({ db }: Postgres, deps: { now?: () => number } = {}): IngestAuth {
  const now = deps.now ?? Date.now;
  const cache = new LRUCache<string, { readonly sender: Sender; readonly until: number }>({ max: 1000 });
  const used = new LRUCache<string, number>({ max: 1000 });

  const noteUse = (id: string): void => {
    if (now() - (used.get(id) ?? Number.NEGATIVE_INFINITY) < USED_EVERY_MS) return;
    used.set(id, now());
    const at = new Date(now());
    void db
      .updateTable('ingest_tokens')
      .set({ last_used_at: at })
      .where('id', '=', id)
      .execute()
      .catch(() => {
        used.delete(id);
      });
  };

  const verifyToken = async (token: string): Promise<Sender | undefined> => {
    const hash = hashOf(token);
    const cached = cache.get(hash);
    if (cached && cached.until > now()) {
      noteUse(cached.sender.tokenId);
      return cached.sender;
    }
    cache.delete(hash);
    const row = await db
      .selectFrom('ingest_tokens')
      .select(['id', 'source', 'token_hash', 'companies'])
      .where('token_hash', '=', hash)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    if (!row || !timingSafeEqual(Buffer.from(row.token_hash, 'hex'), Buffer.from(hash, 'hex')))
      return undefined;
    const sender = { tokenId: row.id, source: row.source, companies: row.companies ?? undefined };
    cache.set(hash, { sender, until: now() + CACHE_MS });
    noteUse(row.id);
    return sender;
  };

  return {
    verifyToken,
    async authenticate(request) {
      const [, token] = /^Bearer +(\S{1,512})$/i.exec(request.headers.authorization ?? '') ?? [];
      if (!token)
        throw new ClosewatchError('auth.missing', 'an ingest token is needed: Authorization: Bearer cw_…');
      const sender = await verifyToken(token);
      if (!sender) throw new ClosewatchError('auth.invalid', 'the ingest token is unknown or revoked');
      return sender;
    },
  };
}

/** May a token for `tokenSource` speak for `source`? For itself and what lies below it by `/`; `*` and `/` for every source. */
export function coversSource(tokenSource: string, source: string): boolean {
  if (tokenSource === '*' || tokenSource === '/' || tokenSource === source) return true;
  return source.startsWith(tokenSource.endsWith('/') ? tokenSource : `${tokenSource}/`);
}
