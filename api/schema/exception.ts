import type { ExceptionState } from '../../model/exception.ts';
import type { CloseImpact, Severity } from '../../model/severity.ts';
import type { Page } from '../../store/paging.ts';
import {
  countExceptions,
  type ExceptionFilter,
  exceptionCursor,
  listExceptions,
} from '../../store/postgres/exception-queries.ts';
import { eventRefsOf } from '../../store/postgres/exceptions.ts';
import type { ApiContext } from '../context.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';
import { CloseImpactEnum, ExceptionStateEnum, OrderEnum, SeverityEnum } from './enums.ts';
import { ExceptionRef, FinanceEventRef, IncidentRef } from './refs.ts';
import { instantOfDate, instantOfNanos, instantOrNull } from './scalars.ts';

const MAX_EVENTS = 20;

ExceptionRef.implement({
  description: 'An obligation that was not met: one rule, one document.',
  fields: (t) => ({
    id: t.exposeID('id'),
    rule: t.exposeString('rule'),
    ruleVersion: t.exposeInt('rule_version'),
    ruleName: t.string({ nullable: true, resolve: (row, _, { rules }) => rules.get(row.rule)?.name ?? null }),
    owner: t.string({ nullable: true, resolve: (row, _, { rules }) => rules.get(row.rule)?.owner ?? null }),
    runbook: t.string({
      nullable: true,
      resolve: (row, _, { rules }) => rules.get(row.rule)?.runbook ?? null,
    }),
    flow: t.exposeString('flow'),
    kind: t.exposeString('kind'),
    company: t.exposeString('company'),
    source: t.exposeString('source'),
    subject: t.exposeString('subject', { description: 'The document, as its source names it' }),
    occurrence: t.exposeString('occurrence'),
    state: t.expose('state', { type: ExceptionStateEnum }),
    severity: t.expose('severity', { type: SeverityEnum }),
    closeImpact: t.expose('close_impact', { type: CloseImpactEnum }),
    amount: t.expose('amount', { type: 'Decimal', nullable: true }),
    currency: t.exposeString('currency', { nullable: true }),
    openedAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.opened_at) }),
    closedAt: t.field({ type: 'Instant', nullable: true, resolve: (row) => instantOrNull(row.closed_at) }),
    anchorAt: t.field({ type: 'Instant', resolve: (row) => instantOfNanos(row.anchor_ns) }),
    dueAt: t.field({ type: 'Instant', resolve: (row) => instantOfNanos(row.due_ns) }),
    answeredAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: (row) => (row.answered_ns === null ? null : instantOfNanos(row.answered_ns)),
    }),
    reopened: t.exposeInt('reopened'),
    why: t.exposeString('why', { description: 'One sentence' }),
    errorSignature: t.exposeString('error_signature', { nullable: true }),
    inhibitedBy: t.exposeString('inhibited_by', { nullable: true }),
    traceIds: t.exposeStringList('trace_ids'),
    events: t.field({
      type: [FinanceEventRef],
      description: `The events that decided it, the one that started it first (${MAX_EVENTS} at most)`,
      extensions: { costRows: MAX_EVENTS },
      resolve: async (row, _, { load }) => {
        const found = await load.event.loadMany(eventRefsOf(row).slice(0, MAX_EVENTS));
        return found.flatMap((event) => {
          if (event instanceof Error) throw event;
          return event?.company === row.company ? event : [];
        });
      },
    }),
    incident: t.field({
      type: IncidentRef,
      nullable: true,
      resolve: async (row, _, { load }) =>
        row.incident === null ? null : ((await load.incident.load(row.incident)) ?? null),
    }),
  }),
});

interface ExceptionArgs {
  company?: string | null | undefined;
  states?: readonly ExceptionState[] | null | undefined;
  severities?: readonly Severity[] | null | undefined;
  rule?: string | null | undefined;
  subject?: string | null | undefined;
  closeImpact?: CloseImpact | null | undefined;
  anchoredBefore?: bigint | null | undefined;
}
const filterOf = (args: ExceptionArgs, { scope }: ApiContext): ExceptionFilter => ({
  companies: scope,
  company: args.company ?? undefined,
  states: args.states ?? undefined,
  severities: args.severities ?? undefined,
  rule: args.rule ?? undefined,
  subject: args.subject ?? undefined,
  closeImpact: args.closeImpact ?? undefined,
  anchoredBefore: args.anchoredBefore ?? undefined,
});

builder.queryFields((t) => ({
  exception: t.field({
    type: ExceptionRef,
    nullable: true,
    args: { id: t.arg.id({ required: true }) },
    resolve: async (_, { id }, { load }) => (await load.exception.load(id)) ?? null,
  }),
  exceptions: t.connection(
    {
      type: ExceptionRef,
      description: 'Exceptions, the newest first unless asked otherwise.',
      args: {
        company: t.arg.string(),
        states: t.arg({ type: [ExceptionStateEnum] }),
        severities: t.arg({ type: [SeverityEnum] }),
        rule: t.arg.string(),
        subject: t.arg.string(),
        closeImpact: t.arg({ type: CloseImpactEnum }),
        anchoredBefore: t.arg({
          type: 'Instant',
          description:
            'Of documents that began before: with the end of a period, those that count for its close',
        }),
        order: t.arg({ type: OrderEnum, required: true, defaultValue: 'newest' }),
      },
      resolve: async (_, args, context) => {
        const filter = filterOf(args, context);
        const list = (window: Page) => listExceptions(context.postgres, filter, window, args.order);
        return {
          ...(await page(args, exceptionCursor(args.order), list)),
          count: () => countExceptions(context.postgres, filter),
        };
      },
    },
    { fields: (c) => ({ totalCount: c.int({ resolve: ({ count }) => count() }) }) },
  ),
}));
