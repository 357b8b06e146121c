import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { createToken, listTokens, revokeToken } from '../store/postgres/tokens.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

interface NewToken {
  readonly name: string;
  readonly source: string;
  readonly createdBy: string;
}

interface ListedToken {
  readonly id: string;
  readonly name: string;
  readonly source: string;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
}

export const createTokenTask: Task<Stores, NewToken, never, { id: string; token: string }> = {
  name: 'token-create',
  args: z.strictObject({
    name: z.string().min(1).max(256),
    source: z.string().min(1).max(1024),
    createdBy: z.string().max(256),
  }),
  run: ({ postgres }, args) => createToken(postgres, args),
};

export const listTokensTask: Task<Stores, Record<never, never>, never, ListedToken[]> = {
  name: 'token-list',
  args: z.strictObject({}),
  run: async ({ postgres }) =>
    (await listTokens(postgres)).map((token) => ({
      ...token,
      createdAt: token.createdAt.toISOString(),
      lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
      revokedAt: token.revokedAt?.toISOString() ?? null,
    })),
};

export const revokeTokenTask: Task<Stores, { id: string }, never, { id: string }> = {
  name: 'token-revoke',
  args: z.strictObject({ id: z.string().min(1).max(64) }),
  run: async ({ postgres }, { id }) => {
    await revokeToken(postgres, id, new Date());
    return { id };
  },
};

const create = defineCommand({
  meta: {
    name: 'create',
    description: 'Make an ingest token for a source; its text is printed once and never again',
  },
  args: {
    source: {
      type: 'string',
      required: true,
      description:
        'what it may send for: this source and those below it, such as /odoo/prod; * for every source',
    },
    name: { type: 'string', description: 'what it is for; left out: the source' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const given = { name: args.name ?? args.source, source: args.source, createdBy: userInfo().username };
      const made = await runTask(createTokenTask, given, configOf(args));
      if (args.json) process.stdout.write(`${JSON.stringify({ ...made, source: args.source })}\n`);
      else process.stdout.write(`${made.token}\n`);
      return EXIT.ok;
    }),
});

const list = defineCommand({
  meta: { name: 'list', description: 'List the ingest tokens, never their text' },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const tokens = await runTask(listTokensTask, {}, configOf(args));
      if (args.json) process.stdout.write(`${JSON.stringify({ tokens })}\n`);
      else process.stdout.write(tokens.map(lineOf).join(''));
      return EXIT.ok;
    }),
});

const lineOf = (token: ListedToken): string => {
  const state = token.revokedAt ? `revoked ${token.revokedAt}` : `last used ${token.lastUsedAt ?? 'never'}`;
  return `${token.id}  ${token.source}  ${token.name}  created ${token.createdAt}, ${state}\n`;
};

const revoke = defineCommand({
  meta: { name: 'revoke', description: 'Revoke an ingest token; it is refused within five seconds' },
  args: {
    id: { type: 'positional', description: 'id of the token, as list shows it' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      await runTask(revokeTokenTask, { id: args.id }, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify({ revoked: args.id })}\n` : `revoked ${args.id}\n`);
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: { name: 'token', description: 'Ingest tokens: who may send to the collector, and for which source' },
  subCommands: { create, list, revoke },
});
