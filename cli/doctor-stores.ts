import { z } from 'zod';
import { kindOfModel } from '../collector/odoo/kinds.ts';
import { companyFinder } from '../model/company.ts';
import { matchesTypes } from '../model/event-pattern.ts';
import { type Expectation, startTypesOf } from '../model/expectation.ts';
import { dateOf, formatInstant, nanosOf } from '../model/time.ts';
import { isFresh, watermarkAt, whyStale } from '../model/watermark.ts';
import { clickhouseMigrations } from '../store/clickhouse/migrate.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { openTraces } from '../store/clickhouse/traces.ts';
import { unanchoredSince } from '../store/postgres/audit.ts';
import { countContradictions } from '../store/postgres/contradictions.ts';
import { listLosses } from '../store/postgres/loss-queries.ts';
import { postgresMigrations } from '../store/postgres/migrate.ts';
import { listOdooSources, type OdooSource } from '../store/postgres/odoo-sources.ts';
import { MAX_SOURCES, streamOf } from '../store/postgres/source-queries.ts';
import { listSources } from '../store/postgres/sources.ts';
import { intakeOf, listStreams } from '../store/postgres/streams.ts';
import { QUEUES } from '../store/queue/names.ts';
import { openQueues } from '../store/queue/queues.ts';
import { lastAnchored } from './audit-anchors.ts';
import { readCatalogue } from './catalogue.ts';
import {
  attempt,
  type Check,
  checkAnchored,
  checkClocks,
  checkDetection,
  checkFlows,
  checkLosses,
  checkSources,
  type FlowState,
  note,
  ok,
  problem,
  type SourceState,
} from './doctor-checks.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

export interface StoresReport {
  readonly checks: Check[];
  readonly sources: SourceState[];
  readonly flows: FlowState[];
}

const engineState = defineQuery({
  name: 'doctor.engine',
  sql: `SELECT version() AS version, (SELECT max(version) FROM schema_migrations) AS schema,
    (SELECT count() FROM finance_events) AS events, (SELECT count() FROM otel_traces) AS spans`,
  params: z.object({}),
  row: z.object({
    version: z.string(),
    schema: z.number(),
    events: z.coerce.number(),
    spans: z.coerce.number(),
  }),
});

/** Looks at both stores and at what is in them. Runs in the process that holds them. */
export const doctorTask: Task<Stores, Record<string, never>, never, StoresReport> = {
  name: 'doctor',
  args: z.strictObject({}),
  async run(stores) {
    const now = nanosOf(new Date());
    await stores.intake.flush();
    const sources = await sourceStates(stores, now).catch(() => undefined);
    const flows = await flowStates(stores).catch(() => undefined);
    const checks = [
      await attempt(
        'clickhouse',
        () => checkClickHouse(stores),
        'see the log for why the engine does not answer',
      ),
      await attempt('spans', () => checkSpans(stores, now)),
      await attempt('postgresql', () => checkPostgres(stores)),
      await attempt('queue', () => checkQueues(stores)),
      await attempt('inbox', () => checkInbox(stores)),
      await attempt('dead letters', () => checkDeadLetters(stores)),
      ...(await odooChecks(stores).catch(() => [])),
      await attempt('contradictions', () => checkContradictions(stores)),
      await attempt('refused', () => checkRefused(stores)),
      await attempt('losses', () => checkLost(stores, now)),
      await attempt('detection', () => checkPasses(stores, now)),
      await attempt('audit', () => checkAnchors(stores), 'see the log for why it is not anchored'),
      sources ? checkSources(sources) : problem('sources', 'cannot be read'),
      checkClocks(sources ?? []),
      await attempt('flows', async () => checkFlows(flows ?? (await flowStates(stores)))),
    ];
    return { checks, sources: sources ?? [], flows: flows ?? [] };
  },
};

/** One line an Odoo; `closewatch odoo doctor` says more. */
async function odooChecks({ postgres }: Stores): Promise<Check[]> {
  return (await listOdooSources(postgres)).map(({ source, state: { error, roundEndedAt, version } }) => {
    const more = 'closewatch odoo doctor says more';
    if (error) return problem(source, `rounds fail since ${error.since} with ${error.code}`, more);
    if (!roundEndedAt) return note(source, 'connected, and not read yet', more);
    const seconds = Math.round((Date.now() - Date.parse(roundEndedAt)) / 1000);
    return ok(source, `Odoo ${version}, last read ${seconds} s ago`);
  });
}

