import { userInfo } from 'node:os';
import { defineCommand } from 'citty';
import { z } from 'zod';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import { discardDeadLetters } from '../store/postgres/dead-letter-decisions.ts';
import {
  type DeadLetterRow,
  findDeadLetter,
  listDeadLetters,
} from '../store/postgres/dead-letter-queries.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import { runTask } from './run-task.ts';
import type { Stores } from './stores.ts';
import type { Task } from './task.ts';

interface Letter {
  readonly id: string;
  readonly receivedAt: string;
  readonly source: string;
  readonly company: string | null;
  readonly reason: string;
  readonly problems: readonly Problem[];
  readonly eventId: string | null;
  readonly state: DeadLetterRow['state'];
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
  readonly decidedReason: string | null;
}
interface LetterWithBody extends Letter {
  readonly contentType: string | null;
  /** What was sent, up to 64 KiB. */
  readonly body: string | null;
}

const letterOf = (row: DeadLetterRow): Letter => ({
  id: row.id,
  receivedAt: row.received_at.toISOString(),
  source: row.source,
  company: row.company,
  reason: row.reason_code,
  problems: row.problems,
  eventId: row.event_id,
  state: row.state,
  decidedBy: row.decided_by,
  decidedAt: row.decided_at?.toISOString() ?? null,
  decidedReason: row.decided_reason,
});

const letterId = z.string().regex(/^[1-9]\d{0,17}$/, 'the number of a dead letter, as list shows it');
const listArgs = z.strictObject({
  company: z.string().min(1).optional(),
  state: z.enum(['open', 'replayed', 'discarded']),
  limit: z.int().min(1).max(1_000),
});
const discardArgs = z.strictObject({
  ids: z.array(letterId).min(1).max(1_000),
  reason: z.string().trim().min(1, 'say why').max(2_000),
  by: z.string().max(256),
});

export const listDeadLettersTask: Task<Stores, z.infer<typeof listArgs>, never, Letter[]> = {
  name: 'dead-letter-list',
  args: listArgs,
  async run({ postgres }, { company, state, limit }) {
    const rows = await listDeadLetters(postgres, { companies: '*', company, states: [state] }, { limit });
    return rows.map(letterOf);
  },
};

export const showDeadLetterTask: Task<Stores, { id: string }, never, LetterWithBody> = {
  name: 'dead-letter-show',
  args: z.strictObject({ id: letterId }),
  async run({ postgres }, { id }) {
    const row = await findDeadLetter(postgres, id);
    if (!row) throw new ClosewatchError('not-found', `there is no dead letter ${id}`);
    return { ...letterOf(row), contentType: row.content_type, body: row.body };
  },
};

export const discardDeadLettersTask: Task<
  Stores,
  z.infer<typeof discardArgs>,
  never,
  { discarded: readonly string[] }
> = {
  name: 'dead-letter-discard',
  args: discardArgs,
  async run({ postgres }, { ids, reason, by }) {
    await discardDeadLetters(postgres, { ids, reason, by, at: new Date() });
    return { discarded: ids };
  },
};

/** Text of a stranger for a terminal: what would steer it is shown, not done. */
const printable = (text: string): string =>
  text.replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16)}}`);

const problemOf = ({ where, what }: Problem): string => (where ? `${where}: ${what}` : what);
const lineOf = ({ id, receivedAt, source, company, reason, problems }: Letter): string =>
  printable(
    `${id}  ${receivedAt}  ${source}  ${company ?? '-'}  ${reason}  ${problems.map(problemOf).join('; ')}`,
  );

function page(letter: LetterWithBody): string {
  const decided = letter.decidedAt
    ? ` ${letter.decidedAt}${letter.decidedBy ? ` by ${letter.decidedBy}` : ''}${letter.decidedReason ? `: ${letter.decidedReason}` : ''}`
    : '';
  const lines = [
    ['received', letter.receivedAt],
    ['source', letter.source],
    ['company', letter.company ?? 'not named'],
    ['event', letter.eventId ?? 'no id'],
    ['state', `${letter.state}${decided}`],
    ['refused as', letter.reason],
    ...letter.problems.map((one) => ['problem', problemOf(one)]),
    ['type', letter.contentType ?? 'not named'],
  ];
  return printable(
    `${lines.map(([name = '', value]) => `${name.padEnd(11)}${value}\n`).join('')}\n${letter.body ?? ''}\n`,
  );
}

const list = defineCommand({
  meta: { name: 'list', description: 'List refused events, the newest first' },
  args: {
    company: { type: 'string', description: 'only those that name it or whose source sends for it' },
    state: { type: 'string', description: 'open (left out), replayed, discarded' },
    limit: { type: 'string', description: 'how many at most; left out: 100' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const asked = listArgs.parse({
        company: args.company,
        state: args.state ?? 'open',
        limit: Number(args.limit ?? 100),
      });
      const letters = await runTask(listDeadLettersTask, asked, configOf(args));
      if (args.json) process.stdout.write(`${JSON.stringify({ deadLetters: letters })}\n`);
      else process.stdout.write(letters.map((letter) => `${lineOf(letter)}\n`).join(''));
      return EXIT.ok;
    }),
});

const show = defineCommand({
  meta: { name: 'show', description: 'Show a refused event: what is wrong with it, and what was sent' },
  args: {
    id: { type: 'positional', description: 'number of the dead letter, as list shows it' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const letter = await runTask(showDeadLetterTask, { id: letterId.parse(args.id) }, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(letter)}\n` : page(letter));
      return EXIT.ok;
    }),
});

const discard = defineCommand({
  meta: {
    name: 'discard',
    description: 'Settle refused events that are not needed; recorded with who and why',
  },
  args: {
    id: { type: 'positional', description: 'numbers of dead letters, several with commas' },
    reason: { type: 'string', required: true, description: 'why they are not needed' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const ids = [...new Set((args.id ?? '').split(','))];
      const wish = discardArgs.parse({ ids, reason: args.reason, by: userInfo().username });
      const done = await runTask(discardDeadLettersTask, wish, configOf(args));
      process.stdout.write(
        args.json ? `${JSON.stringify(done)}\n` : `discarded ${done.discarded.join(', ')}\n`,
      );
      return EXIT.ok;
    }),
});

export default defineCommand({
  meta: { name: 'dead-letters', description: 'Refused events: what is wrong with them, and settling them' },
  subCommands: { list, show, discard },
});
