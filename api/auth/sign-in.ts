import { createHash, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Actor } from '../../model/principal.ts';

/** Whoever holds the administrator's token. */
export const ADMINISTRATOR: Actor = {
  kind: 'human',
  id: 'admin',
  name: 'Administrator',
  roles: ['admin'],
  companies: ['*'],
};

const LINK_MINUTES = 15;
const MAX_LINKS = 100;
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** The ways in: the administrator's token, and links that work once. */
export interface SignIn {
  /** Who a bearer token belongs to; undefined for an unknown one. Takes the same time for every wrong one. */
  verify(token: string): Promise<Actor | undefined>;
  /** Who a sign-in token lets in: a link's (once, within 15 minutes), or a bearer token. */
  exchange(token: string): Promise<Actor | undefined>;
  /** A token for one sign-in link. */
  issue(actor?: Actor): string;
  /** The key that signs sessions: the same after a restart, and in every process with the same token. */
  readonly sessionKey: Uint8Array;
}

/** `now` gives epoch milliseconds. Throws for an empty token, with which anybody could sign in. */
export function createSignIn(
  config: { adminToken: string },
  deps: {
    now: () => number;
    /** Whose token it is, of people and services; left out, only the administrator has one. */
    actorOf?: ((token: string) => Promise<Actor | undefined>) | undefined;
  },
): SignIn {
  if (config.adminToken === '') throw new Error("the administrator's token is empty");
  const expected = digest(config.adminToken);
  const links = new Map<string, { actor: Actor; until: number }>();
  const verify = async (token: string): Promise<Actor | undefined> =>
    token !== '' && timingSafeEqual(digest(token), expected) ? ADMINISTRATOR : await deps.actorOf?.(token);
  return {
    verify,
    async exchange(token) {
      const name = digest(token).toString('hex');
      const link = links.get(name);
      if (link) {
        links.delete(name);
        return deps.now() <= link.until ? link.actor : undefined;
      }
      return await verify(token);
    },
    issue(actor = ADMINISTRATOR) {
      const token = randomBytes(24).toString('base64url');
      const oldest = links.keys().next().value;
      if (links.size >= MAX_LINKS && oldest !== undefined) links.delete(oldest);
      links.set(digest(token).toString('hex'), { actor, until: deps.now() + LINK_MINUTES * 60_000 });
      return token;
    },
    sessionKey: new Uint8Array(hkdfSync('sha256', config.adminToken, '', 'closewatch session', 32)),
  };
}
