import { KEY_TYPES } from '../../model/key.ts';
import { eventCursor, findEvent, listEvents } from '../../store/clickhouse/event-queries.ts';
import { AUTHORITATIVE } from '../../store/source-terms.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';
import { FinanceEventRef } from './refs.ts';
import { KeyValueRef, keyValues } from './scalars.ts';

interface DisplayKey {
  readonly type: string;
  readonly value: string;
  readonly text: string;
}
const KeyRef = builder.objectRef<DisplayKey>('Key').implement({
  description: 'A correlation key of an event.',
  fields: (t) => ({
    type: t.exposeString('type'),
    value: t.exposeString('value', { description: 'As it was sent' }),
    text: t.exposeString('text', { description: 'What case(key:) takes: docno:acme:BILL/2026/05/0012' }),
  }),
});

const enclose = (room: string): string => room.replaceAll('%', '%25').replaceAll(':', '%3A');

/** The key as people write it, which `case(key:)` reads back. */
function displayKey(type: string, value: string, room: { company: string; source: string }): DisplayKey {
  const scope = type in KEY_TYPES ? KEY_TYPES[type as keyof typeof KEY_TYPES].scope : 'company';
  const place = scope === 'global' ? '' : `${enclose(scope === 'company' ? room.company : room.source)}:`;
  return { type, value, text: `${type}:${place}${value}` };
}

FinanceEventRef.implement({
  description: 'A business fact with an instant, a company and at least one key.',
  fields: (t) => ({
    id: t.exposeID('id'),
    source: t.exposeString('source'),
    type: t.exposeString('type'),
    version: t.exposeInt('version'),
    time: t.expose('time', { type: 'Instant' }),
    receivedAt: t.expose('receivedAt', { type: 'Instant' }),
    sequence: t.exposeString('sequence'),
    batch: t.exposeString('batch'),
    company: t.exposeString('company'),
    subject: t.exposeString('subject'),
    ingestPath: t.exposeString('ingestPath'),
    docNumber: t.string({ nullable: true, resolve: (event) => event.docNumber ?? null }),
    state: t.string({ nullable: true, resolve: (event) => event.state ?? null }),
    period: t.string({ nullable: true, resolve: (event) => event.period ?? null }),
    partyKey: t.string({ nullable: true, resolve: (event) => event.partyKey ?? null }),
    amount: t.field({ type: 'Decimal', nullable: true, resolve: (event) => event.amount ?? null }),
    currency: t.string({ nullable: true, resolve: (event) => event.currency ?? null }),
    companyAmount: t.field({
      type: 'Decimal',
      nullable: true,
      resolve: (event) => event.companyAmount ?? null,
    }),
    companyCurrency: t.string({ nullable: true, resolve: (event) => event.companyCurrency ?? null }),
    actorId: t.string({ nullable: true, resolve: (event) => event.actorId ?? null }),
    actorKind: t.string({ nullable: true, resolve: (event) => event.actorKind ?? null }),
    traceId: t.string({ nullable: true, resolve: (event) => event.traceId ?? null }),
    spanId: t.string({ nullable: true, resolve: (event) => event.spanId ?? null }),
    correlationId: t.string({ nullable: true, resolve: (event) => event.correlationId ?? null }),
    flow: t.string({ nullable: true, resolve: (event) => event.flow ?? null }),
    keys: t.field({
      type: [KeyRef],
      extensions: { costRows: 10 },
      resolve: (event) => event.keys.map(({ type, value }) => displayKey(type, value, event)),
    }),
    attributes: t.field({
      type: [KeyValueRef],
      extensions: { costRows: 15 },
      resolve: (event) => keyValues(event.attributes),
    }),
    authoritative: t.boolean({
      description: 'False when another source is declared the system of record for its kind',
      resolve: ({ attributes }) => attributes[AUTHORITATIVE] !== 'false',
    }),
    data: t.string({
      description: 'The rest of the event’s data (lines, approval, tax …) as JSON text',
      resolve: async (event, _, { load }) => event.data ?? (await load.event.load(event))?.data ?? '{}',
    }),
  }),
});

builder.queryFields((t) => ({
  event: t.field({
    type: FinanceEventRef,
    nullable: true,
    args: { source: t.arg.string({ required: true }), id: t.arg.id({ required: true }) },
    resolve: async (_, { source, id }, { clickhouse, scope }) =>
      (await findEvent(clickhouse, scope, source, id)) ?? null,
  }),
  events: t.connection({
    type: FinanceEventRef,
    description: 'Finance events, the latest first.',
    args: {
      company: t.arg.string(),
      source: t.arg.string(),
      subject: t.arg.string(),
      traceId: t.arg.string(),
      types: t.arg.stringList({ description: 'Event types; * stands for any text: bill.*' }),
      from: t.arg({ type: 'Instant', description: 'Inclusive' }),
      to: t.arg({ type: 'Instant', description: 'Exclusive' }),
    },
    resolve: (_, args, { clickhouse, scope }) =>
      page(args, eventCursor, (window) =>
        listEvents(
          clickhouse,
          {
            companies: scope,
            company: args.company ?? undefined,
            source: args.source ?? undefined,
            subject: args.subject ?? undefined,
            traceId: args.traceId ?? undefined,
            types: args.types ?? undefined,
            from: args.from ?? undefined,
            to: args.to ?? undefined,
          },
          window,
        ),
      ),
  }),
}));
