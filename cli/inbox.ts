import { userInfo } from 'node:os';
import { type ArgsDef, defineCommand } from 'citty';
import { parseDuration } from '../model/duration.ts';
import { ClosewatchError, type Problem } from '../model/errors.ts';
import type { ReplayedLetter } from '../store/letter-replay.ts';
import { INBOX_STATES, type InboxState } from '../store/postgres/inbox-queries.ts';
import { commonFlags, configOf, EXIT, exitCodeOf, jsonFlag } from './flags.ts';
import {
  type Accepted,
  discardDeadLettersTask,
  type Letter,
  type LetterWithBody,
  letterId,
  listDeadLettersTask,
  listEventsTask,
  replayDeadLettersTask,
  type Selection,
  sendOnTask,
  showDeadLetterTask,
  showEventTask,
} from './inbox-tasks.ts';
import { printable } from './printable.ts';
import { runTask } from './run-task.ts';

const wrong = (message: string): ClosewatchError => new ClosewatchError('config.invalid', message);

const filterFlags = {
  company: { type: 'string', description: 'only those that name it or whose source sends for it' },
  source: { type: 'string', description: 'only of this source and those below it' },
  type: { type: 'string', description: 'only of this type, such as bill.posted' },
  refused: {
    type: 'string',
    description: 'only refused events with this reason: invalid, unknown-version, conflict, poison …',
  },
  since: { type: 'string', description: 'only received since then: 2026-05-31, an instant, or 12h, 7d ago' },
} as const satisfies ArgsDef;
const limitFlag = { limit: { type: 'string', description: 'how many at most; left out: 100' } } as const;
const eventsFlag = {
  events: { type: 'boolean', description: 'accepted events, in place of refused ones' },
} as const;
const dryRunFlag = { 'dry-run': { type: 'boolean', description: 'only say what would be done' } } as const;
const allFlag = { all: { type: 'boolean', description: 'every one, without a filter' } } as const;

type Given = Readonly<Record<string, unknown>>;
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** `7d` ago, a day (its beginning in UTC) or an instant. */
function sinceOf(given: unknown): string | undefined {
  const text = textOf(given);
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration?.clock === 'elapsed')
    return new Date(Date.now() - Number(duration.nanos / 1_000_000n)).toISOString();
  const at = new Date(text);
  if (duration || Number.isNaN(at.getTime()))
    throw wrong(`--since: ${text} is neither a day, an instant nor a time such as 7d`);
  return at.toISOString();
}

function filterOf(args: Given) {
  const { company, source, type } = args;
  return { company: textOf(company), source: textOf(source), type: textOf(type), since: sinceOf(args.since) };
}
const lettersOf = (args: Given) => ({ ...filterOf(args), refused: textOf(args.refused) });
const limitOf = (args: Given, left: number): number => Number(args.limit ?? left);

/** A filter that names nothing would take everything: that has to be said. */
function requireChoice(args: Given, filter: Given): void {
  if (args.all || Object.values(filter).some((value) => value !== undefined)) return;
  throw wrong('say which: their numbers, a filter such as --source, or --all');
}

function selectionOf(args: Given): Selection {
  const ids = textOf(args.id);
  if (ids !== undefined) return { ids: [...new Set(ids.split(','))].map((id) => letterId.parse(id)) };
  const filter = lettersOf(args);
  requireChoice(args, filter);
  return { filter, limit: limitOf(args, 10_000) };
}

function stateOf(given: unknown): InboxState | undefined {
  if (given === undefined) return undefined;
  const state = INBOX_STATES.find((one) => one === given);
  if (!state) throw wrong(`--state of accepted events must be one of ${INBOX_STATES.join(', ')}`);
  return state;
}

const problemOf = ({ where, what }: Problem): string => (where ? `${where}: ${what}` : what);
const letterLine = ({ id, receivedAt, source, company, type, reason, problems }: Letter): string =>
  [id, receivedAt, source, company ?? '-', type ?? '-', reason, problems.map(problemOf).join('; ')].join(
    '  ',
  );
