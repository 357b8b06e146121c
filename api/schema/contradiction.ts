import type { Contradiction, Said } from '../../model/contradiction.ts';
import { listContradictions, type RecordedContradiction } from '../../store/postgres/contradictions.ts';
import { MAX_PAGE } from '../limits.ts';
import { builder } from './builder.ts';
import { rowsAsked } from './connection.ts';
import { instantOfDate } from './scalars.ts';

const SaidRef = builder.objectRef<Said>('Said').implement({
  description: 'What one source says of a document.',
  fields: (t) => ({
    source: t.exposeString('source'),
    subject: t.exposeString('subject'),
    value: t.exposeString('value', { description: 'As it was sent' }),
  }),
});

export const ContradictionRef = builder.objectRef<Contradiction>('Contradiction').implement({
  description: 'Two sources tell of one document, by a key that both hold, and disagree.',
  fields: (t) => ({
    company: t.exposeString('company'),
    key: t.exposeString('key', { description: 'The key by which they are one' }),
    about: t.exposeString('about', {
      description: 'amount, currency, or a type of key that a document has one of',
    }),
    said: t.field({ type: [SaidRef], resolve: ({ said }) => [...said] }),
  }),
});

const RecordedRef = builder.objectRef<RecordedContradiction>('RecordedContradiction').implement({
  description: 'A contradiction, and since when it is known.',
  fields: (t) => ({
    id: t.exposeID('id'),
    contradiction: t.field({ type: ContradictionRef, resolve: (one) => one }),
    firstAt: t.field({ type: 'Instant', resolve: ({ firstAt }) => instantOfDate(firstAt) }),
    lastAt: t.field({ type: 'Instant', resolve: ({ lastAt }) => instantOfDate(lastAt) }),
    resolvedAt: t.field({
      type: 'Instant',
      nullable: true,
      description: 'When the systems were found to agree',
      resolve: ({ resolvedAt }) => (resolvedAt ? instantOfDate(resolvedAt) : null),
    }),
  }),
});

builder.queryFields((t) => ({
  contradictions: t.field({
    type: [RecordedRef],
    description: 'What two sources say differently of one document, the newest first.',
    args: {
      company: t.arg.string(),
      resolved: t.arg.boolean({
        required: true,
        defaultValue: false,
        description: 'Those that are resolved too',
      }),
      first: t.arg.int({ required: true, defaultValue: MAX_PAGE }),
    },
    extensions: { costRows: MAX_PAGE },
    resolve: (_, { company, resolved, first }, { postgres, scope }) =>
      listContradictions(
        postgres,
        { companies: scope, resolved, company: company ?? undefined },
        rowsAsked(first, MAX_PAGE),
      ),
  }),
}));
