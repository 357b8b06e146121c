import { createRemoteJWKSet, errors, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { z } from 'zod';
import type { Actor } from '../../model/principal.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { linkByEmail, principalOfIdentity } from '../../store/postgres/identities.ts';

export interface OidcConfig {
  /** The issuer as its tokens name it: its keys are found at `/.well-known/openid-configuration` below it. */
  readonly issuer: string;
  /** Whom the tokens must be for. */
  readonly audience: string;
}

const TIMEOUT_MS = 5_000;
const MAX_DISCOVERY_BYTES = 100_000;
const CLOCK_TOLERANCE_S = 30;
/** Signatures of the issuer's own private key: never one whose key others hold too, never none. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

const discovery = z.object({ issuer: z.string(), jwks_uri: z.url({ protocol: /^https?$/ }) });
const claims = z.object({
  sub: z.string().min(1).max(255),
  email: z.string().max(320).optional().catch(undefined),
  email_verified: z.literal(true).optional().catch(undefined),
});

/** Has the token the form of a JSON Web Token? */
export const isJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]+$/.test(token);

/**
 * Whose a token of an OpenID Connect issuer is (OpenID Connect Core 1.0, 3.1.3.7; RFC 8725): the person to whom issuer and subject are
 * linked, or who has the e-mail address that the issuer says it has verified. Undefined for a token that is not valid now, and for
 * nobody's. An issuer that cannot be reached lets nobody in, and is asked again at the next token.
 */
export function createOidc(
  config: OidcConfig,
  { postgres, logger, now }: { postgres: Postgres; logger: Logger; now: () => Date },
): (token: string) => Promise<Actor | undefined> {
  let keys: Promise<JWTVerifyGetKey> | undefined;

  async function discover(): Promise<JWTVerifyGetKey> {
    const address = `${config.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
    const response = await fetch(address, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
    if (!response.ok) throw new Error(`the issuer answered ${response.status}`);
    const text = await response.text();
    if (text.length > MAX_DISCOVERY_BYTES) throw new Error("the issuer's configuration is too long");
    const found = discovery.parse(JSON.parse(text));
    if (found.issuer !== config.issuer) throw new Error('the issuer calls itself by another name');
    return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: TIMEOUT_MS });
  }

  const keysOf = (): Promise<JWTVerifyGetKey> => {
    keys ??= discover().catch((error: unknown) => {
      keys = undefined;
      throw error;
    });
    return keys;
  };

  return async (token) => {
    if (!isJwt(token)) return undefined;
    try {
      const { payload } = await jwtVerify(token, await keysOf(), {
        issuer: config.issuer,
        audience: config.audience,
        algorithms: ALGORITHMS,
        requiredClaims: ['sub', 'exp', 'iat'],
        clockTolerance: CLOCK_TOLERANCE_S,
        currentDate: now(),
      });
      const { sub, email, email_verified: isVerified } = claims.parse(payload);
      const account = { provider: 'oidc', externalId: `${config.issuer} ${sub}` } as const;
      const known = await principalOfIdentity(postgres, account.provider, account.externalId);
      const found =
        known ??
        (email && isVerified
          ? await linkByEmail(postgres, { ...account, verifiedEmail: email }, now())
          : undefined);
      return found?.kind === 'model' ? undefined : found;
    } catch (error) {
      const isUnusable = error instanceof errors.JOSEError || error instanceof z.ZodError;
      // Of a token that is not valid nothing is told; that the issuer cannot be asked, the operator must know.
      if (!isUnusable || error instanceof errors.JWKSTimeout || error instanceof z.ZodError)
        logger.warn(
          { issuer: config.issuer, error: (error as Error).message.slice(0, 300) },
          'a token of the issuer could not be checked',
        );
      return undefined;
    }
  };
}
