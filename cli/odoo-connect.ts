import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { defineCommand } from 'citty';
import { openHistory } from '../collector/odoo/history.ts';
import {
  type ConnectPlan,
  deprovision,
  type Made,
  missingRights,
  planConnect,
  provision,
} from '../collector/odoo/provision.ts';
import { hashOfSecret } from '../collector/odoo/webhook.ts';
import { parseDuration } from '../model/duration.ts';
import { ClosewatchError } from '../model/errors.ts';
import { connectOdoo, type Odoo } from '../odoo/client.ts';
import { briskPace } from '../odoo/pace.ts';
import { readCompanies } from './catalogue.ts';
import type { Config } from './config.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { type Connected, connectedText, planText } from './odoo-plan.ts';
import { agreed, given, givenSecret, say } from './odoo-questions.ts';
import { addOdooTask, companyKeyOf, listOdoosTask, removeOdooTask, sourceOf } from './odoo-tasks.ts';
import { runTask } from './run-task.ts';
import { findRunning } from './running.ts';

/** How far back is told: `365d`, `all`, `none`. */
function historyFromOf(text: string, now: Date): Date {
  if (text === 'all') return new Date(0);
  if (text === 'none') return now;
  const duration = parseDuration(text);
  if (duration?.clock !== 'elapsed')
    throw new ClosewatchError(
      'config.invalid',
      `--history: ${text} is neither a time such as 365d nor all or none`,
    );
  return new Date(now.getTime() - Number(duration.nanos / 1_000_000n));
}

/** Where Odoo reaches the collector; undefined, with the reason, when it cannot. */
async function hooksBaseOf(
  config: Config,
  odooUrl: string,
  asked: string | undefined,
): Promise<{ readonly url: string | undefined; readonly why?: string }> {
  if (asked !== undefined) return { url: asked.replace(/\/+$/, '') };
  const running = await findRunning(config.dataDir);
  const port = running?.ports.collector ?? config.collectorPort;
  const isNear = (host: string): boolean => ['127.0.0.1', 'localhost', '[::1]'].includes(host);
  const isEverywhere = ['0.0.0.0', '::'].includes(config.bind);
  if (isNear(new URL(odooUrl).hostname))
    return { url: `http://${isEverywhere ? '127.0.0.1' : config.bind}:${port}` };
  if (isNear(config.bind) || isEverywhere)
    return {
      url: undefined,
      why: isEverywhere
        ? '--hooks-url says by which name Odoo reaches the collector'
        : `the collector listens on ${config.bind} alone: --hooks-url says where Odoo reaches it`,
    };
  return { url: `http://${config.bind}:${port}` };
}

