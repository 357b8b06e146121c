import type { IncomingMessage, ServerResponse } from 'node:http';
import { createAlerts } from '../alerts/alerts.ts';
import { scheduleAlerts } from '../alerts/schedule.ts';
import { scheduleAnalysis } from '../analyzer/schedule.ts';
import { createOidc } from '../api/auth/oidc.ts';
import { createSignIn, type SignIn } from '../api/auth/sign-in.ts';
import { createApi } from '../api/server.ts';
import { createConsole } from '../dashboards/console/server.ts';
import { dateOf, nanosOf } from '../model/time.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { readGauges } from '../store/gauges.ts';
import type { Logger } from '../store/logger.ts';
import { recordConfiguration } from '../store/postgres/configuration.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { listOdooSources } from '../store/postgres/odoo-sources.ts';
import { actorOfToken } from '../store/postgres/principal-tokens.ts';
import {
  admitConfiguredToken,
  createToken,
  forgetConfiguredTokens,
  listTokens,
} from '../store/postgres/tokens.ts';
import { openQueues } from '../store/queue/queues.ts';
import { writeRunFile } from '../store/run-file.ts';
import { createActions, scheduleActions } from './actions.ts';
import { type Analysis, createAnalysis } from './analysis.ts';
import { lastAnchored, scheduleAnchors } from './audit-anchors.ts';
import { configurationHashes, readCatalogue } from './catalogue.ts';
import { createClosing } from './closing.ts';
import { type Collector, startCollector } from './collector.ts';
import type { Config } from './config.ts';
import { serveControl } from './control.ts';
import { scheduleHousekeeping } from './housekeeping.ts';
import { type Handler as Handle, type HttpServer, listen } from './http.ts';
import { secretOf } from './secrets.ts';
import { openStores, type Stores } from './stores.ts';
import { TASKS } from './tasks.ts';
import { startTelemetry } from './telemetry.ts';

/** Everything, running in this process. */
export interface Running {
  readonly stores: Stores;
  readonly collector: Collector;
  readonly collectorUrl: string;
  readonly apiUrl: string;
  readonly adminToken: string;
  /** A sign-in link that works once, within 15 minutes. */
  signInLink(): string;
  /** The first ingest token, when it was made now. */
  readonly newIngestToken: string | undefined;
  readonly isAdminTokenNew: boolean;
  /** The sources of the Odoos that are watched. */
  readonly odoos: readonly string[];
  /** Runs every stage once: what was accepted before the call is judged, grouped, assessed and told when it returns. */
  runPasses(now: bigint): Promise<void>;
  /** Takes nothing more, finishes what was taken, and closes. */
  stop(): Promise<void>;
}

const clock = (): bigint => nanosOf(new Date());

/**
 * Brings everything up: stores, collector, API with console, analysis, alerts, and the control door for other commands.
 * Without `schedule` nothing runs by itself; the caller calls `runPasses`. Whatever was opened is closed when a step fails.
 */
