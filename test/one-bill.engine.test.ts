import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environment, INGEST_TOKEN, temporaryFolder, type Up, until, up } from './harness.ts';
import { type ModelStandIn, startModelStandIn } from './stand-ins/openai.ts';
import { BOT_TOKEN, type SlackStandIn, startSlackStandIn } from './stand-ins/slack.ts';

/** The way of one bill, through the real ports of one process: from a captured document to a message that closes again. */
const SERVER = 'postgres://postgres@127.0.0.1:5432/';
const REDIS = 'redis://127.0.0.1:6379/9';
const scratch = `closewatch_bill_${process.pid}`;
const TRACE = 'ab'.repeat(16);
const FLOWS = `
flow: bills
name: Bills
owner: accounts-payable
expectations:
  - id: BILL-POSTED
    kind: response
    name: A received bill is posted
    by: [docno]
    when: { types: [bill.received] }
    expect: { types: [bill.posted] }
    within: 1m
    closeImpact: blocker
`;
const COMPANIES = `
companies:
  - key: acme
    name: Acme
    currency: EUR
    materiality: { overall: "100000", performance: "60000", trivial: "100" }
`;

async function serversAreThere(): Promise<boolean> {
  const client = new pg.Client({ connectionString: SERVER, connectionTimeoutMillis: 2000 });
  const redis = new Redis(REDIS, { lazyConnect: true, retryStrategy: () => null });
  try {
    await client.connect();
    await redis.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
    redis.disconnect();
  }
}
const servers = await serversAreThere();

async function administer(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: SERVER });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}

/** Empties the test's own Redis database. */
async function forgetJobs(): Promise<void> {
  const redis = new Redis(REDIS);
  await redis.flushdb().finally(() => redis.disconnect());
}

interface IncidentAnswer {
  incidents: {
    edges: {
      node: {
        id: string;
        title: string;
        state: string;
        severity: string;
        sums: { currency: string; amount: string }[];
        acknowledgedBy: string | null;
        assessment: { author: string; category: string; summary: string } | null;
        exceptions: {
          edges: { node: { rule: string; subject: string; state: string; why: string; amount: string } }[];
        };
      };
    }[];
  };
}
const INCIDENTS = `{ incidents(first: 10) { edges { node { id title state severity sums { currency amount } acknowledgedBy
  assessment { author category summary }
  exceptions(first: 10) { edges { node { rule subject state why amount } } } } } } }`;

