import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { role } from '../model/principal.ts';
import {
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
const link = z.strictObject({
  id: personId,
  slack: z.string().regex(/^[UW][A-Z0-9]{5,20}$/, "must be the Slack member's id, such as U0123456789"),
  by: z.string().max(256),
});

export const addUserTask: Task<Stores, NewPerson & { by: string }, never, { id: string }> = {
  name: 'user-add',
  args: newPerson,
  async run({ postgres }, { by, ...person }) {
    await putPerson(postgres, person, by, new Date());
    return { id: person.id };
  },
};

export const linkUserTask: Task<Stores, z.infer<typeof link>, never, { id: string; slack: string }> = {
  name: 'user-link',
  args: link,
  async run({ postgres }, { id, slack, by }) {
    await linkIdentity(postgres, id, { provider: 'slack', externalId: slack }, by, new Date());
    return { id, slack };
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
    description: "Link a person's Slack account, so that the buttons count for that person",
  },
  args: {
    id: { type: 'positional', description: 'id of the person' },
    slack: { type: 'string', required: true, description: "the Slack member's id, such as U0123456789" },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const linked = await runTask(
        linkUserTask,
        link.parse({ id: args.id, slack: args.slack, by: by() }),
        configOf(args),
      );
      process.stdout.write(
        args.json ? `${JSON.stringify(linked)}\n` : `${linked.slack} acts as ${linked.id}\n`,
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
  `${id}  ${name}  ${roles.join(',')}  ${companies.join(',')}  ${identities.map(({ provider, externalId }) => `${provider}:${externalId}`).join(' ')}\n`;

export default defineCommand({
  meta: { name: 'users', description: 'People: what they may do, and which Slack account is whose' },
  subCommands: { add, link: linkCommand, list },
});
