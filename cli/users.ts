import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { role } from '../model/principal.ts';
import { createPrincipalToken, revokePrincipalTokens } from '../store/postgres/principal-tokens.ts';
import {
  changePerson,
  type Identity,
  linkIdentity,
  listPeople,
  type NewPerson,
  type Person,
  putPerson,
} from '../store/postgres/principals.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

const personId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'an id is a short lower-case word such as sam');
const newPerson = z.strictObject({
  id: personId.refine((id) => id !== 'admin', 'admin is the administrator, by token'),
  name: z.string().min(1).max(256),
  roles: z.array(role).min(1),
  companies: z.array(z.string().min(1).max(128)).min(1),
  by: z.string().max(256),
});
const slackId = z
  .string()
  .regex(/^[UW][A-Z0-9]{5,20}$/, "must be the Slack member's id, such as U0123456789");
const account = z
  .string()
  .max(512)
  .regex(/^\S+ \S+$/, 'must be the source and the id of the account there, such as "/odoo/prod 7"');
const subject = z
  .string()
  .max(512)
  .regex(
    /^https?:\/\/\S+ \S+$/,
    'must be the issuer and the subject there, such as "https://id.example 2482"',
  );
const link = z
  .strictObject({
    id: personId,
    slack: slackId.optional(),
    account: account.optional(),
    email: z.email().max(320).optional(),
    oidc: subject.optional(),
    by: z.string().max(256),
  })
  .refine(({ slack, account, email, oidc }) => [slack, account, email, oidc].filter(Boolean).length === 1, {
    error: 'name one account: --slack, --account, --email or --oidc',
  });

export const addUserTask: Task<Stores, NewPerson & { by: string }, never, { id: string }> = {
  name: 'user-add',
  args: newPerson,
  async run({ postgres }, { by, ...person }) {
    await putPerson(postgres, person, by, new Date());
    return { id: person.id };
  },
};

interface Linked {
  readonly id: string;
  readonly provider: Identity['provider'];
  readonly account: string;
  /** Does it count only once a second person has confirmed it? */
  readonly isPending: boolean;
}

export const linkUserTask: Task<Stores, z.infer<typeof link>, never, Linked> = {
  name: 'user-link',
  args: link,
  async run({ postgres }, { id, by, ...accounts }) {
    const { provider, externalId } = identityOf(accounts);
    await linkIdentity(postgres, id, { provider, externalId }, by, new Date());
    return { id, provider, account: externalId, isPending: provider !== 'slack' };
  },
};

/** The one account that is named. */
function identityOf({
  slack,
  email,
  oidc,
  account: other = '',
}: Omit<z.infer<typeof link>, 'id' | 'by'>): Identity {
  if (slack) return { provider: 'slack', externalId: slack };
  if (email) return { provider: 'email', externalId: email };
  return oidc ? { provider: 'oidc', externalId: oidc } : { provider: 'source', externalId: other };
}

const roleChange = z.strictObject({
  id: personId,
  roles: newPerson.shape.roles.optional(),
  companies: newPerson.shape.companies.optional(),
  disable: z.boolean(),
  by: z.string().max(256),
});

export const roleUserTask: Task<Stores, z.infer<typeof roleChange>, never, { id: string }> = {
  name: 'user-role',
  args: roleChange,
  async run({ postgres }, { id, by, ...change }) {
    await changePerson(postgres, id, change, by, new Date());
    return { id };
  },
};

const newPersonToken = z.strictObject({
  id: personId,
  days: z.number().positive().max(366),
  revoke: z.boolean(),
  by: z.string().max(256),
});

export const tokenUserTask: Task<
  Stores,
  z.infer<typeof newPersonToken>,
  never,
  { id: string; token?: string; revoked?: number }
> = {
  name: 'user-token',
  args: newPersonToken,
  async run({ postgres }, { id, days, revoke, by }) {
    const at = new Date();
    if (revoke) return { id, revoked: await revokePrincipalTokens(postgres, { principal: id, by, at }) };
    const expiresAt = new Date(at.getTime() + days * 86_400_000);
    return { id, token: await createPrincipalToken(postgres, { principal: id, by, at, expiresAt }) };
  },
};

export const listUsersTask: Task<Stores, Record<never, never>, never, Person[]> = {
  name: 'user-list',
  args: z.strictObject({}),
  run: ({ postgres }) => listPeople(postgres),
};

const words = (text: string): string[] =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean);
const by = (): string => userInfo().username;

