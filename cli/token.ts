import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { ClosewatchError } from '../model/errors.ts';
import {
  createSigningSecret,
  listSigningSecrets,
  type NewSecret,
  revokeSigningSecret,
  rotateSigningSecret,
} from '../store/postgres/signing-secrets.ts';
import { createToken, listTokens, revokeToken } from '../store/postgres/tokens.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import { sealerOf } from './secrets.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly companies: readonly string[] | null;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

interface ListedSecret {
  readonly id: string;
  readonly source: string;
  readonly alone: boolean;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly lastUsedAt: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

const newToken = z.strictObject({
  name: z.string().min(1).max(256),
  source: z.string().min(1).max(1024),
  companies: z.array(z.string().min(1).max(128)).min(1).max(100).optional(),
  createdBy: z.string().max(256),
  signed: z.enum(['no', 'too', 'only']),
});

/** A token, a secret, or both, as they were asked for. */
interface Made {
  readonly source: string;
  readonly id?: string | undefined;
  readonly token?: string | undefined;
  readonly secretId?: string | undefined;
  readonly secret?: string | undefined;
}

export const createTokenTask: Task<Stores, z.infer<typeof newToken>, never, Made> = {
  name: 'token-create',
  args: newToken,
  async run({ postgres, config }, { signed, ...given }) {
    const { source, createdBy } = given;
    const wish = { source, createdBy, alone: signed === 'only', at: new Date() };
    // The secret first: when it fails, no token was made that nobody knows.
    const secret = signed === 'no' ? undefined : await createSigningSecret(postgres, sealerOf(config), wish);
    const token = signed === 'only' ? undefined : await createToken(postgres, given);
    return { source, ...token, secretId: secret?.id, secret: secret?.secret };
  },
};

export const listTokensTask: Task<
  Stores,
  Record<never, never>,
  never,
  { tokens: ListedToken[]; secrets: ListedSecret[] }
> = {
  name: 'token-list',
  args: z.strictObject({}),
  run: async ({ postgres }) => ({
    tokens: (await listTokens(postgres)).map((token) => ({
      ...token,
      createdAt: token.createdAt.toISOString(),
      lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
      revokedAt: token.revokedAt?.toISOString() ?? null,
    })),
    secrets: (await listSigningSecrets(postgres)).map((secret) => ({
      ...secret,
      createdAt: secret.createdAt.toISOString(),
      lastUsedAt: secret.lastUsedAt?.toISOString() ?? null,
      expiresAt: secret.expiresAt?.toISOString() ?? null,
      revokedAt: secret.revokedAt?.toISOString() ?? null,
    })),
  }),
};

const rotateArgs = z.strictObject({
  id: z.string().min(1).max(64),
  overlapMs: z.int().nonnegative(),
  by: z.string().max(256),
});

export const rotateSecretTask: Task<
  Stores,
  z.infer<typeof rotateArgs>,
  never,
  NewSecret & { readonly oldHoldsUntil: string }
> = {
  name: 'token-rotate',
  args: rotateArgs,
  async run({ postgres, config }, { id, overlapMs, by }) {
    const at = new Date();
    const until = new Date(at.getTime() + overlapMs);
    return await rotateSigningSecret(postgres, sealerOf(config), { id, until, by, at });
  },
};

interface Revoked {
  readonly id: string;
  /** Of a secret: its source, and how many it has left. */
  readonly source?: string;
  readonly left?: number;
}

export const revokeTokenTask: Task<Stores, { id: string; by: string }, never, Revoked> = {
  name: 'token-revoke',
  args: z.strictObject({ id: z.string().min(1).max(64), by: z.string().max(256) }),
  run: async ({ postgres }, { id, by }) => {
    const secret = await revokeSigningSecret(postgres, id, by, new Date());
    if (!secret) await revokeToken(postgres, id, by, new Date());
    return { id, ...secret };
  },
};

const create = defineCommand({
  meta: {
    name: 'create',
    description:
      'Make an ingest token for a source, and with --signed a secret with which its requests must be signed; their texts are printed once and never again',
  },
  args: {
    source: {
      type: 'string',
      required: true,
      description:
        'what it may send for: this source and those below it, such as /odoo/prod; * for every source',
    },
    name: { type: 'string', description: 'what it is for; left out: the source' },
    company: {
      type: 'string',
      description: 'the companies that it may send for, such as acme,globex; left out: all',
    },
    signed: {
      type: 'boolean',
      description:
        'requests must be signed too, as Standard Webhooks says: prints the token, then the secret',
    },
    'signature-only': {
      type: 'boolean',
      description:
        'for senders that cannot send a token: prints a secret alone; requests go to /v1/events?source=…',
    },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const { source, name = source } = args;
      const signed = args['signature-only'] ? 'only' : args.signed ? 'too' : 'no';
      const companies = args.company?.split(',').map((one) => one.trim());
      if (companies && signed === 'only')
        throw new ClosewatchError('config.invalid', '--company binds a token; --signature-only makes none');
      const given = { name, source, companies, createdBy: userInfo().username, signed } as const;
      const made = await runTask(createTokenTask, given, configOf(args));
      const texts = [made.token, made.secret].filter((text) => text !== undefined);
      process.stdout.write(args.json ? `${JSON.stringify(made)}\n` : `${texts.join('\n')}\n`);
      return EXIT.ok;
    }),
});

