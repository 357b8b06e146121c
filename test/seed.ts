import { createHash } from 'node:crypto';
import type { Insertable } from 'kysely';
import { render } from '../alerts/render.ts';
import type { FinanceEvent } from '../model/event.ts';
import { formatInstant } from '../model/time.ts';
import type { ClickHouse } from '../store/clickhouse/client.ts';
import { openFinanceEvents } from '../store/clickhouse/finance-events.ts';
import type { Postgres } from '../store/postgres/database.ts';
import { incidentsToRoute, putMessages } from '../store/postgres/messages.ts';
import type { ExceptionTable } from '../store/postgres/schema.ts';

const MINUTE = 60_000_000_000n;
export const TRACE_A = 'a'.repeat(32);
export const TRACE_B = 'b'.repeat(32);

export const hash = (text: string): string => createHash('sha256').update(text).digest('hex');

/** An event of a company at so many minutes before `now` (epoch ns). */
export function seedEvent(
  now: bigint,
  minutesAgo: number,
  over: Partial<FinanceEvent> & Pick<FinanceEvent, 'id' | 'type' | 'subject'>,
): FinanceEvent {
  return {
    source: '/odoo/prod/1',
    version: 1,
    time: formatInstant(now - BigInt(minutesAgo) * MINUTE + 123_456_789n),
    receivedAt: formatInstant(now),
    batch: '1',
    sequence: '0',
    company: 'acme',
    ingestPath: 'push',
    keys: [],
    attributes: {},
    data: '{}',
    ...over,
  };
}

/** A row of `otel_traces`. */
function seedSpan(now: bigint, minutesAgo: number, over: Record<string, unknown>): Record<string, unknown> {
  const start = now - BigInt(minutesAgo) * MINUTE;
  return {
    Timestamp: formatInstant(start + 7n)
      .replace('T', ' ')
      .replace('Z', ''),
    TraceState: '',
    ParentSpanId: '',
    SpanKind: 'Server',
    ResourceAttributes: { 'service.name': over.ServiceName, 'deployment.environment': 'prod' },
    ScopeName: 'http',
    ScopeVersion: '1.0',
    SpanAttributes: { 'http.status_code': '503' },
    Duration: '1234567891',
    StatusCode: 'Unset',
    StatusMessage: '',
    ...over,
  };
}

const nanos = (now: bigint, minutesAgo: number): string => `${now - BigInt(minutesAgo) * MINUTE}`;
const date = (now: bigint, minutesAgo: number): Date =>
  new Date(Number((now - BigInt(minutesAgo) * MINUTE) / 1_000_000n));

export function seedException(
  now: bigint,
  id: string,
  over: Partial<Insertable<ExceptionTable>> = {},
): Insertable<ExceptionTable> {
  return {
    id: hash(id),
    obligation: hash(id),
    rule: 'MP-02',
    rule_version: 1,
    flow: 'ap-bills',
    kind: 'response',
    company: 'acme',
    source: '/odoo/prod/1',
    subject: `account.move/${id}`,
    occurrence: 'first',
    state: 'open',
    severity: 'high',
    close_impact: 'blocker',
    amount: '12450.50',
    currency: 'EUR',
    opened_at: date(now, 30),
    due_ns: nanos(now, 60),
    anchor_ns: nanos(now, 600),
    incident: null,
    why: 'The bill was received 10 hours ago and is not posted; posting was due within 9 hours.',
    events: [`received-${id}`],
    trace_ids: [],
    ...over,
  };
}

/**
 * A small landscape of two companies, acme and beta: incidents with assessments, exceptions, messages, sources, events
 * and spans, so that every screen has something to show. `now` is epoch nanoseconds.
 */
