import { listMessages, type MessageRow, messageCursor } from '../../store/postgres/message-queries.ts';
import { builder } from './builder.ts';
import { page } from './connection.ts';
import { IncidentRef } from './refs.ts';
import { instantOfDate } from './scalars.ts';

const MessageState = builder.enumType('MessageState', {
  description: 'outbox: there is no Slack to send it to; it is shown here.',
  values: ['pending', 'sent', 'failed', 'outbox'] as const,
});

const MessageRef = builder.objectRef<MessageRow>('Message').implement({
  description: 'A message to people, as Slack blocks; edited in place as its incident changes.',
  fields: (t) => ({
    id: t.exposeID('id'),
    channel: t.exposeString('channel'),
    kind: t.exposeString('kind'),
    state: t.expose('state', { type: MessageState }),
    text: t.exposeString('text', { description: 'The plain form, for notifications and screen readers' }),
    blocks: t.field({ type: 'Json', description: 'Slack Block Kit', resolve: (row) => row.blocks }),
    attempts: t.exposeInt('attempts'),
    lastError: t.exposeString('last_error', { nullable: true }),
    createdAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.created_at) }),
    updatedAt: t.field({ type: 'Instant', resolve: (row) => instantOfDate(row.updated_at) }),
    incident: t.field({
      type: IncidentRef,
      nullable: true,
      resolve: async (row, _, { load }) =>
        row.incident === null ? null : ((await load.incident.load(row.incident)) ?? null),
    }),
  }),
});

builder.queryFields((t) => ({
  messages: t.connection({
    type: MessageRef,
    description: 'Messages, the newest first.',
    args: { states: t.arg({ type: [MessageState] }), incident: t.arg.id() },
    resolve: (_, args, { postgres, scope }) =>
      page(args, messageCursor, (window) =>
        listMessages(
          postgres,
          { companies: scope, states: args.states ?? undefined, incident: args.incident ?? undefined },
          window,
        ),
      ),
  }),
}));
