import { z } from 'zod';
import { elapsedMs } from '../../model/duration.ts';

/** The inbox: what goes first, how much may wait, and how long what nobody needs any more is kept. */
export const inboxConfig = z
  .strictObject({
    criticalKinds: z
      .array(z.string().regex(/^[a-z][a-z0-9_-]*$/, 'must be the kind of an event, such as payment'))
      .default(['payment', 'batchpayment', 'statementline', 'approval', 'compliancehold'])
      .describe(
        'kinds of events that are committed and forwarded before others, and are the last to be refused',
      ),
    ordinaryShare: z
      .number()
      .positive()
      .max(1)
      .default(0.75)
      .describe('how much of what may wait other events may take, from 0 to 1'),
    maxWaitingEvents: z
      .int()
      .positive()
      .default(50_000)
      .describe('events that may wait to be committed; beyond it, 429'),
    maxWaitingCharacters: z
      .int()
      .positive()
      .default(64 << 20)
      .describe('characters of their JSON that may wait; beyond it, 429'),
    keepPayloads: elapsedMs
      .prefault('7d')
      .describe(
        'how long the payload of an event stays after ClickHouse has confirmed it; its key and hash stay for ever',
      ),
    keepSettledLetters: elapsedMs
      .prefault('30d')
      .describe('how long a dead letter stays after it was settled; an open one stays'),
  })
  .describe('Inbox of finance events');
