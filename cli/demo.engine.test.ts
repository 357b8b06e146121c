import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { SOURCES } from '../simulator/events.ts';
import { closewatch, environment, temporaryFolder } from '../test/harness.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());

test('finds every planted fault and nothing else through the real ports; doctor finds the data well', async () => {
  const dataDir = join(folder.path, 'data');
  const env = environment(dataDir);
  const demo = await closewatch(['demo', '--once', '--json', '--seed', '3', '--data-dir', dataDir], env);
  expect(demo, demo.stderr).toMatchObject({ code: 0 });
  const outcome = JSON.parse(demo.stdout);
  expect(Object.keys(outcome).sort()).toEqual(
    [
      'planted',
      'found',
      'missed',
      'wrong',
      'byRule',
      'events',
      'spans',
      'logs',
      'incidents',
      'seconds',
    ].sort(),
  );
  expect(outcome).toMatchObject({ planted: 39, found: 39, missed: 0, wrong: 0 });
  expect(outcome.byRule['MP-02']).toEqual({ planted: 18, found: 18, missed: 0, wrong: 0 });
  expect(outcome.events).toBeGreaterThan(4000);
  expect(outcome.spans).toBeGreaterThan(6000);
  expect(outcome.logs).toBeGreaterThan(3000);
  // The tax engine's twelve bills are one incident, the other faults at most one each.
  expect(outcome.incidents).toBeGreaterThan(0);
  expect(outcome.incidents).toBeLessThanOrEqual(39 - 11);

  const doctor = await closewatch(['doctor', '--json'], env);
  expect(doctor, doctor.stderr).toMatchObject({ code: 0 });
  const report = JSON.parse(doctor.stdout);
  expect(report.ok).toBe(true);
  const streams: { telemetry: boolean; stream: string }[] = report.sources;
  expect(streams.filter(({ telemetry }) => !telemetry)).toHaveLength(3 * Object.keys(SOURCES).length);
  expect(streams.filter(({ telemetry }) => telemetry)).toMatchObject([
    { stream: 'logs' },
    { stream: 'traces' },
  ]);
  expect(report.flows.filter(({ status }: { status: string }) => status === 'active').length).toBeGreaterThan(
    40,
  );
}, 300_000);

test('the demo refuses a folder that holds files', async () => {
  const dataDir = join(folder.path, 'used');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'mine.txt'), '');
  const demo = await closewatch(['demo', '--once', '--data-dir', dataDir], environment(dataDir));
  expect(demo.code).toBe(2);
  expect(demo.stderr).toContain('empty data directory');
});

test.each([
  ['--days', '3'],
  ['--days', 'many'],
  ['--seed', '-1'],
])('the demo refuses %s %s with 2 before it starts anything', async (flag, value) => {
  const demo = await closewatch(['demo', '--once', `${flag}=${value}`], environment(folder.path));
  expect(demo.code).toBe(2);
  expect(demo.stderr).toContain(`${flag} must be a whole number from`);
});

test('a demo that is ended while it starts leaves nothing behind', async () => {
  const temporary = join(folder.path, 'tmp');
  mkdirSync(temporary);
  const demo = spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), 'demo', '--once'], {
    env: { ...environment(''), TMPDIR: temporary },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  demo.stderr.on('data', (chunk) => {
    said += chunk;
    if (!demo.killed && said.includes('starting the engines')) demo.kill('SIGINT');
  });
  const [code] = await once(demo, 'close');
  expect([code, said]).toEqual([1, expect.stringContaining('ended before the analysis was done')]);
  expect(readdirSync(temporary)).toEqual([]);
});

test('doctor says which setting is wrong, and makes nothing where nothing is', async () => {
  const dataDir = join(folder.path, 'none');
  const wrong = await closewatch(['doctor'], environment(dataDir, { CLOSEWATCH_API_PORT: 'many' }));
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain('CLOSEWATCH_API_PORT');
  const fresh = await closewatch(['doctor', '--json'], environment(dataDir));
  expect(fresh.code).toBe(0);
  expect(JSON.parse(fresh.stdout).checks).toContainEqual({
    name: 'stores',
    state: 'note',
    finding: 'there are none yet',
    advice: 'the first start makes them',
  });
});
