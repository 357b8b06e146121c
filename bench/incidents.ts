/**
 * How fast exceptions become incidents and incidents are assessed: `node bench/incidents.ts [exceptions] [causes]`, by default
 * 10,000 of ten causes in one company, beside the least that the database asks for them: writing the same rows once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createIncidents } from '../analyzer/incidents/incidents.ts';
import { createTriage } from '../analyzer/triage/triage.ts';
import { company } from '../model/company.ts';
import { nanosOf } from '../model/time.ts';
import { openPostgres } from '../store/postgres/database.ts';
import { recordset } from '../store/postgres/recordset.ts';
import { printTable } from './measure.ts';

const EXCEPTIONS = Number(process.argv[2] ?? 10_000);
const CAUSES = Number(process.argv[3] ?? 10);
const logger = { info() {}, warn() {}, error() {}, debug() {} };
const acme = company.parse({
  key: 'acme',
  materiality: { overall: '100000', performance: '60000', trivial: '5000' },
});

const dir = mkdtempSync(join(tmpdir(), 'closewatch-bench-'));
const postgres = await openPostgres({ dataDir: dir }, { logger });
const at = new Date('2026-05-04T10:00:00Z');
const rows = Array.from({ length: EXCEPTIONS }, (_, i) => ({
  id: `e${i}`,
  obligation: `e${i}`,
  rule: `R-${i % CAUSES}`,
  rule_version: 1,
  flow: 'bench',
  kind: 'response',
  company: 'acme',
  source: '/erp',
  subject: `bill/${i}`,
  occurrence: 'first',
  state: 'open',
  severity: 'medium',
  close_impact: 'none',
  amount: `${(i % 900) + 1}.50`,
  currency: 'EUR',
  opened_at: at,
  due_ns: `${nanosOf(at)}`,
  anchor_ns: `${nanosOf(at)}`,
  why: 'it was not posted',
  events: [`event-${i}`],
}));
const COLUMNS = Object.keys(rows[0] ?? {});
const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};
try {
  const written = await timed(async () => {
    for (let from = 0; from < rows.length; from += 1_000)
      await postgres.db
        .insertInto('exceptions')
        .columns(COLUMNS as never)
        .expression(recordset('exceptions', COLUMNS as never, rows.slice(from, from + 1_000) as never))
        .execute();
  });
  const incidents = createIncidents({ postgres, company: () => acme, groupWaitMs: 0, logger });
  const now = nanosOf(at) + 1_000_000_000n;
  const grouped = await timed(() => incidents.run(now));
  const { count } = await postgres.db
    .selectFrom('exceptions')
    .select((one) => one.fn.countAll<string>().as('count'))
    .where('incident', 'is not', null)
    .executeTakeFirstOrThrow();
  if (Number(count) !== EXCEPTIONS)
    throw new Error(`${count} of ${EXCEPTIONS} exceptions are in an incident`);
  const triage = createTriage({ pseudonymKey: 'k' }, { postgres, company: () => acme, logger });
  const assessed = await timed(() => triage.assess(now));
  printTable(
    [
      'exceptions',
      'incidents',
      'grouped ms',
      'a second',
      'written once ms',
      'ratio',
      'assessed ms',
      'ms an incident',
    ],
    [
      [
        EXCEPTIONS,
        CAUSES,
        Math.round(grouped),
        Math.round(EXCEPTIONS / (grouped / 1000)),
        Math.round(written),
        (grouped / written).toFixed(2),
        Math.round(assessed),
        (assessed / CAUSES).toFixed(1),
      ],
    ],
  );
} finally {
  await postgres.close();
  rmSync(dir, { recursive: true, force: true });
}
