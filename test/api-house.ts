import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSignIn, type SignIn } from '../api/auth/sign-in.ts';
import type { ApiConfig } from '../api/config.ts';
import { type Api, type ApiDeps, createApi } from '../api/server.ts';
import { letterJudge } from '../collector/cloudevents/letter.ts';
import { createConsole } from '../dashboards/console/server.ts';
import { companyFinder } from '../model/company.ts';
import type { Actor } from '../model/principal.ts';
import { nanosOf } from '../model/time.ts';
import { type ClickHouse, connectClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import { migrate } from '../store/clickhouse/migrate.ts';
import { temporaryEngine } from '../store/clickhouse/testing/temporary.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { readGauges } from '../store/gauges.ts';
import { createLetterReplay } from '../store/letter-replay.ts';
import { openPostgres, type Postgres } from '../store/postgres/database.ts';
import { openInbox } from '../store/postgres/inbox.ts';
import { memoryLogger } from './incident-house.ts';

export const ADMIN = 'the-administrators-token';
export const TOKEN_OF_ACME = 'the-token-of-one-who-reads-acme';

/** A person who works for acme only. */
export const OF_ACME: Actor = {
  kind: 'human',
  id: 'ines',
  name: 'Ines',
  roles: ['finance'],
  companies: ['acme'],
};

export const TOKEN_OF_ACME_SUPPORT = 'the-token-of-the-support-of-acme';
const SUPPORT_OF_ACME: Actor = { ...OF_ACME, id: 'sam', name: 'Sam', roles: ['support'] };

export const TOKEN_OF_ACME_SRE = 'the-token-of-the-sre-of-acme';
const SRE_OF_ACME: Actor = { ...OF_ACME, id: 'rui', name: 'Rui', roles: ['sre'] };

export interface ApiHouse {
  readonly url: string;
  readonly postgres: Postgres;
  readonly clickhouse: ClickHouse;
  readonly signIn: SignIn;
  readonly logger: ReturnType<typeof memoryLogger>;
  graphql(query: string, variables?: object, token?: string): Promise<GraphqlAnswer>;
  /** The API once more, on the same stores, with other limits. */
  another(config: ApiConfig): Promise<{ url: string; close(): Promise<void> }>;
  close(): Promise<void>;
}

export interface GraphqlAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes are looked into
  readonly data: any;
  readonly errors: { message: string; extensions?: { code?: string; errorId?: string } }[] | undefined;
}

/** The API on real stores and a real port, with the console. */
export async function apiHouse(config: ApiConfig = {}): Promise<ApiHouse> {
  const logger = memoryLogger();
  const dataDir = mkdtempSync(join(tmpdir(), 'closewatch-api-'));
  const engine = await temporaryEngine();
  const clickhouse = connectClickHouse(engine);
  await migrate(clickhouse);
  const postgres = await openPostgres({ dataDir }, { logger });
  const admin = createSignIn({ adminToken: ADMIN }, { now: Date.now });
  const known = new Map([
    [TOKEN_OF_ACME, OF_ACME],
    [TOKEN_OF_ACME_SUPPORT, SUPPORT_OF_ACME],
    [TOKEN_OF_ACME_SRE, SRE_OF_ACME],
  ]);
  const signIn: SignIn = {
    ...admin,
    verify: async (token) => known.get(token) ?? (await admin.verify(token)),
  };
  const deps: ApiDeps = {
    postgres,
    clickhouse,
    events: openFinanceEvents(clickhouse),
    traces: openTraces(clickhouse),
    companies: () => [],
    letters: createLetterReplay({ postgres, inbox: openInbox(postgres), judge: letterJudge() }),
    signIn,
    counters: () => [{ name: 'closewatch_test_total', help: 'a test', labels: {}, value: 1 }],
    gauges: () =>
      readGauges(postgres, {
        anchored: 0,
        now: nanosOf(new Date()),
        company: companyFinder([]),
        pendingBytes: { events: 7, otlp: 0 },
      }),
    logger,
    clock: () => nanosOf(new Date()),
    console: createConsole(),
  };
  const first = await serve(createApi(config, deps));
  const { url } = first;
  return {
    url,
    postgres,
    clickhouse,
    signIn,
    logger,
    async graphql(query, variables = {}, token = ADMIN) {
      const response = await fetch(`${url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
        body: JSON.stringify({ query, variables }),
      });
      const body = (await response.json()) as Pick<GraphqlAnswer, 'data' | 'errors'>;
      return { status: response.status, data: body.data, errors: body.errors };
    },
    another: (other) => serve(createApi(other, deps)),
    async close() {
      await first.close();
      await postgres.close();
      await clickhouse.close();
      await engine.remove();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function serve(api: Api): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((request, response) => void api.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
