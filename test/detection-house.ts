import { sql } from 'kysely';
import { z } from 'zod';
import { instantOf } from '../analyzer/detect/fixture.ts';
import { createDetector, type DetectorDeps } from '../analyzer/detect/pass.ts';
import { type Company, company } from '../model/company.ts';
import type { FinanceEvent } from '../model/event.ts';
import { type Flow, flow } from '../model/flow.ts';
import { formatInstant } from '../model/time.ts';
import { defineQuery } from '../store/clickhouse/query.ts';
import { takeBatch } from '../store/postgres/batches.ts';
import { declareComplete } from '../store/postgres/sources.ts';
import { type TemporaryStores, temporaryStores } from './temporary-stores.ts';

/** Bills: one rule of each kind. */
export const FLOWS: readonly Flow[] = [
  flow.parse({
    flow: 'ap',
    name: 'Bills',
    owner: 'ap',
    expectations: [
      {
        id: 'posted',
        kind: 'response',
        by: ['supref', 'docno'],
        when: { types: ['bill.received'] },
        expect: { types: ['bill.posted'] },
        unless: { types: ['bill.cancelled'] },
        within: '2d',
      },
      {
        id: 'draft',
        kind: 'state-age',
        enter: { types: ['bill.drafted'] },
        leave: { types: ['bill.posted', 'bill.cancelled'] },
        within: '1d',
        closeImpact: 'blocker',
      },
      {
        id: 'twice',
        kind: 'no-duplicate',
        by: ['supref'],
        when: { types: ['bill.posted'] },
        same: ['amount', 'currency'],
        unless: { types: ['bill.cancelled'] },
      },
    ],
  }),
];

/** The other picks of a response. */
export const PICKS: Flow = flow.parse({
  flow: 'picks',
  name: 'Bills, by other picks',
  owner: 'ap',
  expectations: ['last', 'each'].map((pick) => ({
    id: pick,
    kind: 'response',
    by: ['supref', 'docno'],
    when: { types: ['bill.received', 'bill.drafted'], pick },
    expect: { types: ['bill.posted'] },
    unless: { types: ['bill.cancelled'], since: 'ever' },
    within: '1d',
  })),
});

export const ACME: Company = company.parse({
  key: 'acme',
  materiality: { overall: '10000', performance: '5000', trivial: '100' },
});

let made = 0;

/** An event of a type at an instant (`2 10:30`: day and time of May 2026), with an id of its own. */
export function event(
  type: string,
  at: string,
  given: Partial<FinanceEvent> & { supref?: string; docno?: string } = {},
): FinanceEvent {
  made += 1;
  const { supref, docno, ...rest } = given;
  return {
    id: `e${String(made).padStart(4, '0')}`,
    source: 'erp',
    type,
    version: 1,
    time: formatInstant(instantOf(at)),
    receivedAt: '2026-05-01T00:00:00Z',
    batch: '0',
    sequence: '0',
    company: 'acme',
    subject: 'doc',
    ingestPath: 'push',
    amount: '700',
    currency: 'EUR',
    keys: [
      { type: 'subject', value: given.subject ?? 'doc' },
      ...(supref ? [{ type: 'supref', value: supref }] : []),
      ...(docno ? [{ type: 'docno', value: docno }] : []),
    ],
    attributes: {},
    data: '{}',
    ...rest,
  };
}

/** A promise and what resolves it. */
export function gate(): { passed: Promise<void>; open(): void } {
  let open = (): void => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

const shipped = defineQuery({
  name: 'test.shipped-changes',
  sql: 'SELECT count() AS count FROM incident_events',
  params: z.object({}),
  row: z.object({ count: z.coerce.number() }),
});

/** Both stores, the way of events into them, and what detection left behind. */
export async function detectionHouse() {
  const stores: TemporaryStores = await temporaryStores();
  const { postgres, clickhouse, events, logger } = stores;
  return {
    ...stores,
    async clear(): Promise<void> {
      await sql`TRUNCATE obligations, exceptions, change_log, cursors, control_runs, settings, sources,
        events_ahead, turns, batches CASCADE`.execute(postgres.db);
      for (const table of ['finance_events', 'document_events', 'event_keys', 'incident_events'])
        await clickhouse.command(`TRUNCATE TABLE ${table}`);
    },
    /** Stores the events as one batch, as the collector does. */
    async arrive(...some: FinanceEvent[]): Promise<void> {
      const batch = await postgres.db
        .transaction()
        .execute((trx) => takeBatch(trx, { kind: 'inbox', source: 'erp', rows: some.length }));
      await events.insert(
        some.map((one) => ({ ...one, batch: `${batch}` })),
        `detection-house:${made}:${batch}`,
      );
      await postgres.db
        .updateTable('batches')
        .set({ state: 'stored' })
        .where('batch', '=', `${batch}`)
        .execute();
    },
    /** The source has sent everything of bills up to the instant. */
    async complete(upTo: string): Promise<void> {
      const declared = { source: 'erp', company: 'acme', stream: '', completeUpTo: instantOf(upTo) };
      await declareComplete(postgres.db, [declared], new Date());
      await sql`UPDATE sources SET types = '{bill.posted,bill.cancelled}'`.execute(postgres.db);
    },
    detector: (flows: readonly Flow[] = FLOWS, options: Partial<DetectorDeps> = {}) =>
      createDetector({ postgres, events, flows, companies: [ACME], logger, ...options }),
    exceptions: async () =>
      (
        await postgres.db.selectFrom('exceptions').selectAll().orderBy('rule').orderBy('subject').execute()
      ).map((row) => [row.rule, row.subject, row.state, row.notify]),
    obligations: async () =>
      await postgres.db
        .selectFrom('obligations')
        .selectAll()
        .where('rule', '<>', 'DC-02')
        .orderBy('id')
        .execute(),
    /** How many changes ClickHouse has. */
    shippedChanges: async () => (await clickhouse.query(shipped, {}))[0]?.count,
  };
}
