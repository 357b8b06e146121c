import type { ActionKind } from '../../model/action.ts';
import type { Category } from '../../model/assessment.ts';
import { ClosewatchError } from '../../model/errors.ts';
import type { INCIDENT_STATES } from '../../model/incident.ts';
import { dateOf } from '../../model/time.ts';
import { alikeIncidents, openedSince } from '../../store/postgres/causes.ts';
import { correctAssessment } from '../../store/postgres/corrections.ts';
import { exceptionCursor, listExceptions } from '../../store/postgres/exception-queries.ts';
import {
  countIncidents,
  incidentByNumber,
  incidentChanges,
  incidentCursor,
  listIncidents,
} from '../../store/postgres/incident-queries.ts';
import {
  acknowledgeIncident,
  askToMove,
  type IncidentRow,
  moveIncident,
} from '../../store/postgres/incidents.ts';
import type { ApiContext } from '../context.ts';
import { AssessmentRef, CategoryEnum } from './assessment.ts';
import { builder } from './builder.ts';
import { ChangeRef } from './change.ts';
import { page } from './connection.ts';
import {
  ActionKindEnum,
  CauseKindEnum,
  ExceptionStateEnum,
  IncidentStateEnum,
  OrderEnum,
  SeverityEnum,
} from './enums.ts';
import { ExceptionRef, IncidentRef, ProposalRef } from './refs.ts';
import { instantOfDate, instantOrNull, MoneyRef } from './scalars.ts';

const MAX_CHANGES = 500;
const MAX_ASSESSMENTS = 50;
const MAX_ALIKE = 5;
const HOUR = 3_600_000_000_000n;

IncidentRef.implement({
  description: 'What people own: exceptions of one cause in one company.',
  fields: (t) => ({
    id: t.exposeID('id'),
    number: t.int({ description: 'The number that people say', resolve: (row) => Number(row.number) }),
    company: t.exposeString('company'),
    title: t.exposeString('title'),
    severity: t.expose('severity', { type: SeverityEnum }),
    state: t.expose('state', { type: IncidentStateEnum }),
    causeKind: t.field({ type: CauseKindEnum, resolve: (row) => row.cause_kind as 'rule' }),
    causeKey: t.exposeString('cause_key'),
    openedAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.opened_at) }),
    acknowledgedAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: (row) => instantOrNull(row.acknowledged_at),
    }),
    acknowledgedBy: t.exposeString('acknowledged_by', { nullable: true }),
    acknowledgedByName: t.string({
      nullable: true,
      resolve: async (row, _, { load }) =>
        row.acknowledged_by ? await load.name.load(row.acknowledged_by) : null,
    }),
    resolvedAt: t.field({
      type: 'Instant',
      nullable: true,
      resolve: (row) => instantOrNull(row.resolved_at),
    }),
    resolvedBy: t.exposeString('resolved_by', { nullable: true }),
    updatedAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.updated_at) }),
    recurrenceOf: t.field({
      type: IncidentRef,
      nullable: true,
      description: 'The resolved incident of the same cause before this one',
      resolve: async (row, _, { load }) =>
        row.recurrence_of === null ? null : ((await load.incident.load(row.recurrence_of)) ?? null),
    }),
    exceptionCount: t.exposeInt('exceptions'),
    openExceptionCount: t.exposeInt('open_exceptions'),
    sums: t.field({
      type: [MoneyRef],
      extensions: { costRows: 5 },
      description: 'The money of all its exceptions, closed ones included, by currency',
      resolve: (row) => row.sums,
    }),
    openSums: t.field({
      type: [MoneyRef],
      extensions: { costRows: 5 },
      description: 'The money of the exceptions that are still open, by currency',
      resolve: (row) => row.sums.map(({ currency, amount, open }) => ({ currency, amount: open ?? amount })),
    }),
    rules: t.stringList({
      description: 'The rules of its exceptions',
      resolve: async (row, _, { load }) => await load.rules.load(row.id),
    }),
    owner: t.string({
      nullable: true,
      description: 'Who answers for the flow of its exceptions',
      resolve: async (row, _, { load, rules }) => {
        const owners = new Set(
          (await load.rules.load(row.id)).flatMap((rule) => rules.get(rule)?.owner ?? []),
        );
        return owners.size === 0 ? null : [...owners].sort().join(', ');
      },
    }),
    exceptions: t.connection({
      type: ExceptionRef,
      args: {
        states: t.arg({ type: [ExceptionStateEnum] }),
        order: t.arg({ type: OrderEnum, required: true, defaultValue: 'newest' }),
      },
      resolve: (row, args, { postgres, scope }) =>
        page(args, exceptionCursor(args.order), (window) =>
          listExceptions(
            postgres,
            { companies: scope, incident: row.id, states: args.states ?? undefined },
            window,
            args.order,
          ),
        ),
    }),
    exceptionsLastHour: t.int({
      description: 'How many of its exceptions opened within the last hour: how fast it grows',
      extensions: { costRows: 5 },
      resolve: (row, _, { now, postgres }) => openedSince(postgres, row.id, dateOf(now - HOUR)),
    }),
    alike: t.field({
      type: [IncidentRef],
      description:
        'Living incidents of the company with much the same title: a person may merge them (moveExceptions)',
      extensions: { costRows: MAX_ALIKE },
      resolve: (row, _, { postgres }) => alikeIncidents(postgres, row, MAX_ALIKE),
    }),
    proposals: t.field({
      type: [ProposalRef],
      extensions: { costRows: 20 },
      description: 'Actions that were proposed, the newest first',
      resolve: (row, _, { load }) => load.proposals.load(row.id),
    }),
    assessment: t.field({
      type: AssessmentRef,
      nullable: true,
      description: 'The newest assessment',
      resolve: async (row, _, { load }) => (await load.assessments.load(row.id))[0] ?? null,
    }),
    assessments: t.field({
      type: [AssessmentRef],
      description: `The newest first (${MAX_ASSESSMENTS} at most)`,
      extensions: { costRows: MAX_ASSESSMENTS },
      resolve: async (row, _, { load }) => (await load.assessments.load(row.id)).slice(0, MAX_ASSESSMENTS),
    }),
    changes: t.field({
      type: [ChangeRef],
      extensions: { costRows: MAX_CHANGES },
      description: `What became of it, in order: the last ${MAX_CHANGES} changes`,
      resolve: (row, _, { postgres, scope }) => incidentChanges(postgres, scope, row.id, MAX_CHANGES),
    }),
  }),
});