async function checkAnchors({ postgres, config }: Stores): Promise<Check> {
  const since = await unanchoredSince(postgres.db, lastAnchored(config.dataDir));
  return checkAnchored(since && Math.round((Date.now() - since.getTime()) / 1000));
}

async function checkClickHouse({ clickhouse, engine }: Stores): Promise<Check> {
  const [row] = await clickhouse.query(engineState, {});
  if (!row) return problem('clickhouse', 'answers, but with nothing');
  const where = engine ? 'embedded' : 'server';
  const newest = clickhouseMigrations().at(-1)?.version ?? 0;
  const finding = `${where} ${row.version}, schema ${row.schema}, ${row.events} events, ${row.spans} spans`;
  return row.schema === newest
    ? ok('clickhouse', finding)
    : problem('clickhouse', `${finding}; expected ${newest}`);
}

const DAY_NS = 86_400_000_000_000n;

/** Senders that try again may store a span twice; every reader takes it once, but it costs room. */
async function checkSpans({ clickhouse }: Stores, now: bigint): Promise<Check> {
  const { spans, repeats } = await openTraces(clickhouse).countSpansSince(now - DAY_NS);
  const finding = `${spans} of the last day`;
  return repeats === 0
    ? ok('spans', finding)
    : note('spans', `${finding}, ${repeats} sent again and read once`);
}

async function checkPostgres({ postgres }: Stores): Promise<Check> {
  const { rows } = await postgres.pool.query<{ server: string; schema: number | null }>(
    `SELECT current_setting('server_version') AS server, (SELECT max(version) FROM closewatch.schema_migrations) AS schema`,
  );
  const newest = postgresMigrations().at(-1)?.version ?? 0;
  const finding = `${postgres.backend} ${rows[0]?.server}, schema ${rows[0]?.schema}`;
  return rows[0]?.schema === newest
    ? ok('postgresql', finding)
    : problem('postgresql', `${finding}; expected ${newest}`);
}

async function checkQueues({ postgres, config, logger }: Stores): Promise<Check> {
  const queues = await openQueues({ postgres, redisUrl: config.redisUrl }, { logger });
  try {
    const counts = await Promise.all(
      Object.values(QUEUES).map(async (name) => ({
        name,
        counts: await queues.queue(name).getJobCounts('waiting', 'active', 'failed'),
      })),
    );
    const failed = counts.filter(({ counts }) => (counts.failed ?? 0) > 0);
    const finding = `on ${queues.backend}`;
    if (failed.length === 0) return ok('queue', finding);
    const list = failed.map(({ name, counts }) => `${name} ${counts.failed}`).join(', ');
    return note('queue', `${finding}; jobs that failed in the last week: ${list}`, 'the log says why');
  } finally {
    await queues.close({ deadlineMs: 1000 });
  }
}

async function checkInbox({ postgres }: Stores): Promise<Check> {
  const row = await postgres.db
    .selectFrom('batches')
    .select((batch) => [batch.fn.countAll<string>().as('count'), batch.fn.min('accepted_at').as('oldest')])
    .where('state', '=', 'pending')
    .where('kind', 'in', ['inbox', 'replay'])
    .executeTakeFirstOrThrow();
  if (Number(row.count) === 0) return ok('inbox', 'everything accepted is in ClickHouse');
  const seconds = Math.round((Date.now() - new Date(row.oldest ?? Date.now()).getTime()) / 1000);
  const finding = `${row.count} batches wait for ClickHouse, the oldest for ${seconds} s`;
  return seconds > 60
    ? problem('inbox', finding, 'is ClickHouse reachable, and the collector running?')
    : note('inbox', finding);
}

async function checkContradictions({ postgres }: Stores): Promise<Check> {
  const count = await countContradictions(postgres);
  if (count === 0) return ok('contradictions', 'none');
  return note(
    'contradictions',
    `${count} times two sources say different things of one document`,
    'GraphQL contradictions has them; the case of the key shows each',
  );
}

async function checkDeadLetters({ postgres }: Stores): Promise<Check> {
  const rows = await postgres.db
    .selectFrom('dead_letters')
    .select((letter) => ['reason_code', letter.fn.countAll<string>().as('count')])
    .where('state', '=', 'open')
    .groupBy('reason_code')
    .orderBy('reason_code')
    .execute();
  if (rows.length === 0) return ok('dead letters', 'none');
  const list = rows.map(({ reason_code, count }) => `${count} ${reason_code}`).join(', ');
  return note(
    'dead letters',
    `events that were refused: ${list}`,
    'closewatch inbox list says what is wrong with each; sent again mended, replayed or discarded, it is settled',
  );
}