const eventLine = ({ receivedAt, source, id, company, type, state, batch, reason }: Accepted): string =>
  [receivedAt, source, id, company, type, state, `batch ${batch}`, reason ?? ''].join('  ').trimEnd();
const replayLine = ({ id, outcome, problems }: ReplayedLetter): string =>
  [id, outcome, problems.map(problemOf).join('; ')].join('  ').trimEnd();

function print(args: { json?: boolean | undefined }, result: object, lines: readonly string[]): void {
  if (args.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(lines.map((line) => `${printable(line)}\n`).join(''));
}

const table = (lines: readonly (readonly string[])[]): string =>
  lines.map(([name = '', value]) => `${name.padEnd(11)}${value}\n`).join('');

function letterPage(letter: LetterWithBody): string {
  const decided = letter.decidedAt
    ? ` ${letter.decidedAt}${letter.decidedBy ? ` by ${letter.decidedBy}` : ''}${letter.decidedReason ? `: ${letter.decidedReason}` : ''}`
    : '';
  const facts = [
    ['received', letter.receivedAt],
    ['source', letter.source],
    ['company', letter.company ?? 'not named'],
    ['event', letter.eventId ?? 'no id'],
    ['type', letter.type ?? 'not named'],
    ['state', `${letter.state}${decided}`],
    ['refused as', letter.reason],
    ...letter.problems.map((one) => ['problem', problemOf(one)]),
    ...(letter.tried > 0 ? [['tried again', `${letter.tried} times`]] : []),
    ['sent as', letter.contentType ?? 'not named'],
    ...(letter.cut ? [['body', 'cut to 64 KiB: it cannot be taken through again']] : []),
  ];
  return printable(`${table(facts)}\n${letter.body ?? ''}\n`);
}

function eventPage(event: Accepted & { payload: unknown }): string {
  const facts = [
    ['received', event.receivedAt],
    ['source', event.source],
    ['event', event.id],
    ['company', event.company],
    ['type', event.type],
    ['state', `${event.state}${event.reason ? `: ${event.reason}` : ''}`],
    ['batch', `${event.batch}${event.replayBatch ? `, again ${event.replayBatch}` : ''}`],
  ];
  const payload = event.payload ? JSON.stringify(event.payload, null, 2) : '(its payload is no longer kept)';
  return printable(`${table(facts)}\n${payload}\n`);
}

const list = defineCommand({
  meta: {
    name: 'list',
    description: 'List refused events, or accepted ones with --events, the newest first',
  },
  args: {
    ...filterFlags,
    state: {
      type: 'string',
      description:
        'of refused events: open (left out), replayed, discarded; of accepted ones: pending, stored, dead, replayed',
    },
    ...eventsFlag,
    ...limitFlag,
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const limit = limitOf(args, 100);
      if (args.events) {
        const asked = { ...filterOf(args), state: stateOf(args.state), limit };
        const events = await runTask(listEventsTask, asked, configOf(args));
        print(args, { events }, events.map(eventLine));
        return EXIT.ok;
      }
      const state = (args.state ?? 'open') as Letter['state'];
      const letters = await runTask(
        listDeadLettersTask,
        { ...lettersOf(args), state, limit },
        configOf(args),
      );
      print(args, { deadLetters: letters }, letters.map(letterLine));
      return EXIT.ok;
    }),
});