builder.queryFields((t) => ({
  incident: t.field({
    type: IncidentRef,
    nullable: true,
    description: 'One incident by its id or its number; null when there is none that the viewer may read.',
    args: { id: t.arg.id(), number: t.arg.int() },
    resolve: async (_, { id, number }, { load, postgres, scope }) => {
      if (id != null) return (await load.incident.load(id)) ?? null;
      if (number != null) return (await incidentByNumber(postgres, scope, `${number}`)) ?? null;
      throw new ClosewatchError('request.malformed', 'incident needs id or number');
    },
  }),
  incidents: t.connection(
    {
      type: IncidentRef,
      description: 'Incidents, the newest first unless asked otherwise.',
      args: {
        company: t.arg.string(),
        states: t.arg({ type: [IncidentStateEnum] }),
        severities: t.arg({ type: [SeverityEnum] }),
        rule: t.arg.string(),
        order: t.arg({ type: OrderEnum, required: true, defaultValue: 'newest' }),
      },
      resolve: async (_, args, { postgres, scope }) => {
        const filter = incidentFilter(args, scope);
        const found = await page(args, incidentCursor(args.order), (window) =>
          listIncidents(postgres, filter, window, args.order),
        );
        return { ...found, count: () => countIncidents(postgres, filter) };
      },
    },
    { fields: (c) => ({ totalCount: c.int({ resolve: ({ count }) => count() }) }) },
  ),
}));