async function checkRefused({ postgres }: Stores): Promise<Check> {
  const letters = await postgres.db
    .selectFrom('dead_letters')
    .select((letter) => letter.fn.countAll<string>().as('count'))
    .executeTakeFirst();
  const imports = await postgres.db
    .selectFrom('import_runs')
    .select((run) => run.fn.sum<string | null>('rows_bad').as('rows'))
    .executeTakeFirst();
  const [events, rows] = [Number(letters?.count ?? 0), Number(imports?.rows ?? 0)];
  const finding = `${events} events and ${rows} imported rows since the beginning`;
  return events + rows === 0 ? ok('refused', 'nothing was ever refused') : note('refused', finding);
}

async function checkLost({ postgres }: Stores, now: bigint): Promise<Check> {
  const filter = { companies: '*', telemetry: true, since: dateOf(now - DAY_NS) } as const;
  return checkLosses(await listLosses(postgres, filter, MAX_SOURCES));
}

async function checkPasses({ postgres, catalogue }: Stores, now: bigint): Promise<Check> {
  const { ended } = await postgres.db
    .selectFrom('control_runs')
    .select((run) => run.fn.max('ended_at').as('ended'))
    .executeTakeFirstOrThrow();
  const seconds = ended ? Number((now - nanosOf(ended)) / 1_000_000_000n) : undefined;
  return checkDetection(seconds, catalogue !== undefined);
}

const HOUR_MS = 3_600_000;

async function sourceStates({ postgres, config }: Stores, now: bigint): Promise<SourceState[]> {
  // Wrong flow files are told by a check of their own, and hide nothing here.
  const catalogue = await readCatalogue(config).catch(() => undefined);
  const companyOf = catalogue?.company ?? companyFinder([]);
  const rows = await listStreams(postgres, { companies: '*', telemetry: true }, { limit: MAX_SOURCES });
  const intakes = await intakeOf(postgres, rows, dateOf(now));
  return rows.map((row, i): SourceState => {
    const stream = streamOf(row);
    const calendar = companyOf(stream.company);
    const mark = watermarkAt(stream, now, calendar);
    const { clock, rates, lost } = intakes[i] ?? {};
    return {
      source: stream.source,
      company: stream.company,
      stream: stream.stream,
      kind: stream.kind,
      fresh: isFresh(stream, now, calendar),
      completeUpTo: mark === undefined ? null : formatInstant(mark),
      whyStale: whyStale(stream, now, calendar) ?? null,
      telemetry: stream.company === '',
      events: Number(row.events),
      errors: Number(row.errors),
      rate1h: rates?.hour ?? 0,
      lost24h: lost ?? 0,
      clock: clock && dateOf(now).getTime() - clock.to < HOUR_MS ? clock : null,
    };
  });
}

async function flowStates({ postgres, config }: Stores): Promise<FlowState[]> {
  const [{ flows }, streams] = [await readCatalogue(config), await listSources(postgres)];
  const odoos = await listOdooSources(postgres);
  return flows.flatMap((flow) =>
    flow.expectations.map((rule): FlowState => {
      const named = { rule: rule.id, flow: flow.flow };
      if (!rule.enabled) return { ...named, status: 'off', why: 'enabled: false' };
      const companies = streams
        .filter(({ types }) => types.some((type) => matchesTypes(startTypesOf(rule), type)))
        .map(({ company }) => company);
      return companies.length > 0
        ? { ...named, status: 'active', why: `companies: ${[...new Set(companies)].sort().join(', ')}` }
        : (notApplicable(named, rule, odoos) ?? {
            ...named,
            status: 'waiting',
            why: `no ${startTypesOf(rule).join(' or ')} has come`,
          });
    }),
  );
}

/** A rule that begins with what only a model tells that no connected Odoo has. */
function notApplicable(
  named: Pick<FlowState, 'rule' | 'flow'>,
  rule: Expectation,
  odoos: readonly OdooSource[],
): FlowState | undefined {
  const starts = (model: string): boolean =>
    (kindOfModel(model)?.types ?? []).some((type) => matchesTypes(startTypesOf(rule), type));
  const lacking = odoos.flatMap(({ source, state }) =>
    state.models
      .filter(({ model, state: how }) => how !== 'ready' && starts(model))
      .map(
        ({ model, state: how }) =>
          `${model} ${how === 'absent' ? 'is not in' : 'may not be read in'} ${source}`,
      ),
  );
  return lacking.length > 0 ? { ...named, status: 'not applicable', why: lacking.join('; ') } : undefined;
}
