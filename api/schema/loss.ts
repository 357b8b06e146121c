import { LOSS_REASON_NAMES, lossReason } from '../../model/loss.ts';
import { mayReadTelemetry } from '../../model/principal.ts';
import { dateOf, NANOS_PER_DAY } from '../../model/time.ts';
import { type Loss, listLosses } from '../../store/postgres/loss-queries.ts';
import { MAX_PAGE } from '../limits.ts';
import { builder } from './builder.ts';
import { rowsAsked } from './connection.ts';
import { hyphenated } from './enums.ts';
import { instantOfDate } from './scalars.ts';

const LossReasonEnum = builder.enumType('LossReason', { values: hyphenated(LOSS_REASON_NAMES) });

const LossRef = builder.objectRef<Loss>('Loss').implement({
  description: 'What came of a stream and is not among the data, for one reason.',
  fields: (t) => ({
    source: t.exposeString('source', {
      description: '(unknown): without a valid token. (other): of too many names to tell them apart',
    }),
    company: t.exposeString('company', { description: 'Empty when it is not known' }),
    stream: t.exposeString('stream'),
    reason: t.exposeString('reason'),
    what: t.string({ resolve: ({ reason }) => lossReason(reason).what }),
    owner: t.string({
      description: 'Who can mend it: sender, operator, closewatch',
      resolve: ({ reason }) => lossReason(reason).owner,
    }),
    advice: t.string({ resolve: ({ reason }) => lossReason(reason).advice }),
    records: t.exposeFloat('records'),
    lastAt: t.field({ type: 'Instant', resolve: ({ lastAt }) => instantOfDate(lastAt) }),
    detail: t.exposeString('detail', {
      nullable: true,
      description: 'Of the last one: names and limits, never what was in it',
    }),
  }),
});

builder.queryFields((t) => ({
  losses: t.field({
    type: [LossRef],
    description:
      'What came and is not among the data, the most first. What names no company is shown to the role sre, and to who reads every company.',
    extensions: { costRows: MAX_PAGE },
    args: {
      since: t.arg({ type: 'Instant', description: 'From the hour of it on; left out: the last 24 hours' }),
      company: t.arg.string(),
      source: t.arg.string({ description: 'It and what lies below it' }),
      stream: t.arg.string(),
      reasons: t.arg({ type: [LossReasonEnum] }),
      first: t.arg.int({ required: true, defaultValue: MAX_PAGE }),
    },
    resolve: (_, args, { postgres, scope, actor, now }) =>
      listLosses(
        postgres,
        {
          companies: scope,
          telemetry: mayReadTelemetry(actor),
          company: args.company ?? undefined,
          source: args.source ?? undefined,
          stream: args.stream ?? undefined,
          reasons: args.reasons ?? undefined,
          since: dateOf(args.since ?? now - NANOS_PER_DAY),
        },
        rowsAsked(args.first, MAX_PAGE),
      ),
  }),
}));
