import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { ClosewatchError } from '../model/errors.ts';
import { mayReadTelemetry } from '../model/principal.ts';
import { dateOf } from '../model/time.ts';
import type { Counters, Sample } from '../store/counters.ts';
import type { Logger } from '../store/logger.ts';
import { authenticate, requireOwnOrigin } from './auth/authenticate.ts';
import { createSessions } from './auth/session.ts';
import type { SignIn } from './auth/sign-in.ts';
import { type ApiConfig, apiConfig } from './config.ts';
import { createContext, type Reads } from './context.ts';
import { createGraphql } from './graphql.ts';
import { prometheusText } from './http/metrics.ts';
import { createProbes } from './http/probes.ts';
import { readBody, sendError, sendJson, sendText, setSecurityHeaders } from './http/respond.ts';

export interface ApiDeps extends Reads {
  readonly signIn: SignIn;
  /** The counters of the process, as they stand now. */
  readonly counters: () => readonly Sample[];
  /** How things stand now, read when it is asked for; shown to who may read telemetry, for it names sources. */
  readonly gauges?: (() => Promise<readonly Sample[]>) | undefined;
  /** Where this part counts what it refuses. */
  readonly count?: Pick<Counters, 'add'> | undefined;
  readonly logger: Logger;
  /** Epoch nanoseconds. */
  readonly clock: () => bigint;
  /** Serves the page and its files; false when it has none of that name. */
  readonly console?: ((request: IncomingMessage, response: ServerResponse) => Promise<boolean>) | undefined;
}

export interface Api {
  /** Answers any request to the API's port. Never rejects. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
}

const SIGN_IN_BYTES = 4_096;
const signInBody = z.strictObject({ token: z.string().min(1).max(1_024) });

/**
 * `/graphql`, the console at `/`, `/signin`, `/signout`, `/healthz`, `/readyz` and `/metrics`. Nothing is anonymous but
 * the page's own files, and whether the process lives and is ready.
 */
export function createApi(settings: ApiConfig, deps: ApiDeps): Api {
  const config = apiConfig.parse(settings);
  const { clickhouse, logger, postgres, signIn } = deps;
  const now = (): Date => dateOf(deps.clock());
  const sessions = createSessions({
    key: signIn.sessionKey,
    hours: config.sessionHours,
    secure: config.secureCookies,
  });
  const graphql = createGraphql(config, { logger });
  const probe = createProbes({ postgres: () => postgres.ping(), clickhouse: () => clickhouse.ping() }, () =>
    now().getTime(),
  );
  const actorOf = (request: IncomingMessage) =>
    authenticate(request, { signIn, sessions, postgres, now: now() });
  let running = 0;

  const routes: Record<
    string,
    (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>
  > = {
    async '/graphql'(request, response) {
      const actor = await actorOf(request);
      if (running >= config.maxConcurrent)
        throw new ClosewatchError('request.overloaded', 'too many queries at the same time');
      running++;
      try {
        await graphql(request, response, createContext(deps, actor, deps.clock()));
      } finally {
        running--;
      }
    },
    async '/signin'(request, response, url) {
      if (request.method === 'POST') {
        requireOwnOrigin(request);
        const body = signInBody.safeParse(parseJson(await readBody(request, SIGN_IN_BYTES)));
        const actor = body.success ? await signIn.exchange(body.data.token) : undefined;
        if (!actor) throw new ClosewatchError('auth.invalid', 'the token is not known, or was used already');
        response.setHeader('set-cookie', await sessions.open(actor.id, now()));
        response.writeHead(204).end();
        return;
      }
      allow(request, 'GET', 'POST');
      const token = url.searchParams.get('token') ?? '';
      const actor = token.length <= 1_024 ? await signIn.exchange(token) : undefined;
      if (actor) response.setHeader('set-cookie', await sessions.open(actor.id, now()));
      response.writeHead(303, { location: actor ? '/' : '/#/signin?refused' }).end();
    },
    async '/signout'(request, response) {
      allow(request, 'POST');
      requireOwnOrigin(request);
      response.setHeader('set-cookie', sessions.close);
      response.writeHead(204).end();
    },
    async '/healthz'(_, response) {
      sendText(response, 200, 'ok\n');
    },
    async '/readyz'(_, response) {
      const state = await probe();
      sendJson(response, state.ready ? 200 : 503, state);
    },
    async '/metrics'(request, response) {
      const actor = await actorOf(request);
      const gauges = mayReadTelemetry(actor) ? await readGauges() : [];
      response
        .writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
        .end(prometheusText([...deps.counters(), ...gauges]));
    },
  };

  /** Counters are worth having when the stores do not answer: then of all times. */
  const readGauges = async (): Promise<readonly Sample[]> => {
    try {
      return (await deps.gauges?.()) ?? [];
    } catch (error) {
      logger.warn({ err: error }, 'the gauges could not be read');
      return [];
    }
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const target = request.url ?? '/';
    if (!target.startsWith('/') || !URL.canParse(target, 'http://localhost'))
      throw new ClosewatchError('request.malformed', 'the address is malformed');
    const url = new URL(target, 'http://localhost');
    const route = Object.hasOwn(routes, url.pathname) ? routes[url.pathname] : undefined;
    if (route) return await route(request, response, url);
    if (deps.console) {
      allow(request, 'GET', 'HEAD');
      if (await deps.console(request, response)) return;
    }
    throw new ClosewatchError('request.path', 'there is nothing here');
  };

  return {
    async handle(request, response) {
      setSecurityHeaders(response);
      try {
        await answer(request, response);
      } catch (error) {
        if (!(error instanceof ClosewatchError)) logger.error({ err: error }, 'a request failed');
        const told =
          error instanceof ClosewatchError
            ? error
            : new ClosewatchError('internal', 'something went wrong here');
        deps.count?.add('closewatch_api_requests_refused', { code: told.code });
        if (response.headersSent) response.destroy();
        else sendError(response, told);
      }
    },
  };
}

function allow(request: IncomingMessage, ...methods: readonly string[]): void {
  if (!methods.includes(request.method ?? ''))
    throw new ClosewatchError('request.method', `${methods.join(' or ')} is expected`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