export default defineCommand({
  meta: {
    name: 'connect',
    description:
      'Watch an Odoo: checks it, shows what would be made in it, makes a reader with the rights to read and the rules that tell of changes, and tries all of it',
  },
  args: {
    url: { type: 'string', description: 'where Odoo is, https://erp.example.com; asked for when left out' },
    database: { type: 'string', description: 'its database; left out: the only one that there is' },
    login: {
      type: 'string',
      description:
        'a login with Administration / Settings, used now and never kept; with --read-only the reader itself',
    },
    'secret-file': {
      type: 'string',
      description: 'file with its API key or password, - for standard input; asked for when left out',
    },
    name: {
      type: 'string',
      description: 'what it is called here: its source is /odoo/<name>',
      default: 'prod',
    },
    'read-only': {
      type: 'boolean',
      description: 'make nothing in Odoo: read with this login, by polling alone',
    },
    'reader-login': {
      type: 'string',
      description: 'an existing user who is to be the reader; left out: one is made',
    },
    'reader-secret-file': { type: 'string', description: 'file with the API key or password of that reader' },
    hooks: {
      type: 'boolean',
      default: true,
      description: 'have Odoo tell of changes at once (--no-hooks: do not)',
    },
    'hooks-url': {
      type: 'string',
      description: 'where Odoo reaches the collector, https://closewatch.example.com',
    },
    history: {
      type: 'string',
      default: '365d',
      description: 'how much of the past is told: 365d, all, none',
    },
    'calls-per-second': {
      type: 'string',
      description: 'how many calls may begin in a second; left out: 5, Odoo Online 1',
    },
    plan: { type: 'boolean', description: 'show what would be made, and make nothing' },
    yes: { type: 'boolean', description: 'do not ask' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const config = configOf(args);
      const tell = args.json ? () => {} : say;
      const url = (await given(args.url, '--url', 'Where is Odoo? (https://erp.example.com)')).replace(
        /\/+$/,
        '',
      );
      if (!URL.canParse(url) || !/^https?:/.test(url))
        throw new ClosewatchError(
          'config.invalid',
          `--url: ${url} is no address such as https://erp.example.com`,
        );
      const source = sourceOf(args.name);
      if ((await runTask(listOdoosTask, {}, config)).some((one) => one.source === source))
        throw new ClosewatchError(
          'state.conflict',
          `${source} is connected already: disconnect it first, or give another --name`,
        );
      const login = await given(
        args.login,
        '--login',
        args['read-only'] ? 'Login of the reader?' : 'Login with Settings?',
      );
      const secret = await givenSecret(args['secret-file'], '--secret-file', 'API key or password?');
      const perSecond = args['calls-per-second'] === undefined ? undefined : Number(args['calls-per-second']);
      if (perSecond !== undefined && !(perSecond > 0 && perSecond <= 1000))
        throw new ClosewatchError('config.invalid', '--calls-per-second must be a number from 0 to 1000');
      const pace = perSecond === undefined ? undefined : { perSecond, parallel: perSecond > 1 ? 2 : 1 };
      const brisk = pace ?? briskPace(url);
      const odoo = await connectOdoo({ url, database: args.database, login, secret, pace: brisk });
      const historyFrom = historyFromOf(args.history, odoo.clock.now());
      const companies = await readCompanies(config);
      const keyOf = (id: number) => companyKeyOf(source, id, companies);
      const base = {
        ...{ source, url, pace },
        database: odoo.database,
        liveFrom: odoo.clock.now().toISOString(),
        historyFrom: historyFrom.toISOString(),
        by: userInfo().username,
      };

      if (args['read-only']) {
        tell(`Odoo ${odoo.version.text}, read by polling alone; nothing is made in it.`);
        if (args.plan) return EXIT.ok;
        await runTask(
          addOdooTask,
          { ...base, reader: { login, secret }, installed: { made: [], hooked: [] } },
          config,
        );
        return report(await examined(odoo, source, login, { hooks: false, keyOf }), args.json);
      }

      const hooks = args.hooks ? await hooksBaseOf(config, url, args['hooks-url']) : { url: undefined };
      const plan = await planConnect(odoo, { hooks: hooks.url !== undefined });
      tell(
        planText(plan, {
          url,
          source,
          login,
          hooksUrl: hooks.url,
          why: hooks.why,
          reader: args['reader-login'],
          keyOf,
        }),
      );
      if (args.plan) {
        if (args.json) say(JSON.stringify(planJson(plan)));
        return EXIT.ok;
      }
      await agreed(args.yes, 'Make this in Odoo?');
      const readerSecret =
        args['reader-login'] === undefined
          ? undefined
          : await givenSecret(
              args['reader-secret-file'],
              '--reader-secret-file',
              'API key or password of the reader?',
            );
      const hookSecret = randomBytes(24).toString('base64url');
      const hookUrl =
        hooks.url === undefined || plan.hooks.length === 0
          ? undefined
          : `${hooks.url}${source}/${hookSecret}`;
      const made: Made[] = [];
      let isAdded = false;
      try {
        const reader = await provision(odoo, plan, { readerLogin: args['reader-login'], hookUrl }, (one) =>
          made.push(one),
        );
        const credential = { login: reader.login, secret: reader.password ?? readerSecret ?? '' };
        const asReader = await connectOdoo({ url, database: odoo.database, ...credential, pace: brisk });
        await runTask(
          addOdooTask,
          {
            ...base,
            reader: credential,
            ...(hookUrl === undefined ? {} : { hookHash: hashOfSecret(hookSecret).toString('hex') }),
            installed: {
              made,
              hooked: hookUrl ? [...new Set(plan.hooks.map(({ model }) => model as string))] : [],
            },
          },
          config,
        );
        isAdded = true;
        const examination = await examined(asReader, source, reader.login, {
          hooks: hookUrl !== undefined,
          keyOf,
        });
        const webhookTest = hookUrl === undefined ? 'not-tested' : await tryHooks(odoo, made, source, config);
        return report({ ...examination, webhookTest }, args.json);
      } catch (error) {
        if (isAdded)
          await runTask(removeOdooTask, { source, by: userInfo().username }, config).catch(() => {});
        const left = (await deprovision(odoo, made)).filter(({ outcome }) => outcome === 'failed');
        tell(
          left.length === 0
            ? 'What had been made was taken away again.'
            : `Left in Odoo: ${JSON.stringify(left)}`,
        );
        throw error;
      }
    }),
});