const list = defineCommand({
  meta: { name: 'list', description: 'List the ingest tokens and signing secrets, never their text' },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const { tokens, secrets } = await runTask(listTokensTask, {}, configOf(args));
      if (args.json) process.stdout.write(`${JSON.stringify({ tokens, secrets })}\n`);
      else process.stdout.write([...tokens.map(lineOf), ...secrets.map(lineOfSecret)].join(''));
      return EXIT.ok;
    }),
});

const lineOf = (token: ListedToken): string => {
  const state = token.revokedAt ? `revoked ${token.revokedAt}` : `last used ${token.lastUsedAt ?? 'never'}`;
  const companies = token.companies ? `  for ${token.companies.join(', ')}` : '';
  return `${token.id}  ${token.source}${companies}  ${token.name}  created ${token.createdAt}, ${state}\n`;
};

const lineOfSecret = (secret: ListedSecret): string => {
  const { id, source, alone, createdAt, lastUsedAt, expiresAt, revokedAt } = secret;
  const end = revokedAt ? `, revoked ${revokedAt}` : expiresAt ? `, holds until ${expiresAt}` : '';
  const kind = alone ? 'signature only' : 'signature beside the token';
  return `${id}  ${source}  ${kind}  created ${createdAt}, last used ${lastUsedAt ?? 'never'}${end}\n`;
};

const DAY_MS = 86_400_000;

function overlapOf(text: string | undefined): number {
  if (text === undefined) return DAY_MS;
  const duration = parseDuration(text);
  if (duration?.clock === 'elapsed') return Number(duration.nanos / 1_000_000n);
  throw new ClosewatchError('config.invalid', `--overlap: ${text} is no time such as 12h or 7d`);
}

const rotate = defineCommand({
  meta: {
    name: 'rotate',
    description: 'Make a new signing secret beside an old one, which holds for a while yet; printed once',
  },
  args: {
    id: { type: 'positional', description: 'id of the signing secret, as list shows it' },
    overlap: { type: 'string', description: 'how long the old one still holds: 12h, 7d; left out: 1d' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const wish = { id: args.id, overlapMs: overlapOf(args.overlap), by: userInfo().username };
      const made = await runTask(rotateSecretTask, wish, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(made)}\n` : `${made.secret}\n`);
      process.stderr.write(`the old secret holds until ${made.oldHoldsUntil}\n`);
      return EXIT.ok;
    }),
});

const revoke = defineCommand({
  meta: {
    name: 'revoke',
    description: 'Revoke an ingest token or a signing secret; it is refused within five seconds',
  },
  args: {
    id: { type: 'positional', description: 'id of the token or secret, as list shows it' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const { id, source, left } = await runTask(
        revokeTokenTask,
        { id: args.id, by: userInfo().username },
        configOf(args),
      );
      process.stdout.write(args.json ? `${JSON.stringify({ revoked: id })}\n` : `revoked ${id}\n`);
      if (left === 0)
        process.stderr.write(
          `${source} has no signing secret left: with an ingest token its requests are taken unsigned\n`,
        );
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: {
    name: 'token',
    description: 'Ingest tokens and signing secrets: who may send to the collector, and for which source',
  },
  subCommands: { create, list, rotate, revoke },
});
