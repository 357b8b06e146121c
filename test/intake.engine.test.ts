import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ADMIN_TOKEN,
  closewatch,
  environment,
  INGEST_TOKEN,
  temporaryFolder,
  type Up,
  until,
  up,
} from './harness.ts';

describe('a running deployment', () => {
  const folder = temporaryFolder();
  const flows = temporaryFolder();
  const env = environment(folder.path, { CLOSEWATCH_FLOWS_DIR: flows.path });
  let running: Up;
  beforeAll(async () => {
    writeFileSync(
      join(flows.path, 'collector.yaml'),
      'sources:\n  /ocr:\n    lateness: 1m\n    authoritative: [bill]\n',
    );
    running = await up(folder.path, env);
  });
  afterAll(async () => {
    await running?.kill();
    folder.remove();
    flows.remove();
  });

  const send = (path: string, body: string, token = INGEST_TOKEN, type = 'application/json') =>
    fetch(`${running.collectorUrl}${path}`, {
      method: 'POST',
      headers: { 'content-type': type, authorization: `Bearer ${token}` },
      body,
    });
  const event = (id: string, more: object = {}): string =>
    JSON.stringify({
      specversion: '1.0',
      id,
      source: '/ocr/1',
      type: 'closewatch.bill.received.v1',
      time: new Date().toISOString(),
      data: { object: { kind: 'bill' }, org: { companyKey: 'acme' }, keys: [{ type: 'extid', value: id }] },
      ...more,
    });
  const CLOUD = 'application/cloudevents+json';
  const span = {
    traceId: '5b8efff798038103d269b633813fc60c',
    spanId: 'eee19b7ec3c1b174',
    name: 'read',
    startTimeUnixNano: `${Date.now()}000000`,
    endTimeUnixNano: `${Date.now()}000000`,
  };
  interface Shown {
    sources: {
      edges: {
        node: { source: string; company: string; stream: string; records: number; latenessSeconds: number };
      }[];
    };
    losses: { source: string; stream: string; reason: string; records: number }[];
  }
  const shown = () =>
    running.graphql<Shown>(
      '{ sources { edges { node { source company stream records latenessSeconds } } } losses { source stream reason records } }',
    );

  test('what comes by every door, and what is refused at it, is told', async () => {
    expect((await send('/v1/events', event('a'), INGEST_TOKEN, CLOUD)).status).toBe(202);
    expect((await send('/v1/events', event('b', { source: '/scan' }), INGEST_TOKEN, CLOUD)).status).toBe(202);
    expect((await send('/v1/events', event('c', { time: 'soon' }), INGEST_TOKEN, CLOUD)).status).toBe(422);
    expect((await send('/v1/events', event('d'), 'cw_wrong', CLOUD)).status).toBe(401);
    const spans = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
    expect((await send('/v1/traces', spans)).status).toBe(200);
    expect((await send('/v1/traces', spans, 'cw_wrong')).status).toBe(401);
    const { sources, losses } = await until(async () => {
      const now = await shown();
      // A stream that is new gets its terms a moment after it is known.
      const hasTerms = now.sources.edges.some(({ node }) => node.latenessSeconds === 60);
      return now.losses.length === 3 && now.sources.edges.length === 3 && hasTerms ? now : undefined;
    });
    expect(sources.edges.map(({ node }) => node)).toMatchObject([
      { source: '*', company: '', stream: 'traces', records: 1 },
      { source: '/ocr/1', company: 'acme', stream: '', records: 1, latenessSeconds: 60 },
      { source: '/scan', company: 'acme', stream: '', records: 1, latenessSeconds: 600 },
    ]);
    expect(losses).toContainEqual({ source: '(unknown)', stream: '', reason: 'unauthenticated', records: 1 });
    expect(losses).toContainEqual({
      source: '(unknown)',
      stream: 'traces',
      reason: 'unauthenticated',
      records: 1,
    });
    expect(losses).toContainEqual({ source: '/ocr/1', stream: '', reason: 'invalid', records: 1 });
    const events = await running.graphql<{
      events: { edges: { node: { source: string; authoritative: boolean } }[] };
    }>('{ events { edges { node { source authoritative } } } }');
    expect(
      Object.fromEntries(events.events.edges.map(({ node }) => [node.source, node.authoritative])),
    ).toEqual({
      '/ocr/1': true,
      '/scan': false,
    });
  });

  test('silent telemetry holds up neither rules nor the close', async () => {
    const { readiness } = await running.graphql<{ readiness: { sources: { source: string }[] } }>(
      `{ readiness(company: "acme", period: "${new Date().toISOString().slice(0, 7)}") { sources { source } } }`,
    );
    expect(readiness.sources.map(({ source }) => source)).toEqual(['/ocr/1', '/scan']);
    const { exceptions } = await running.graphql<{ exceptions: { totalCount: number } }>(
      '{ exceptions { totalCount } }',
    );
    expect(exceptions.totalCount).toBe(0);
  });

  test('metrics watch Closewatch itself', async () => {
    const response = await fetch(`${running.apiUrl}/metrics`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const text = await response.text();
    for (const name of [
      'detect_age_seconds',
      'forward_backlog_seconds',
      'forward_backlog_events',
      'ingest_pending_bytes{room="otlp"}',
    ])
      expect(text).toContain(`\nclosewatch_${name} `);
    expect(text).toContain(
      'closewatch_records_lost{reason="unauthenticated",source="(unknown)",stream="traces"} 1',
    );
  });

  test('bad rows of a file are losses of its source, and doctor tells them with advice', async () => {
    const file = join(folder.path, 'log.csv');
    writeFileSync(file, 'case,what,when\n1,bill.posted,2026-05-01T00:00:00Z\n2,bill.posted,never\n');
    const map = join(folder.path, 'map.yaml');
    writeFileSync(
      map,
      'source: /file\ncompany: acme\ncolumns: { case: case, activity: what, time: when }\ntypes: { bill.posted: bill.posted }\n',
    );
    const imported = await closewatch(['import', file, '--map', map, '--json'], env);
    expect([imported.stderr, JSON.parse(imported.stdout || '{}')]).toMatchObject(['', { stored: 1, bad: 1 }]);
    const doctor = JSON.parse((await closewatch(['doctor', '--json'], env)).stdout);
    const check = (name: string) => doctor.checks.find((one: { name: string }) => one.name === name);
    expect(check('losses')).toMatchObject({ state: 'note', advice: expect.any(String) });
    expect(check('losses').finding).toContain('1 bad-row of /file');
    expect(check('losses').finding).toContain('1 unauthenticated of (unknown)');
    expect(check('detection').finding).toMatch(/^the last pass ended \d+ s ago$/);
    expect(check('clocks').state).toBe('ok');
    const shownSources = doctor.sources.map(
      ({ source, telemetry }: { source: string; telemetry: boolean }) => [source, telemetry],
    );
    expect(shownSources).toContainEqual(['*', true]);
    expect(shownSources).toContainEqual(['/file', false]);
  });

  test('what was counted before an orderly end is there after it', async () => {
    expect((await send('/v1/events', event('z'), INGEST_TOKEN, CLOUD)).status).toBe(202);
    expect(await running.stop()).toBe(0);
    running = await up(folder.path, env);
    const { sources } = await shown();
    expect(sources.edges.find(({ node }) => node.source === '/ocr/1')?.node.records).toBe(2);
  });
});
