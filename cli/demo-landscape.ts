import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import type { Company } from '../model/company.ts';
import { ClosewatchError } from '../model/errors.ts';
import { SOURCES } from '../simulator/events.ts';
import type { Finding } from '../simulator/score.ts';
import type { Collector } from '../simulator/send.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { createToken } from '../store/postgres/tokens.ts';

const FLOWS = resolve(import.meta.dirname, '..', 'flows');

/**
 * The empty data directory of a demo; a fresh one under the system's temporary folder is removed by `remove`, and when the
 * process exits.
 */
export function demoFolder(given: string | undefined): { path: string; remove(): void } {
  if (given === undefined) {
    const path = mkdtempSync(join(tmpdir(), 'closewatch-demo-'));
    const remove = (): void => rmSync(path, { recursive: true, force: true });
    process.once('exit', remove);
    return { path, remove };
  }
  const path = resolve(given);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (readdirSync(path).length > 0) {
    throw new ClosewatchError(
      'config.invalid',
      `the demo starts from an empty data directory; ${path} holds files`,
    );
  }
  return { path, remove: () => {} };
}

/** Writes the flows that come with Closewatch, and the simulated companies, to a folder of the data directory; returns it. */
export function writeFlows(dataDir: string, companies: readonly Company[]): string {
  const folder = join(dataDir, 'flows');
  cpSync(FLOWS, folder, { recursive: true });
  // The whole past is sent at once, so that all of it arrives late.
  const told = companies.map((company) => ({
    ...company,
    rules: { ...company.rules, 'IN-01': { enabled: false } },
  }));
  writeFileSync(join(folder, 'companies.yaml'), stringify({ companies: told }));
  return folder;
}

/** An ingest token for every source of the landscape, and one for the telemetry. */
export async function collectorOf(postgres: Postgres, url: string): Promise<Collector> {
  const tokens: Record<string, string> = {};
  for (const [system, source] of Object.entries(SOURCES)) {
    tokens[source] = (
      await createToken(postgres, { name: `demo ${system}`, source, createdBy: 'demo' })
    ).token;
  }
  const telemetry = await createToken(postgres, {
    name: 'demo telemetry',
    source: '/otel/prod',
    createdBy: 'demo',
  });
  return { url, tokens, telemetryToken: telemetry.token };
}

/** The exceptions that stand open now, or cannot be judged, and the number of incidents. */
export async function findingsOf({ db }: Postgres): Promise<{ findings: Finding[]; incidents: number }> {
  const findings = await db
    .selectFrom('exceptions')
    .select(['rule', 'company', 'subject'])
    .where('state', 'in', ['open', 'indeterminate'])
    .execute();
  const counted = await db
    .selectFrom('incidents')
    .select((row) => row.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow();
  return { findings, incidents: Number(counted.count) };
}
