import type { IncomingMessage } from 'node:http';
import { ClosewatchError } from '../../model/errors.ts';
import type { Actor } from '../../model/principal.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import { findActor } from '../../store/postgres/principal-queries.ts';
import type { Sessions } from './session.ts';
import { ADMINISTRATOR, type SignIn } from './sign-in.ts';

/** The header that a page of ours adds: another site's cannot without a preflight, which nobody answers. */
const CSRF_HEADER = 'closewatch-request';

/**
 * Who sends the request: by `Authorization: Bearer`, or by the session cookie, which counts only with our own header and
 * from our own origin. Throws `auth.missing`, `auth.invalid`, or `auth.forbidden` for a request from elsewhere.
 */
export async function authenticate(
  request: IncomingMessage,
  deps: { signIn: SignIn; sessions: Sessions; postgres: Postgres; now: Date },
): Promise<Actor> {
  const { authorization } = request.headers;
  if (authorization !== undefined) {
    // A proxy that adds the header for its own cookie adds it to what another site sends, too.
    if (request.headers['sec-fetch-site'] === 'cross-site') refuseForeign();
    const token = /^Bearer ([\x21-\x7e]{1,8192})$/i.exec(authorization)?.[1];
    const actor = token && (await deps.signIn.verify(token));
    if (!actor) throw new ClosewatchError('auth.invalid', 'the bearer token is not known');
    return actor;
  }
  const principal = await deps.sessions.read(request.headers.cookie, deps.now);
  if (principal === undefined)
    throw new ClosewatchError('auth.missing', 'sign in, or send Authorization: Bearer <token>');
  requireOwnOrigin(request);
  const actor = principal === ADMINISTRATOR.id ? ADMINISTRATOR : await findActor(deps.postgres, principal);
  if (!actor) throw new ClosewatchError('auth.invalid', 'this account is no longer active');
  return actor;
}

/** Throws `auth.forbidden` unless the request carries our header and, when a browser names its origin, ours. */
export function requireOwnOrigin(request: IncomingMessage): void {
  const { origin, host } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const foreign =
    request.headers[CSRF_HEADER] === undefined ||
    (site !== undefined && site !== 'same-origin') ||
    (origin !== undefined && hostOf(origin) !== host);
  if (foreign) refuseForeign();
}

function refuseForeign(): never {
  throw new ClosewatchError('auth.forbidden', 'the request comes from another site');
}

const hostOf = (origin: string): string | undefined =>
  URL.canParse(origin) ? new URL(origin).host : undefined;
