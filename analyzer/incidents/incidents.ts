import type { Transaction } from 'kysely';
import type { Company } from '../../model/company.ts';
import { isOpenException } from '../../model/exception.ts';
import { type Cause, nextIncidentState } from '../../model/incident.ts';
import { nanosOf } from '../../model/time.ts';
import type { Logger } from '../../store/logger.ts';
import type { Postgres } from '../../store/postgres/database.ts';
import {
  changedOf,
  incidentsWithChanges,
  markCounted,
  moveUncounted,
  passOverClosed,
  stillUngrouped,
  type UngroupedException,
  type UnseenException,
  ungroupedExceptions,
} from '../../store/postgres/incident-exceptions.ts';
import {
  insertIncident,
  lockIncident,
  lockLiving,
  saveIncident,
} from '../../store/postgres/incident-lives.ts';
import { endMove, type IncidentMove, movedOf, movesWaiting } from '../../store/postgres/incident-moves.ts';
import { endAcknowledgements, type IncidentRow, recordIncident } from '../../store/postgres/incidents.ts';
import type { Database } from '../../store/postgres/schema.ts';
import { withSpan } from '../../store/tracing.ts';
import { causeOf } from './cause.ts';
import { type EventReader, type Evidence, readEvidence, type SpanReader } from './linked.ts';
import { count, incidentSeverity, parseFacts, readTally, sumsOf, type Tally, uncount } from './tally.ts';

export interface IncidentDeps {
  readonly postgres: Postgres;
  /** Reads the spans that exceptions link to; without it no exception is put down to an interface. */
  readonly spans?: SpanReader | undefined;
  /** Reads their events; without it no exception is put down to a batch. */
  readonly events?: EventReader | undefined;
  /** The company of a key, with its currency and materiality. */
  readonly company: (key: string) => Pick<Company, 'currency' | 'materiality'>;
  /** The name of a rule for people. */
  readonly ruleName?: ((rule: string) => string | undefined) | undefined;
  /** Milliseconds for which a new cause gathers exceptions before its incident opens; 60,000. */
  readonly groupWaitMs?: number | undefined;
  /** Milliseconds after which an acknowledgement ends while exceptions are open; 24 hours; 0: never. */
  readonly acknowledgedMs?: number | undefined;
  readonly logger: Logger;
}

interface IncidentsResult {
  readonly opened: number;
  readonly updated: number;
  readonly resolved: number;
}

export interface Incidents {
  /**
   * Brings the incidents to the state of the exceptions, as of `now` (epoch nanoseconds): opens, fills, resolves, reopens.
   * The cost is that of the exceptions changed since; run again with nothing new it changes nothing. One transaction an
   * incident; spans and events are read outside of it.
   */
  run(now: bigint): Promise<IncidentsResult>;
}

const PAGE = 1_000;
const ACKNOWLEDGED_MS = 86_400_000;
const NANOS_PER_MS = 1_000_000n;
const REOPEN_WITHIN = 24n * 3_600_000n * NANOS_PER_MS;

interface Group {
  readonly company: string;
  readonly cause: Cause;
  readonly ids: string[];
  /** When the first of them opened. */
  oldest: bigint;
}

type Outcome = 'opened' | 'updated' | 'resolved' | undefined;