export async function startUp(
  config: Config,
  logger: Logger,
  options: { schedule?: boolean } = {},
): Promise<Running> {
  const closing = createClosing();
  try {
    const catalogue = await readCatalogue(config);
    const telemetry = await startTelemetry(config, logger);
    closing.push(() => telemetry.stop());
    const stores = await openStores(config, logger);
    closing.push(stores.close);
    const { postgres, clickhouse, events, counters } = stores;
    if (config.ingestToken) await admitConfiguredToken(postgres, config.ingestToken);
    const queues = await openQueues({ postgres, redisUrl: config.redisUrl }, { logger, counters });
    closing.push(() => queues.close());
    await recordConfiguration(postgres, configurationHashes(catalogue), new Date());
    const analysis = createAnalysis(stores, catalogue);
    const actions = createActions(stores, catalogue);
    const collector = await startCollector(stores, catalogue.collector, {
      companies: catalogue.companies,
      isScheduled: options.schedule ?? true,
    });
    closing.push(() => collector.close());

    let handle: Handle = startingUp;
    const http = await listen((request, response) => handle(request, response), {
      host: config.bind,
      port: config.apiPort,
      onError: (err) => logger.error({ err }, 'a request to the API failed'),
    });
    closing.push(() => http.close());
    const publicUrl = config.publicUrl ?? http.url;
    const alerts = createAlerts(
      { slack: config.slack ?? {}, publicUrl: () => publicUrl },
      { postgres, logger, counters, company: catalogue.company },
    );
    closing.push(() => alerts.stop());
    const control = await serveControl(TASKS, { ...stores, catalogue });
    closing.push(() => control.close());
    if (options.schedule ?? true) {
      await scheduleAnalysis(analysis, { queues, clock, everySeconds: config.detectEverySeconds });
      await scheduleAlerts(alerts, { queues, clock });
      await scheduleHousekeeping(stores, catalogue.collector.retention, queues);
      await scheduleAnchors(stores, queues);
      await scheduleActions(actions, queues);
    }

    // Only now: a start that fails before, on a port in use, must not have used up what is told once, nor ended the tokens
    // of the deployment that has the port.
    await forgetConfiguredTokens(postgres, config.ingestToken);
    const token = config.adminToken
      ? { text: config.adminToken, isNew: false }
      : secretOf(config.dataDir, 'admin-token');
    const newIngestToken = config.ingestToken ? undefined : await firstIngestToken(postgres);
    const ofIssuer = config.oidc && createOidc(config.oidc, { postgres, logger, now: () => new Date() });
    const signIn = createSignIn(
      { adminToken: token.text },
      {
        now: Date.now,
        actorOf: async (text) => (await actorOfToken(postgres, text, new Date())) ?? (await ofIssuer?.(text)),
      },
    );
    const api = createApi(
      { secureCookies: publicUrl.startsWith('https:') },
      {
        postgres,
        clickhouse,
        events,
        traces: openTraces(clickhouse),
        companies: () => catalogue.companies,
        flows: () => catalogue.flows,
        policy: () => catalogue.policy,
        letters: collector.letters,
        signIn,
        counters: () => collector.counters(),
        gauges: async () =>
          await readGauges(postgres, {
            now: clock(),
            company: catalogue.company,
            pendingBytes: { ...collector.pendingBytes() },
            anchored: lastAnchored(config.dataDir),
          }),
        count: counters,
        console: createConsole(),
        logger,
        clock,
      },
    );
    handle = withSlack(api.handle, alerts.slackHandler);
    const runFile = writeRunFile(config.dataDir, runFileOf(stores, collector, http, control));
    closing.push(() => runFile.remove());
    // Before the collector closes, which may be where they go.
    closing.push(() => telemetry.flush());
    return {
      stores,
      collector,
      collectorUrl: collector.http.url,
      apiUrl: http.url,
      adminToken: token.text,
      isAdminTokenNew: token.isNew,
      odoos: (await listOdooSources(postgres)).map(({ source }) => source),
      newIngestToken,
      signInLink: () => linkOf(publicUrl, signIn),
      async runPasses(now) {
        await runPasses(collector, analysis, alerts.run, now);
        await actions.run(() => dateOf(now));
      },
      stop: closing.close,
    };
  } catch (error) {
    return await closing.closeAfter(error);
  }
}

const linkOf = (publicUrl: string, signIn: SignIn): string =>
  `${publicUrl.replace(/\/$/, '')}/signin?token=${signIn.issue()}`;

async function runPasses(
  collector: Collector,
  analysis: Analysis,
  tell: (now: bigint) => Promise<unknown>,
  now: bigint,
): Promise<void> {
  await collector.odoo.once();
  await collector.forwarder.drain();
  await analysis.detect(now);
  await analysis.assess(now);
  await analysis.ask(() => now);
  await analysis.propose(now);
  await tell(now);
}

/** At the first start a token for every source, whose text is told once. */
async function firstIngestToken(postgres: Postgres): Promise<string | undefined> {
  if ((await listTokens(postgres)).length > 0) return undefined;
  return (await createToken(postgres, { name: 'first', source: '*', createdBy: 'closewatch up' })).token;
}

async function startingUp(_: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(503, { 'content-type': 'text/plain', 'retry-after': '1' }).end('starting\n');
}

const withSlack = (api: Handle, slack: Handle | undefined): Handle =>
  slack
    ? (request, response) =>
        ((request.url ?? '').split('?')[0] === '/slack/events' ? slack : api)(request, response)
    : api;

function runFileOf(
  stores: Stores,
  collector: Collector,
  http: HttpServer,
  control: { url: string; token: string },
) {
  const { engine, config } = stores;
  return {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    ports: {
      collector: collector.http.port,
      grpc: collector.grpcPort,
      api: http.port,
      control: Number(new URL(control.url).port),
      ...(engine ? { engine: Number(new URL(engine.url).port) } : {}),
    },
    engine: engine
      ? { url: engine.url, username: engine.username, password: engine.password }
      : { url: new URL(config.clickhouseUrl ?? '').origin, username: '', password: '' },
    controlToken: control.token,
  };
}