describe.each([
  { where: 'embedded', runs: true, settings: {} },
  {
    where: 'on PostgreSQL and Redis servers',
    runs: servers,
    settings: { DATABASE_URL: `${SERVER}${scratch}`, REDIS_URL: REDIS },
  },
])('one bill, $where', ({ where, runs, settings }) => {
  const folder = temporaryFolder();
  let slack: SlackStandIn;
  let model: ModelStandIn;
  let running: Up;

  beforeAll(async () => {
    if (!runs) return;
    if ('DATABASE_URL' in settings) {
      await administer(`CREATE DATABASE ${scratch}`);
      await forgetJobs();
    }
    [slack, model] = [await startSlackStandIn(), await startModelStandIn()];
    const flows = join(folder.path, 'flows');
    mkdirSync(flows);
    writeFileSync(join(flows, 'bills.yaml'), FLOWS);
    writeFileSync(join(flows, 'companies.yaml'), COMPANIES);
    const data = join(folder.path, 'data');
    running = await up(
      data,
      environment(data, {
        ...settings,
        CLOSEWATCH_FLOWS_DIR: flows,
        OPENAI_API_KEY: 'key-of-the-stand-in',
        OPENAI_BASE_URL: model.url,
        OPENAI_MODEL: 'stand-in',
        SLACK_BOT_TOKEN: BOT_TOKEN,
        SLACK_API_URL: slack.url,
        SLACK_CHANNEL: 'C0123456789',
      } as Record<string, string>),
    );
  });
  afterAll(async () => {
    if (!runs) return;
    await running?.kill();
    await Promise.all([slack?.close(), model?.close()]);
    folder.remove();
    if ('DATABASE_URL' in settings) {
      await administer(`DROP DATABASE IF EXISTS ${scratch} WITH (FORCE)`);
      await forgetJobs();
    }
  });

  const send = async (path: string, type: string, body: object): Promise<void> => {
    const response = await fetch(`${running.collectorUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': type, authorization: `Bearer ${INGEST_TOKEN}` },
      body: JSON.stringify(body),
    });
    expect([response.status, response.ok ? '' : await response.text()]).toEqual([
      path === '/v1/traces' ? 200 : 202,
      '',
    ]);
  };
  const event = (source: string, type: string, document: string, at: number, more: object = {}): object => ({
    specversion: '1.0',
    id: `${type}-${document}-${at}`,
    source,
    type: `closewatch.${type}.v1`,
    time: new Date(at).toISOString(),
    subject: `${source === '/ocr' ? 'document' : 'account.move'}/${document}`,
    datacontenttype: 'application/json',
    data: {
      object: { kind: 'bill', docNumber: document },
      org: { companyKey: 'acme' },
      money: { amount: '1250.50', currency: 'EUR' },
      keys: [{ type: 'docno', value: document }],
    },
    ...more,
  });
  const heartbeat = (source: string, at: number): object => ({
    specversion: '1.0',
    id: `beat-${source}-${at}`,
    source,
    type: 'closewatch.flow.heartbeat.v1',
    time: new Date(at).toISOString(),
    datacontenttype: 'application/json',
    data: {
      object: { kind: 'flow' },
      org: { companyKey: 'acme' },
      keys: [{ type: 'extid', value: source }],
      completeUpTo: new Date(at).toISOString(),
    },
  });
  const events = (batch: object[]) => send('/v1/events', 'application/cloudevents-batch+json', batch);
  const incident = async () => (await running.graphql<IncidentAnswer>(INCIDENTS)).incidents.edges[0]?.node;

  test.skipIf(!runs)(
    'a missing posting becomes one incident, is told once, and closes when the posting comes late',
    async () => {
      const now = Date.now();
      const then = now - 3_600_000;
      // The spans first: a group wait of none judges an event as soon as it is there.
      await send('/v1/traces', 'application/json', {
        resourceSpans: [
          {
            resource: { attributes: [{ key: 'service.name', value: { stringValue: 'tax-engine' } }] },
            scopeSpans: [
              {
                spans: [
                  {
                    traceId: TRACE,
                    spanId: 'cd'.repeat(8),
                    name: 'POST /tax',
                    kind: 3,
                    startTimeUnixNano: `${then + 1}000001`,
                    endTimeUnixNano: `${then + 5}000002`,
                    status: { code: 2, message: '503 Service Unavailable' },
                  },
                ],
              },
            ],
          },
        ],
      });
      await events([
        event('/ocr', 'bill.received', 'BILL/1', then),
        event('/odoo', 'bill.posted', 'BILL/1', then + 30_000),
        event('/ocr', 'bill.received', 'BILL/2', then, { traceparent: `00-${TRACE}-${'cd'.repeat(8)}-01` }),
        heartbeat('/ocr', now),
        heartbeat('/odoo', now),
      ]);

      const opened = await until(async () => {
        const found = await incident();
        return found?.assessment?.author === 'model' ? found : undefined;
      }, 90_000);
      expect(opened).toMatchObject({ state: 'open', sums: [{ currency: 'EUR', amount: '1250.5' }] });
      expect(opened.exceptions.edges.map(({ node }) => node)).toMatchObject([
        { rule: 'BILL-POSTED', subject: 'document/BILL/2', state: 'open' },
      ]);
      expect(model.requests.length).toBe(1);
      expect(JSON.stringify(model.requests[0]?.body.messages)).not.toContain('BILL/2');

      const { case: found } = await running.graphql<{
        case: { timeline: { kind: string }[] };
      }>('{ case(key: "docno:acme:bill-2") { timeline { kind } } }');
      expect(found.timeline.map(({ kind }) => kind)).toEqual(['event', 'span']);

      await running.graphql(
        'mutation($id: ID!) { acknowledgeIncident(id: $id, comment: "mine") { state } }',
        { id: opened.id },
      );
      expect((await incident())?.state).toBe('acknowledged');
      await until(
        async () => (JSON.stringify(slack.messages[0]?.blocks).includes('Acknowledged') ? true : undefined),
        30_000,
      );

      const period = new Date(then).toISOString().slice(0, 7);
      const READINESS = `{ readiness(company: "acme", period: "${period}") { verdict gates { id state } } }`;
      const { readiness } = await running.graphql<{
        readiness: { verdict: string; gates: { id: string; state: string }[] };
      }>(READINESS);
      expect(readiness.verdict).toMatch(/not.ready/);

      await events([event('/odoo', 'bill.posted', 'BILL/2', Date.now())]);
      const closed = await until(async () => {
        const node = await incident();
        return node?.state === 'resolved' ? node : undefined;
      }, 60_000);
      expect(closed.exceptions.edges.map(({ node }) => node.state)).toEqual(['late']);
      await until(
        async () => (JSON.stringify(slack.messages[0]?.blocks).includes('Resolved') ? true : undefined),
        30_000,
      );
      expect([where, slack.messages.length, slack.callsOf('chat.postMessage').length]).toEqual([where, 1, 1]);
    },
  );

  test.skipIf(!runs)('SIGTERM drains and ends it with 0', async () => {
    expect(await running.stop()).toBe(0);
  });
});
