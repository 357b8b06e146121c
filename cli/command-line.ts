import { parseArgs, stripVTControlCharacters } from 'node:util';
import { type ArgsDef, type CommandDef, renderUsage, runCommand } from 'citty';
import { EXIT } from './flags.ts';

// biome-ignore lint/suspicious/noExplicitAny: citty's own type of a command with any arguments
type AnyCommand = CommandDef<any>;

/** The command line is wrong; the message says what. */
class UsageError extends Error {}

interface Found {
  readonly command: AnyCommand;
  /** The commands above it as one that usage names before its own name: `closewatch token`. */
  readonly above: AnyCommand | undefined;
  /** `closewatch token create`. */
  readonly name: string;
  /** What follows the name. */
  readonly args: string[];
}

const resolved = async <T>(
  given: T | (() => T | Promise<T>) | Promise<T> | undefined,
): Promise<T | undefined> => await (typeof given === 'function' ? (given as () => T | Promise<T>)() : given);

const isHelp = (arg: string): boolean => arg === '--help' || arg === '-h';

/** The command that the arguments name. Throws `UsageError` for an unknown one, and for flags before the name. */
async function find(command: AnyCommand, args: string[], above?: AnyCommand): Promise<Found> {
  const meta = await resolved(command.meta);
  const parent = above && (await resolved(above.meta));
  const name = [parent?.name, meta?.name].filter(Boolean).join(' ');
  const subCommands = await resolved(command.subCommands);
  const [first] = args;
  if (!subCommands || first === undefined || isHelp(first)) return { command, above, name, args };
  if (first.startsWith('-')) throw new UsageError(`unknown option ${first}; options follow the command`);
  const next = Object.hasOwn(subCommands, first) ? await resolved(subCommands[first]) : undefined;
  if (!next) throw new UsageError(`${name} has no command ${first}: ${Object.keys(subCommands).join(', ')}`);
  const version = meta?.version ?? parent?.version;
  const titled = { meta: { name, ...(version ? { version } : {}) } };
  return await find(next as AnyCommand, args.slice(1), titled);
}

/** Throws `UsageError` for a flag that the command does not have, one without its value, and arguments beyond its own. */
function check(definition: ArgsDef, args: string[]): void {
  const flags = Object.entries(definition).filter(([, { type }]) => type !== 'positional');
  const options = Object.fromEntries(
    flags.map(([flag, { type }]) => [flag, { type: type === 'boolean' ? 'boolean' : 'string' } as const]),
  );
  let positionals: string[];
  let values: Record<string, unknown>;
  try {
    ({ positionals, values } = parseArgs({ args, options, allowPositionals: true, strict: true }));
  } catch (error) {
    throw new UsageError((error as Error).message.split('. To specify a positional')[0] ?? '');
  }
  const empty = Object.keys(values).find((flag) => values[flag] === '');
  if (empty !== undefined) throw new UsageError(`--${empty} has no value`);
  const [extra] = positionals.slice(Object.keys(definition).length - flags.length);
  if (extra !== undefined) throw new UsageError(`one argument too many: ${extra}`);
}

/**
 * Runs the command that the arguments name, or prints its usage. A wrong command line (an unknown command or flag, a
 * missing or surplus argument) is said on standard error and sets exit code 2; nothing runs then.
 */
export async function runCommandLine(root: AnyCommand, args: string[]): Promise<void> {
  let asked = 'closewatch';
  try {
    if (args.length === 1 && args[0] === '--version') {
      process.stdout.write(`${(await resolved(root.meta))?.version}\n`);
      return;
    }
    const found = await find(root, args);
    asked = found.name;
    const usage = async (stream: { isTTY?: boolean }): Promise<string> => {
      const text = await renderUsage(found.command, found.above);
      return `${stream.isTTY ? text : stripVTControlCharacters(text)}\n`;
    };
    if (found.args.some(isHelp)) {
      process.stdout.write(await usage(process.stdout));
      return;
    }
    if (!found.command.run) {
      process.stderr.write(await usage(process.stderr));
      process.exitCode = EXIT.usage;
      return;
    }
    check((await resolved(found.command.args)) ?? {}, found.args);
    await runCommand(found.command, { rawArgs: found.args });
  } catch (error) {
    const wrong = error instanceof UsageError || (error as Error).name === 'CLIError';
    if (!wrong) throw error;
    process.stderr.write(`closewatch: ${(error as Error).message}\n  ${asked} --help says what it takes\n`);
    process.exitCode = EXIT.usage;
  }
}