const add = defineCommand({
  meta: { name: 'add', description: 'Add a person, or change what one may do' },
  args: {
    id: { type: 'positional', description: 'short id, such as sam' },
    name: { type: 'string', description: 'name for people; left out: the id' },
    roles: {
      type: 'string',
      required: true,
      description: 'sre, finance, manager, support, auditor, admin; several with commas',
    },
    companies: {
      type: 'string',
      required: true,
      description: 'company keys, several with commas; * for every company',
    },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const person = newPerson.parse({
        id: args.id,
        name: args.name ?? args.id,
        roles: words(args.roles),
        companies: words(args.companies),
        by: by(),
      });
      const added = await runTask(addUserTask, person, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(added)}\n` : `${added.id} may act now\n`);
      return EXIT.ok;
    }),
});

const linkCommand = defineCommand({
  meta: {
    name: 'link',
    description:
      'Link an account elsewhere to a person: Slack, an account of a source, an address, or of single sign-on',
  },
  args: {
    id: { type: 'positional', description: 'id of the person' },
    slack: { type: 'string', description: "the Slack member's id, such as U0123456789" },
    account: {
      type: 'string',
      description:
        'a source and the id of the account there, such as "/odoo/prod 7": whose documents are whose',
    },
    email: {
      type: 'string',
      description: 'an e-mail address: accounts of which the provider has verified it link themselves',
    },
    oidc: {
      type: 'string',
      description: 'an OpenID Connect issuer and the subject there, such as "https://id.example 2482"',
    },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const linked = await runTask(
        linkUserTask,
        link.parse({
          id: args.id,
          slack: args.slack,
          account: args.account,
          email: args.email,
          oidc: args.oidc,
          by: by(),
        }),
        configOf(args),
      );
      process.stdout.write(
        args.json
          ? `${JSON.stringify(linked)}\n`
          : !linked.isPending
            ? `${linked.account} acts as ${linked.id}\n`
            : `${linked.account} is ${linked.id}'s once a second person confirms it\n`,
      );
      return EXIT.ok;
    }),
});

const list = defineCommand({
  meta: { name: 'list', description: 'List the people, what they may do, and their accounts' },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const users = await runTask(listUsersTask, {}, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify({ users })}\n` : users.map(lineOf).join(''));
      return EXIT.ok;
    }),
});

const lineOf = ({ id, name, roles, companies, identities }: Person): string =>
  `${id}  ${name}  ${roles.join(',')}  ${companies.join(',')}  ${identities.map(({ provider, externalId, isConfirmed }) => `${provider}:${externalId}${isConfirmed ? '' : ' (not confirmed)'}`).join(' ')}\n`;

const roleCommand = defineCommand({
  meta: { name: 'role', description: 'Change the roles or companies of a person, or switch the person off' },
  args: {
    id: { type: 'positional', description: 'id of the person' },
    roles: { type: 'string', description: 'the new roles, several with commas' },
    companies: { type: 'string', description: 'the new companies, several with commas; * for every company' },
    disable: { type: 'boolean', description: 'may do nothing any more, from now on' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const change = roleChange.parse({
        id: args.id,
        ...(args.roles === undefined ? {} : { roles: words(args.roles) }),
        ...(args.companies === undefined ? {} : { companies: words(args.companies) }),
        disable: args.disable ?? false,
        by: by(),
      });
      const changed = await runTask(roleUserTask, change, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(changed)}\n` : `${changed.id} is changed\n`);
      return EXIT.ok;
    }),
});

const tokenCommand = defineCommand({
  meta: {
    name: 'token',
    description:
      'Make a token with which a person signs in, in the console or as a bearer token; it is printed once',
  },
  args: {
    id: { type: 'positional', description: 'id of the person' },
    days: { type: 'string', default: '90', description: 'how long it holds' },
    revoke: { type: 'boolean', description: 'end every token of the person instead' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const wish = newPersonToken.parse({
        id: args.id,
        days: Number(args.days),
        revoke: args.revoke ?? false,
        by: by(),
      });
      const made = await runTask(tokenUserTask, wish, configOf(args));
      const text = made.token ?? `${made.revoked} tokens of ${made.id} ended`;
      process.stdout.write(args.json ? `${JSON.stringify(made)}\n` : `${text}\n`);
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: { name: 'users', description: 'People: what they may do, and which accounts elsewhere are whose' },
  subCommands: { add, link: linkCommand, role: roleCommand, token: tokenCommand, list },
});
