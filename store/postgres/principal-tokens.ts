import { createHash, randomBytes } from 'node:crypto';
import { ClosewatchError } from '../../model/errors.ts';
import type { Actor } from '../../model/principal.ts';
import { appendChanges, settingChange } from './change-log.ts';
import type { Postgres } from './database.ts';
import { findActor } from './principal-queries.ts';

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/**
 * A token with which a person or service is let in, until `expiresAt`. Its text is returned once and never stored. Throws `not-found` for nobody.
 */
export async function createPrincipalToken(
  postgres: Postgres,
  { principal, by, at, expiresAt }: { principal: string; by: string; at: Date; expiresAt: Date },
): Promise<string> {
  const actor = await findActor(postgres, principal);
  if (!actor) throw new ClosewatchError('not-found', `there is no person ${principal}`);
  const token = `cwp_${randomBytes(32).toString('base64url')}`;
  await postgres.db.transaction().execute(async (trx) => {
    const row = {
      token_hash: hashOf(token),
      principal,
      created_at: at,
      created_by: by,
      expires_at: expiresAt,
    };
    await trx.insertInto('principal_tokens').values(row).execute();
    const data = { expiresAt: expiresAt.toISOString() };
    await appendChanges(trx, [settingChange(`principal:${principal}`, 'token created', { by, at, data })]);
  });
  return token;
}

/** Ends every token of a principal; returns how many held. */
export async function revokePrincipalTokens(
  { db }: Postgres,
  { principal, by, at }: { principal: string; by: string; at: Date },
): Promise<number> {
  return await db.transaction().execute(async (trx) => {
    const { numUpdatedRows } = await trx
      .updateTable('principal_tokens')
      .set({ revoked_at: at })
      .where('principal', '=', principal)
      .where('revoked_at', 'is', null)
      .executeTakeFirst();
    const ended = Number(numUpdatedRows);
    if (ended > 0) {
      const data = { ended };
      await appendChanges(trx, [settingChange(`principal:${principal}`, 'tokens revoked', { by, at, data })]);
    }
    return ended;
  });
}

/** Whose token it is, as the principal is now; undefined for one that is not known, was revoked or is over. */
export async function actorOfToken(postgres: Postgres, token: string, now: Date): Promise<Actor | undefined> {
  if (!token.startsWith('cwp_')) return undefined;
  const row = await postgres.db
    .selectFrom('principal_tokens')
    .select('principal')
    .where('token_hash', '=', hashOf(token))
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row && (await findActor(postgres, row.principal));
}
