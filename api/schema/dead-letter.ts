import { ClosewatchError, type Problem } from '../../model/errors.ts';
import { hasRole } from '../../model/principal.ts';
import { dateOf } from '../../model/time.ts';
import { REPLAY_OUTCOMES, type ReplayedLetter } from '../../store/letter-replay.ts';
import { discardDeadLetters } from '../../store/postgres/dead-letter-decisions.ts';
import {
  type DeadLetterRow,
  deadLetterCursor,
  findDeadLetters,
  listDeadLetters,
} from '../../store/postgres/dead-letter-queries.ts';
import type { ApiContext } from '../context.ts';
import { builder } from './builder.ts';
import { page, rowsAsked } from './connection.ts';
import { hyphenated } from './enums.ts';
import { instantOfDate, instantOrNull } from './scalars.ts';

/** Letters of one decision. */
const MAX_DECIDED = 100;

const DeadLetterState = builder.enumType('DeadLetterState', {
  description:
    'replayed: the same event was accepted later. discarded: a person decided that it is not needed.',
  values: ['open', 'replayed', 'discarded'] as const,
});

const ProblemRef = builder.objectRef<Problem>('Problem').implement({
  description: 'One thing that is wrong, and where.',
  fields: (t) => ({ where: t.exposeString('where'), what: t.exposeString('what') }),
});

/** Who may read what a letter says, and decide on it. */
const mayDecide = ({ company }: DeadLetterRow, { actor, scope }: ApiContext): boolean =>
  (scope === '*' || (company !== null && scope.includes(company))) && hasRole(actor, 'sre', 'support');

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
        'What was sent, whole or up to 64 KiB. Null without one of the roles sre, support, admin; and, as it may speak of any company when it names none, null without every company then.',
      resolve: (row, _, context) => (mayDecide(row, context) ? row.body : null),
    }),
    cut: t.exposeBoolean('cut', {
      description: 'Is the body not all of it? Then it cannot be taken through again.',
    }),
    type: t.exposeString('event_type', {
      nullable: true,
      description: 'The type that it names: bill.posted',
    }),
    tried: t.exposeInt('tried', { description: 'How often it was taken through again' }),
    triedAt: t.field({ type: 'Instant', nullable: true, resolve: (row) => instantOrNull(row.tried_at) }),
  }),
});

const ReplayOutcomeEnum = builder.enumType('ReplayOutcome', {
  description:
    'accepted: now. known: it was accepted before. sent_on: to ClickHouse and detection again. With these the letter is settled. conflict: another event with its id was accepted. refused: it is not valid now either. settled: somebody else settled it.',
  values: hyphenated(REPLAY_OUTCOMES),
});

const ReplayedLetterRef = builder.objectRef<ReplayedLetter>('ReplayedLetter').implement({
  description: 'What became of a dead letter that was taken through again.',
  fields: (t) => ({
    id: t.exposeID('id'),
    outcome: t.field({ type: ReplayOutcomeEnum, resolve: ({ outcome }) => outcome }),
    problems: t.field({ type: [ProblemRef], resolve: ({ problems }) => [...problems] }),
  }),
});

/** The letters of a decision, once each. Throws `not-found` for what the actor may not know of, `auth.forbidden` for the rest. */
async function lettersToDecide(ids: readonly string[], context: ApiContext): Promise<DeadLetterRow[]> {
  rowsAsked(ids.length, MAX_DECIDED);
  const known = ids.filter((id) => /^[1-9]\d{0,17}$/.test(id));
  const filter = { companies: context.scope, ids: known };
  const letters = await listDeadLetters(context.postgres, filter, { limit: MAX_DECIDED });
  const missing = ids.find((id) => !letters.some((letter) => letter.id === id));
  if (missing !== undefined) throw new ClosewatchError('not-found', `there is no dead letter ${missing}`);
  const denied = letters.find((letter) => !mayDecide(letter, context));
  if (denied)
    throw new ClosewatchError(
      'auth.forbidden',
      `dead letter ${denied.id}: needs its company (every company, when it names none) and one of the roles sre, support, admin`,
    );
  return letters;
}

builder.queryFields((t) => ({
  deadLetters: t.connection({
    type: DeadLetterRef,
    description:
      'Refused events, the newest first: of a company, those that name it or whose source sends for it. Those that concern no known company are shown only to who reads every company.',
    args: {
      company: t.arg.string(),
      states: t.arg({ type: [DeadLetterState] }),
      source: t.arg.string({ description: 'This source and those below it' }),
      type: t.arg.string({ description: 'The type that they name: bill.posted' }),
      reason: t.arg.string({ description: 'invalid, unknown-version, conflict, poison …' }),
      since: t.arg({ type: 'Instant', description: 'Received from then on' }),
    },
    resolve: (_, args, { postgres, scope }) =>
      page(args, deadLetterCursor, (window) =>
        listDeadLetters(
          postgres,
          {
            companies: scope,
            company: args.company ?? undefined,
            states: args.states ?? undefined,
            source: args.source ?? undefined,
            type: args.type ?? undefined,
            reason: args.reason ?? undefined,
            since: args.since == null ? undefined : dateOf(args.since),
          },
          window,
        ),
      ),
  }),
}));

builder.mutationFields((t) => ({
  replayDeadLetters: t.field({
    type: [ReplayedLetterRef],
    description:
      'Judges refused events again, as if their senders sent them now, and accepts those that are valid: 1 to 100. Needs the company that each names (every company, when it names none) and one of the roles sre, support, admin.',
    args: { ids: t.arg.idList({ required: true }), dryRun: t.arg.boolean({ defaultValue: false }) },
    resolve: async (_, { ids, dryRun }, context) => {
      const letters = await lettersToDecide(ids, context);
      if (!context.letters)
        throw new ClosewatchError('request.path', 'this process takes no events, so it replays none');
      const wish = { by: context.actor.id, dryRun: dryRun ?? false };
      return await context.letters.replay(
        letters.map(({ id }) => id),
        wish,
      );
    },
  }),
  discardDeadLetters: t.field({
    type: [DeadLetterRef],
    description:
      'Settles open refused events as not needed, all or none: 1 to 100. Needs what replayDeadLetters needs.',
    args: { ids: t.arg.idList({ required: true }), reason: t.arg.string({ required: true }) },
    resolve: async (_, { ids, reason }, context) => {
      const why = reason.trim();
      if (why === '' || why.length > 2_000)
        throw new ClosewatchError('request.malformed', 'a reason has 1 to 2,000 characters');
      const letters = (await lettersToDecide(ids, context)).map(({ id }) => id);
      const at = dateOf(context.now);
      await discardDeadLetters(context.postgres, { ids: letters, by: context.actor.id, reason: why, at });
      return await findDeadLetters(context.postgres, letters);
    },
  }),
}));