export async function seedLandscape(postgres: Postgres, clickhouse: ClickHouse, now: bigint): Promise<void> {
  const { db } = postgres;
  const events = openFinanceEvents(clickhouse);
  await events.insert(
    [
      seedEvent(now, 700, {
        id: 'po-1',
        type: 'purchaseorder.confirmed',
        subject: 'purchase.order/7',
        docNumber: 'P00042',
        amount: '12450.50',
        currency: 'EUR',
        keys: [{ type: 'po', value: 'P00042' }],
      }),
      seedEvent(now, 600, {
        id: 'received-1',
        type: 'bill.received',
        subject: 'account.move/1',
        docNumber: 'BILL/2026/05/0012',
        amount: '12450.50',
        currency: 'EUR',
        traceId: TRACE_A,
        spanId: '1111111111111111',
        actorId: 'ocr-capture',
        actorKind: 'service',
        keys: [
          { type: 'docno', value: 'BILL/2026/05/0012' },
          { type: 'po', value: 'P00042' },
        ],
      }),
      seedEvent(now, 590, {
        id: 'drafted-1',
        type: 'bill.drafted',
        subject: 'account.move/1',
        docNumber: 'BILL/2026/05/0012',
        state: 'draft',
        keys: [{ type: 'docno', value: 'BILL/2026/05/0012' }],
      }),
      seedEvent(now, 500, {
        id: 'received-2',
        type: 'bill.received',
        subject: 'account.move/2',
        company: 'beta',
        amount: '99',
        currency: 'USD',
        traceId: TRACE_B,
        keys: [{ type: 'docno', value: 'BILL/9' }],
      }),
    ],
    'seed:events',
  );
  const error = { StatusCode: 'Error', StatusMessage: 'tax engine: 503 Service Unavailable' };
  const spans = [
    seedSpan(now, 600, {
      TraceId: TRACE_A,
      SpanId: '1111111111111111',
      SpanName: 'POST /capture',
      ServiceName: 'ocr-capture',
    }),
    seedSpan(now, 599, {
      TraceId: TRACE_A,
      SpanId: '2222222222222222',
      ParentSpanId: '1111111111111111',
      SpanName: 'POST /tax/determine',
      SpanKind: 'Client',
      ServiceName: 'tax-engine',
      Duration: '234567891',
      ...error,
      'Events.Timestamp': [
        formatInstant(now - 599n * MINUTE)
          .replace('T', ' ')
          .replace('Z', ''),
      ],
      'Events.Name': ['exception'],
      'Events.Attributes': [{ 'exception.type': 'ServiceUnavailable' }],
    }),
    seedSpan(now, 500, {
      TraceId: TRACE_B,
      SpanId: '3333333333333333',
      SpanName: 'POST /capture',
      ServiceName: 'ocr-capture',
    }),
  ];
  await clickhouse.insertRows('otel_traces', spans, { token: 'seed:spans' });

  const incident = {
    company: 'acme',
    cause_kind: 'interface-error',
    severity: 'high' as const,
    opened_at: date(now, 28),
    sums: JSON.stringify([{ currency: 'EUR', amount: '37351.50', open: '12450.50' }]),
    exceptions: 3,
    open_exceptions: 3,
  };
  await db
    .insertInto('incidents')
    .values([
      {
        ...incident,
        id: 'inc-1',
        cause_key: 'tax-engine|503',
        title: 'Bills are not posted: the tax engine answers 503',
      },
      {
        ...incident,
        id: 'inc-2',
        cause_kind: 'rule',
        cause_key: 'AP-01',
        title: 'Payment requests wait for approval for more than 14 days',
        severity: 'medium' as const,
        state: 'acknowledged' as const,
        opened_at: date(now, 3_000),
        acknowledged_at: date(now, 1_400),
        acknowledged_by: 'ines',
        sums: JSON.stringify([{ currency: 'EUR', amount: '1890.00', open: '1890.00' }]),
        exceptions: 1,
        open_exceptions: 1,
      },
      {
        ...incident,
        id: 'inc-3',
        company: 'beta',
        cause_kind: 'stale-source',
        cause_key: '/bank/feed',
        title: 'The bank feed has sent nothing since yesterday',
        severity: 'critical' as const,
        sums: JSON.stringify([{ currency: 'USD', amount: '99', open: '99' }]),
        exceptions: 1,
        open_exceptions: 1,
      },
    ])
    .execute();
  await db
    .insertInto('exceptions')
    .values([
      seedException(now, '1', {
        incident: 'inc-1',
        trace_ids: [TRACE_A],
        error_signature: 'tax-engine: 503',
      }),
      seedException(now, '11', { incident: 'inc-1', amount: '12450.50', opened_at: date(now, 29) }),
      seedException(now, '12', { incident: 'inc-1', amount: '12450.50', opened_at: date(now, 28) }),
      seedException(now, '21', {
        incident: 'inc-2',
        rule: 'AP-01',
        severity: 'medium',
        close_impact: 'warning',
        amount: '1890.00',
        why: 'Submitted 16 days ago and neither approved nor rejected; 14 days are allowed.',
      }),
      seedException(now, '2', {
        company: 'beta',
        incident: 'inc-3',
        severity: 'critical',
        amount: '99',
        currency: 'USD',
        subject: 'account.move/2',
      }),
    ])
    .execute();
  await db
    .insertInto('assessments')
    .values({
      id: 'as-1',
      incident: 'inc-1',
      version: 1,
      author: 'rules',
      category: 'tax-engine',
      severity: 'high',
      summary:
        'Three bills worth EUR 37,351.50 of Müller & Co: <Berlin> were received and not posted in time.',
      probable_cause: 'The tax engine answers 503 Service Unavailable to POST /tax/determine.',
      next_step: 'Ask the owner of the tax engine for its state, then process the events again.',
      confidence: 0.8,
      claims: JSON.stringify([
        { text: 'Three bills have passed their deadline.', evidence: [1] },
        { text: 'The linked span of tax-engine ended in error 503.', evidence: [2] },
      ]),
      proposed_actions: JSON.stringify([
        { kind: 'reprocess-events', reason: 'the events are stored', evidence: [1], proposedBy: 'rules' },
      ]),
      evidence: JSON.stringify([
        {
          number: 1,
          kind: 'exception',
          at: formatInstant(now - 60n * MINUTE),
          facts: { rule: 'MP-02', amount: '12450.50', currency: 'EUR', state: 'open' },
        },
        {
          number: 2,
          kind: 'span',
          at: formatInstant(now - 599n * MINUTE),
          facts: { service: 'tax-engine', name: 'POST /tax/determine', status: 'Error' },
        },
      ]),
      evidence_hash: hash('evidence'),
    })
    .execute();
  for (const news of await incidentsToRoute(postgres, 10, new Date())) {
    const { id, company } = news.incident;
    if (id === 'inc-2') continue;
    const { blocks, text } = render(news, {
      publicUrl: 'http://127.0.0.1:4000',
      companyName: `${company} <& Söhne>`,
    });
    const message = { channel: 'outbox', kind: 'incident', blocks, text, contentHash: hash(text) };
    await putMessages(postgres, news.incident, [message], { now, outbox: true });
  }
  await db
    .insertInto('sources')
    .values([
      {
        source: '/odoo/prod/1',
        company: 'acme',
        kind: 'assumed',
        last_arrival_at: date(now, 1),
        types: ['bill.received', 'bill.posted'],
        events: '1204',
        last_event_ns: nanos(now, 2),
      },
      {
        source: '/bank/feed',
        company: 'acme',
        kind: 'declared',
        complete_up_to_ns: nanos(now, 4_000),
        last_arrival_at: date(now, 4_000),
        types: ['statementline.imported'],
        events: '88',
      },
      {
        source: '/odoo/prod/1',
        company: 'beta',
        kind: 'assumed',
        last_arrival_at: date(now, 1),
        types: ['bill.received'],
        events: '40',
      },
    ])
    .execute();
  const change = (incident: string, company: string, minutesAgo: number, what: string, actor?: string) => ({
    at: date(now, minutesAgo),
    entity: 'incident',
    entity_id: incident,
    company,
    change: what,
    state: what === 'acknowledged' ? 'acknowledged' : 'open',
    severity: 'high',
    actor: actor ?? null,
  });
  await db
    .insertInto('change_log')
    .values([
      change('inc-1', 'acme', 28, 'opened'),
      change('inc-1', 'acme', 20, 'updated'),
      change('inc-2', 'acme', 3_000, 'opened'),
      change('inc-2', 'acme', 1_400, 'acknowledged', 'ines'),
      change('inc-3', 'beta', 28, 'opened'),
    ])
    .execute();
}