/** Groups exceptions into incidents: one for each cause and company. */
export function createIncidents(deps: IncidentDeps): Incidents {
  const { postgres, logger } = deps;
  const groupWait = BigInt(deps.groupWaitMs ?? 60_000) * NANOS_PER_MS;

  async function save(
    trx: Transaction<Database>,
    incident: IncidentRow,
    tally: Tally,
    change: { now: bigint; reopen?: boolean },
  ): Promise<'updated' | 'resolved'> {
    const { now } = change;
    const wanted = change.reopen ? 'reopen' : tally.open === 0 ? 'resolve' : undefined;
    const state = (wanted && nextIncidentState(incident.state, wanted)) ?? incident.state;
    const saved = await saveIncident(trx, incident, {
      state,
      severity: incidentSeverity(tally, deps.company(incident.company)),
      exceptions: tally.count,
      openExceptions: tally.open,
      sums: sumsOf(tally),
      tally,
      now,
    });
    const moved = state !== incident.state;
    const name = !moved ? 'updated' : state === 'resolved' ? 'resolved' : 'reopened';
    await recordIncident(trx, saved, { change: incident.version === 0 ? 'opened' : name, now });
    return name === 'resolved' ? 'resolved' : 'updated';
  }

  /** Counts what changed in an incident; a breach that came back after its end reopens it, or leaves it. */
  async function follow(id: string, now: bigint): Promise<Outcome> {
    return await postgres.db.transaction().execute(async (trx) => {
      const incident = await lockIncident(trx, id);
      if (!incident) return undefined;
      const rows = await changedOf(trx, id, 10 * PAGE);
      if (rows.length === 0) return undefined;
      const back = rows.filter((row) => isOpenException(parseFacts(row.facts).state));
      if (incident.state !== 'resolved' || back.length === 0) return await countIn(trx, incident, rows, now);
      const living = await lockLiving(trx, incident.company, {
        kind: incident.cause_kind as Cause['kind'],
        key: incident.cause_key,
      });
      const recent = incident.resolved_at !== null && now - nanosOf(incident.resolved_at) <= REOPEN_WITHIN;
      if (recent && !living) return await countIn(trx, incident, rows, now, true);
      await moveUncounted(trx, idsOf(back), living?.id ?? null);
      const rest = rows.filter((row) => !back.includes(row));
      return rest.length > 0 ? await countIn(trx, incident, rest, now) : undefined;
    });
  }

  async function countIn(
    trx: Transaction<Database>,
    incident: IncidentRow,
    rows: readonly UnseenException[],
    now: bigint,
    reopen = false,
  ): Promise<'updated' | 'resolved'> {
    let tally = readTally(incident.tally);
    for (const row of rows) {
      tally = count(tally, row.seen === null ? undefined : parseFacts(row.seen), parseFacts(row.facts));
    }
    await markCounted(trx, idsOf(rows), incident.id);
    return await save(trx, incident, tally, { now, reopen });
  }

  /** Puts a group's exceptions into the living incident of its cause; opens it once the group has waited. */
  async function fill(group: Group, now: bigint): Promise<Outcome> {
    const { company, cause } = group;
    return await postgres.db.transaction().execute(async (trx) => {
      let incident = await lockLiving(trx, company, cause);
      const opens = !incident;
      if (!incident) {
        // One that a clock opened that was ahead has waited: its time need not come first.
        const waited = now - group.oldest;
        if (waited >= 0n && waited < groupWait) return undefined;
        incident =
          (await insertIncident(trx, { company, cause, now })) ?? (await lockLiving(trx, company, cause));
      }
      if (!incident) return undefined;
      let tally = readTally(incident.tally);
      let taken = 0;
      for (let at = 0; at < group.ids.length; at += PAGE) {
        const rows = await stillUngrouped(trx, group.ids.slice(at, at + PAGE));
        for (const row of rows) tally = count(tally, undefined, parseFacts(row.facts));
        const signature = cause.kind === 'interface-error' ? cause.key : undefined;
        if (rows.length > 0) await markCounted(trx, idsOf(rows), incident.id, signature);
        taken += rows.length;
      }
      if (taken === 0) {
        if (incident.version === 0) throw new NothingLeft();
        return undefined;
      }
      await save(trx, incident, tally, { now });
      return opens ? 'opened' : 'updated';
    });
  }

  /** Moves exceptions as people asked: to another incident, or into one of their own. Returns how many incidents changed. */
  async function carryOut(move: IncidentMove, now: bigint): Promise<number> {
    return await postgres.db.transaction().execute(async (trx) => {
      const from = await lockIncident(trx, move.incident);
      const to = move.target === null ? undefined : await lockIncident(trx, move.target);
      const gone =
        !from || from.state === 'resolved' || (move.target !== null && (!to || to.state === 'resolved'));
      if (gone) return await endMove(trx, move, 'an incident was resolved meanwhile', now);
      const rows = await movedOf(trx, move);
      if (rows.length === 0) return await endMove(trx, move, 'none of the exceptions is in it', now);
      const cause = {
        kind: 'split' as const,
        key: `${from.id}/${move.id}`,
        title: `Split from #${from.number}: ${from.title}`,
      };
      const target = to ?? (await insertIncident(trx, { company: from.company, cause, now }));
      if (!target) return await endMove(trx, move, 'it was split off already', now);
      let [left, right] = [readTally(from.tally), readTally(target.tally)];
      for (const { seen, facts } of rows) {
        if (seen !== null) left = uncount(left, parseFacts(seen));
        right = count(right, undefined, parseFacts(facts));
      }
      for (let at = 0; at < rows.length; at += PAGE)
        await markCounted(trx, idsOf(rows.slice(at, at + PAGE)), target.id);
      await save(trx, from, left, { now });
      await save(trx, target, right, { now });
      await endMove(trx, move, `moved ${rows.length}`, now);
      return 2;
    });
  }

  async function groups(): Promise<Group[]> {
    const found = new Map<string, Group>();
    let after: UngroupedException | undefined;
    for (;;) {
      const page: UngroupedException[] = await ungroupedExceptions(postgres, { after, limit: PAGE });
      const evidence = await readEvidence(page, deps);
      for (const exception of page) addTo(found, exception, evidence);
      if (page.length < PAGE) return [...found.values()];
      after = page.at(-1);
    }
  }

  function addTo(found: Map<string, Group>, exception: UngroupedException, evidence: Evidence): void {
    const { company, opened_at } = exception;
    const cause = causeOf(
      {
        rule: exception.rule,
        ruleName: deps.ruleName?.(exception.rule),
        kind: exception.kind,
        state: exception.state,
        source: exception.source,
        inhibitedBy: exception.inhibited_by ?? undefined,
        batchId: evidence.batchOf(exception),
      },
      evidence.spansOf(exception),
    );
    const key = JSON.stringify([company, cause.kind, cause.key]);
    const group = found.get(key);
    if (group) group.ids.push(exception.id);
    else found.set(key, { company, cause, ids: [exception.id], oldest: nanosOf(opened_at) });
  }

  return { run: (now) => withSpan('incidents.run', {}, () => run(now)) };

  async function run(now: bigint): Promise<IncidentsResult> {
    const result = { opened: 0, updated: 0, resolved: 0 };
    const note = (outcome: Outcome): void => {
      if (outcome) result[outcome] += 1;
    };
    for (const move of await movesWaiting(postgres, PAGE)) result.updated += await carryOut(move, now);
    const kept = BigInt(deps.acknowledgedMs ?? ACKNOWLEDGED_MS) * NANOS_PER_MS;
    if (kept > 0n) result.updated += await endAcknowledgements(postgres, now - kept, now);
    await passOverClosed(postgres);
    for (;;) {
      const ids = await incidentsWithChanges(postgres, PAGE);
      for (const id of ids) note(await follow(id, now));
      if (ids.length === 0) break;
    }
    for (const group of await groups()) {
      note(
        await fill(group, now).catch((error: unknown) => {
          if (error instanceof NothingLeft) return undefined;
          throw error;
        }),
      );
    }
    if (result.opened + result.resolved > 0) logger.info({ ...result }, 'incidents changed');
    return result;
  }
}

/** Everything that a new incident was to be opened for was taken meanwhile: the transaction is rolled back. */
class NothingLeft extends Error {}

const idsOf = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);