const planJson = ({ version, access, hooks, withoutHooks, companies }: ConnectPlan) => ({
  version,
  access,
  hooks: hooks.map(({ model, name, trigger }) => ({ model, name, trigger })),
  withoutHooks: withoutHooks ?? null,
  companies,
});

/** What the reader sees, and what it does not. */
async function examined(
  odoo: Odoo,
  source: string,
  login: string,
  { hooks, keyOf }: { readonly hooks: boolean; readonly keyOf: (id: number) => { readonly key: string } },
): Promise<Connected> {
  const [missing, history, companies] = await Promise.all([
    missingRights(odoo),
    openHistory(odoo),
    odoo.searchRead('res.company', { domain: [], fields: ['id'], order: 'id' }),
  ]);
  return {
    source,
    version: odoo.version.text,
    protocol: odoo.protocol,
    history: history.mode,
    reader: login,
    hooks,
    companies: companies.map(({ id }) => ({ id, key: keyOf(id).key })),
    missing,
    webhookTest: 'not-tested',
  };
}

const WAIT_MS = 8_000;

/** Has Odoo send a webhook for a record that there is, and looks whether it came: only where a Closewatch runs to take it. */
async function tryHooks(
  odoo: Odoo,
  made: readonly Made[],
  source: string,
  config: Config,
): Promise<Connected['webhookTest']> {
  if (!(await findRunning(config.dataDir))) return 'not-tested';
  const action = made.find(({ model }) => model === 'ir.actions.server');
  const [entry] = await odoo.searchRead('account.move', {
    domain: [],
    fields: ['id'],
    order: 'id desc',
    limit: 1,
  });
  if (!action || !entry) return 'not-tested';
  // The running process knows of the source within seconds.
  await sleep(4_000);
  const context = { active_model: 'account.move', active_id: entry.id, active_ids: [entry.id] };
  const isSent = await odoo.call('ir.actions.server', 'run', { ids: [action.id] }, { context }).then(
    () => true,
    () => false,
  );
  if (!isSent) return 'not-tested';
  const until = Date.now() + WAIT_MS;
  while (Date.now() < until) {
    const found = (await runTask(listOdoosTask, {}, config)).find((one) => one.source === source);
    if ((found?.hookRequests ?? 0) > 0) return 'received';
    await sleep(500);
  }
  return 'not-received';
}

function report(connected: Connected, isJson: boolean | undefined): number {
  say(isJson ? JSON.stringify(connected) : connectedText(connected));
  return connected.webhookTest === 'not-received' ? EXIT.findings : EXIT.ok;
}
