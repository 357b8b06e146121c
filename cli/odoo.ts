import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { connectOdoo } from '../odoo/client.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import connect from './odoo-connect.ts';
import disconnect from './odoo-disconnect.ts';
import doctor from './odoo-doctor.ts';
import { given, givenSecret, say } from './odoo-questions.ts';
import { findOdoo, type ListedOdoo, listOdoosTask, setWriterTask } from './odoo-tasks.ts';
import { runTask } from './run-task.ts';

const list = defineCommand({
  meta: { name: 'list', description: 'List the Odoos that are watched, and how far each is read' },
  args: { ...commonFlags, ...jsonFlag },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const odoos = await runTask(listOdoosTask, {}, configOf(args));
      if (args.json) say(JSON.stringify(odoos));
      else if (odoos.length === 0) say('No Odoo is connected: closewatch odoo connect');
      else for (const one of odoos) say(lineOf(one));
      return EXIT.ok;
    }),
});

const lineOf = ({ source, url, state }: ListedOdoo): string => {
  const how = state.error
    ? `failing since ${state.error.since}: ${state.error.code}`
    : `read up to ${state.completeUpTo ?? 'not yet'}`;
  const { backfill } = state;
  const history = backfill && !backfill.finishedAt ? `, history ${backfill.done} of ${backfill.total}` : '';
  return `${source}  ${url}  Odoo ${state.version ?? '?'}  ${how}${history}`;
};

const writer = defineCommand({
  meta: {
    name: 'writer',
    description:
      'Give an Odoo the credential that approved actions run with, or take it away; without one none runs',
  },
  args: {
    name: { type: 'positional', description: 'what it is called here: prod of /odoo/prod' },
    login: { type: 'string', description: 'a user who may do what actions do, and no more' },
    'secret-file': { type: 'string', description: 'file with the API key or password, - for standard input' },
    remove: { type: 'boolean', description: 'take it away: no action runs in this Odoo any more' },
    ...commonFlags,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args);
      const { source, url, database } = await findOdoo(args.name, config);
      if (args.remove) {
        await runTask(setWriterTask, { source, writer: null, by: userInfo().username }, config);
        say(`${source}: no action runs there any more.`);
        return EXIT.ok;
      }
      const login = await given(args.login, '--login', 'Login of the writer?');
      const secret = await givenSecret(args['secret-file'], '--secret-file', 'API key or password?');
      await connectOdoo({ url, database: database ?? undefined, login, secret });
      await runTask(setWriterTask, { source, writer: { login, secret }, by: userInfo().username }, config);
      say(`${source}: approved actions run as ${login}.`);
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: { name: 'odoo', description: 'The Odoos that are watched: connect, look after, disconnect' },
  subCommands: { connect, disconnect, list, doctor, writer },
});