type IncidentArgs = {
  company?: string | null | undefined;
  states?: readonly (typeof INCIDENT_STATES)[number][] | null | undefined;
  severities?: readonly IncidentRow['severity'][] | null | undefined;
  rule?: string | null | undefined;
};
const incidentFilter = (
  args: IncidentArgs,
  companies: Parameters<typeof countIncidents>[1]['companies'],
) => ({
  companies,
  company: args.company ?? undefined,
  states: args.states ?? undefined,
  severities: args.severities ?? undefined,
  rule: args.rule ?? undefined,
});

const MAX_REASON = 2_000;

/** An act of a person on an incident that one may read. */
async function actOn(id: string, reason: string, { actor, load, now }: ApiContext) {
  if (reason.trim() === '' || reason.length > MAX_REASON)
    throw new ClosewatchError('request.malformed', `a reason has 1 to ${MAX_REASON} characters`);
  if (!(await load.incident.load(id))) throw new ClosewatchError('not-found', `there is no incident ${id}`);
  load.incident.clear(id);
  return { incident: id, actor, now, reason };
}
builder.mutationFields((t) => ({
  resolveIncident: t.field({
    type: IncidentRef,
    description:
      'Resolves an incident of which every exception is closed or waived. Needs what acknowledging needs.',
    args: { id: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
    resolve: async (_, { id, reason }, context) =>
      await moveIncident(context.postgres, 'resolve', await actOn(id, reason, context)),
  }),
  reopenIncident: t.field({
    type: IncidentRef,
    description: 'Opens a resolved incident again.',
    args: { id: t.arg.id({ required: true }), reason: t.arg.string({ required: true }) },
    resolve: async (_, { id, reason }, context) =>
      await moveIncident(context.postgres, 'reopen', await actOn(id, reason, context)),
  }),
  moveExceptions: t.field({
    type: IncidentRef,
    description:
      'Moves exceptions of an incident (all of them, unless some are named) to another of the company, or, without a target, into one of their own. Grouping does it with its next run.',
    args: {
      id: t.arg.id({ required: true }),
      exceptions: t.arg.idList(),
      target: t.arg.id(),
      reason: t.arg.string({ required: true }),
    },
    resolve: async (_, { id, exceptions, target, reason }, context) => {
      const act = await actOn(id, reason, context);
      if (target != null && !(await context.load.incident.load(target)))
        throw new ClosewatchError('not-found', `there is no incident ${target}`);
      if (target == null && exceptions == null)
        throw new ClosewatchError('request.malformed', 'name the exceptions that are to be split off');
      if (exceptions != null && (exceptions.length === 0 || exceptions.length > 1_000))
        throw new ClosewatchError('request.malformed', '1 to 1,000 exceptions are moved at a time');
      await askToMove(context.postgres, {
        ...act,
        exceptions: exceptions ?? undefined,
        target: target ?? undefined,
      });
      return (await context.load.incident.load(id)) as IncidentRow;
    },
  }),
  correctAssessment: t.boolean({
    description: 'Says what an assessment should have been. It becomes a case with which triage is scored.',
    args: {
      id: t.arg.id({ required: true }),
      category: t.arg({ type: CategoryEnum, required: true }),
      actions: t.arg({ type: [ActionKindEnum] }),
      comment: t.arg.string(),
    },
    resolve: async (_, { id, category, actions, comment }, { actor, now, postgres }) => {
      const wish = {
        assessment: id,
        category: category as Category,
        actions: (actions ?? []) as ActionKind[],
        comment: comment?.slice(0, MAX_REASON),
      };
      await correctAssessment(postgres, wish, actor, dateOf(now));
      return true;
    },
  }),
  acknowledgeIncident: t.field({
    type: IncidentRef,
    description:
      'Takes over an open incident. Needs the company and one of the roles support, finance, sre, admin.',
    args: { id: t.arg.id({ required: true }), comment: t.arg.string() },
    resolve: async (_, { id, comment }, { actor, load, now, postgres }) => {
      if (comment != null && comment.length > 2_000)
        throw new ClosewatchError('request.malformed', 'a comment has 2,000 characters at most');
      if (!(await load.incident.load(id)))
        throw new ClosewatchError('not-found', `there is no incident ${id}`);
      load.incident.clear(id);
      return await acknowledgeIncident(postgres, { incident: id, actor, now, comment: comment ?? undefined });
    },
  }),
}));