const show = defineCommand({
  meta: {
    name: 'show',
    description:
      'Show a refused event: what is wrong with it and what was sent; or, with --event, an accepted one',
  },
  args: {
    id: { type: 'positional', required: false, description: 'number of the dead letter, as list shows it' },
    source: { type: 'string', description: 'source of the accepted event' },
    event: { type: 'string', description: 'its id' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      if (args.id !== undefined) {
        const letter = await runTask(showDeadLetterTask, { id: letterId.parse(args.id) }, configOf(args));
        process.stdout.write(args.json ? `${JSON.stringify(letter)}\n` : letterPage(letter));
        return EXIT.ok;
      }
      if (!args.source || !args.event) throw wrong('say which: a number, or --source and --event');
      const event = await runTask(showEventTask, { source: args.source, id: args.event }, configOf(args));
      process.stdout.write(args.json ? `${JSON.stringify(event)}\n` : eventPage(event));
      return EXIT.ok;
    }),
});

const replay = defineCommand({
  meta: {
    name: 'replay',
    description:
      'Judge refused events again and accept those that are valid now; with --events send accepted ones to ClickHouse and detection again. Exit code 3 when some stay as they were',
  },
  args: {
    id: { type: 'positional', required: false, description: 'numbers of dead letters, several with commas' },
    ...filterFlags,
    ...eventsFlag,
    event: { type: 'string', description: 'with --events and --source: this one' },
    state: { type: 'string', description: 'with --events: only those that are stored, dead, replayed' },
    ...allFlag,
    ...dryRunFlag,
    limit: { type: 'string', description: 'how many at most, the newest first; left out: 10000' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const wish = { dryRun: args['dry-run'] ?? false, by: userInfo().username };
      if (args.events) {
        const done = await runTask(sendOnTask, { which: eventsOf(args), ...wish }, configOf(args));
        print(args, done, [
          `${wish.dryRun ? 'would be sent' : 'sent'} to ClickHouse and detection again: ${done.sent.length}`,
          `on their way already: ${done.pending.length}`,
          `payload no longer kept: ${done.gone.length}`,
        ]);
        return done.gone.length > 0 ? EXIT.findings : EXIT.ok;
      }
      const done = await runTask(
        replayDeadLettersTask,
        { which: selectionOf(args), ...wish },
        configOf(args),
      );
      print(args, done, done.replayed.map(replayLine));
      const stay = done.replayed.some(({ outcome }) => outcome === 'refused' || outcome === 'conflict');
      return stay ? EXIT.findings : EXIT.ok;
    }),
});

function eventsOf(args: Given) {
  const [source, event] = [textOf(args.source), textOf(args.event)];
  if (event !== undefined) {
    if (source === undefined) throw wrong('--event needs its --source');
    return { event: { source, id: event } };
  }
  const filter = { ...filterOf(args), state: stateOf(args.state) };
  requireChoice(args, filter);
  return { filter, limit: limitOf(args, 10_000) };
}

const discard = defineCommand({
  meta: {
    name: 'discard',
    description: 'Settle refused events that are not needed; recorded with who and why',
  },
  args: {
    id: { type: 'positional', required: false, description: 'numbers of dead letters, several with commas' },
    reason: { type: 'string', required: true, description: 'why they are not needed' },
    ...filterFlags,
    ...allFlag,
    ...dryRunFlag,
    limit: { type: 'string', description: 'how many at most, the newest first; left out: 10000' },
    ...commonFlags,
    ...jsonFlag,
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const dryRun = args['dry-run'] ?? false;
      const wish = { which: selectionOf(args), reason: args.reason, dryRun, by: userInfo().username };
      const done = await runTask(discardDeadLettersTask, wish, configOf(args));
      const verb = dryRun ? 'would be discarded:' : 'discarded';
      print(args, done, [`${verb} ${done.discarded.join(', ')}`]);
      return EXIT.ok;
    }),
});

const subCommands = { list, show, replay, discard };

export default defineCommand({
  meta: {
    name: 'inbox',
    description:
      'Finance events: what was refused or did not get through, and taking it through again or settling it',
  },
  subCommands,
});

/** The name that it had first. */
export const deadLetters = defineCommand({
  meta: { name: 'dead-letters', description: 'The same as inbox' },
  subCommands,
});
