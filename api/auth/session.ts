import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';

const ISSUER = 'closewatch';
const COOKIE = 'closewatch_session';
const claims = z.object({ sub: z.string().min(1) });

export interface SessionConfig {
  readonly key: Uint8Array;
  readonly hours: number;
  /** The cookie is sent over HTTPS only. */
  readonly secure: boolean;
}

/** Sessions are short signed tokens that say who, never what they may do: that is looked up at each request. */
export interface Sessions {
  /** The Set-Cookie header of a new session. */
  open(principal: string, now: Date): Promise<string>;
  /** The Set-Cookie header that ends it. */
  readonly close: string;
  /** Whose session the Cookie header holds; undefined when there is none that is valid now. */
  read(cookies: string | undefined, now: Date): Promise<string | undefined>;
}

export function createSessions(config: SessionConfig): Sessions {
  const attributes = `Path=/; HttpOnly; SameSite=Strict${config.secure ? '; Secure' : ''}`;
  return {
    async open(principal, now) {
      const issued = Math.floor(now.getTime() / 1_000);
      const token = await new SignJWT({})
        .setProtectedHeader({ alg: 'HS256' })
        .setIssuer(ISSUER)
        .setSubject(principal)
        .setIssuedAt(issued)
        .setExpirationTime(issued + config.hours * 3_600)
        .sign(config.key);
      return `${COOKIE}=${token}; ${attributes}; Max-Age=${config.hours * 3_600}`;
    },
    close: `${COOKIE}=; ${attributes}; Max-Age=0`,
    async read(cookies, now) {
      const token = /(?:^|;\s*)closewatch_session=([^;\s]{1,4096})/.exec(cookies ?? '')?.[1];
      if (!token) return undefined;
      try {
        const { payload } = await jwtVerify(token, config.key, {
          issuer: ISSUER,
          algorithms: ['HS256'],
          requiredClaims: ['sub', 'exp', 'iat'],
          currentDate: now,
        });
        return claims.parse(payload).sub;
      } catch (error) {
        if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined;
        throw error;
      }
    },
  };
}
