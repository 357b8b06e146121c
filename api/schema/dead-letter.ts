import type { Problem } from '../../model/errors.ts';
import { hasRole } from '../../model/principal.ts';
import {
  type DeadLetterRow,
  deadLetterCursor,
  listDeadLetters,
} from '../../store/postgres/dead-letter-queries.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';
import { instantOfDate, instantOrNull } from './scalars.ts';

const DeadLetterState = builder.enumType('DeadLetterState', {
  description:
    'replayed: the same event was accepted later. discarded: a person decided that it is not needed.',
  values: ['open', 'replayed', 'discarded'] as const,
});

const ProblemRef = builder.objectRef<Problem>('Problem').implement({
  description: 'One thing that is wrong, and where.',
  fields: (t) => ({ where: t.exposeString('where'), what: t.exposeString('what') }),
});

const DeadLetterRef = builder.objectRef<DeadLetterRow>('DeadLetter').implement({
  description: 'An event, or a whole request, that was refused.',
  fields: (t) => ({
    id: t.exposeID('id'),
    source: t.exposeString('source', {
      description: 'The source of the event, or what the token speaks for',
    }),
    company: t.exposeString('company', {
      nullable: true,
      description: 'The company that it names, if it could be read',
    }),
    receivedAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.received_at) }),
    reason: t.exposeString('reason_code'),
    problems: t.field({ type: [ProblemRef], resolve: (row) => row.problems }),
    contentType: t.exposeString('content_type', { nullable: true }),
    eventId: t.exposeString('event_id', { nullable: true }),
    state: t.expose('state', { type: DeadLetterState }),
    decidedAt: t.field({ type: 'Instant', nullable: true, resolve: (row) => instantOrNull(row.decided_at) }),
    decidedBy: t.exposeString('decided_by', { nullable: true }),
    decidedReason: t.exposeString('decided_reason', { nullable: true }),
    body: t.string({
      nullable: true,
      description:
        'What was sent, up to 64 KiB. Null without one of the roles sre, support, admin; and, as it may speak of any company when it names none, null without every company then.',
      resolve: (row, _, { actor, scope }) => {
        const readable = scope === '*' || (row.company !== null && scope.includes(row.company));
        return readable && hasRole(actor, 'sre', 'support') ? row.body : null;
      },
    }),
  }),
});

builder.queryFields((t) => ({
  deadLetters: t.connection({
    type: DeadLetterRef,
    description:
      'Refused events, the newest first: of a company, those that name it or whose source sends for it. Those that concern no known company are shown only to who reads every company.',
    args: { company: t.arg.string(), states: t.arg({ type: [DeadLetterState] }) },
    resolve: (_, args, { postgres, scope }) =>
      page(args, deadLetterCursor, (window) =>
        listDeadLetters(
          postgres,
          { companies: scope, company: args.company ?? undefined, states: args.states ?? undefined },
          window,
        ),
      ),
  }),
}));
