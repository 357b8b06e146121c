import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { deprovision } from '../collector/odoo/provision.ts';
import { connectOdoo } from '../odoo/client.ts';
import { briskPace } from '../odoo/pace.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { agreed, given, givenSecret, say } from './odoo-questions.ts';
import { findOdoo, removeOdooTask } from './odoo-tasks.ts';
import { runTask } from './run-task.ts';

export default defineCommand({
  meta: {
    name: 'disconnect',
    description: 'Stop watching an Odoo and take away what connect made in it; what it told stays',
  },
  args: {
    name: { type: 'positional', description: 'what it is called here: prod of /odoo/prod' },
    login: { type: 'string', description: 'a login with Administration / Settings; asked for when left out' },
    'secret-file': { type: 'string', description: 'file with its API key or password, - for standard input' },
    forget: { type: 'boolean', description: 'only stop watching it: leave in Odoo what is there' },
    yes: { type: 'boolean', description: 'do not ask' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args);
      const odooSource = await findOdoo(args.name, config);
      const { source, url, database, installed } = odooSource;
      let removals: Awaited<ReturnType<typeof deprovision>> = [];
      if (!args.forget && installed.made.length > 0) {
        const login = await given(args.login, '--login', 'Login with Settings?');
        const secret = await givenSecret(args['secret-file'], '--secret-file', 'API key or password?');
        const odoo = await connectOdoo({
          ...{ url, login, secret, pace: briskPace(url) },
          database: database ?? undefined,
        });
        await agreed(args.yes, `Take ${installed.made.length} records away from ${url}?`);
        removals = await deprovision(odoo, installed.made);
      } else await agreed(args.yes, `Stop watching ${source}?`);
      const failed = removals.filter(({ outcome }) => outcome === 'failed');
      // What is left would never be found again.
      if (failed.length === 0) await runTask(removeOdooTask, { source, by: userInfo().username }, config);
      if (args.json) say(JSON.stringify({ source, removals, disconnected: failed.length === 0 }));
      else {
        for (const { model, id, outcome, reason } of removals)
          if (outcome !== 'removed')
            say(`${model} ${id}: ${outcome}${reason === undefined ? '' : `, ${reason}`}`);
        const count = removals.filter(({ outcome }) => outcome === 'removed').length;
        say(
          failed.length === 0
            ? `Disconnected ${source}; ${count} records were taken away.`
            : `${source} is still connected.`,
        );
      }
      return failed.length === 0 ? EXIT.ok : EXIT.failed;
    }),
});
