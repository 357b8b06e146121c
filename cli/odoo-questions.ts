import { readFileSync } from 'node:fs';
import { text as textOfStream } from 'node:stream/consumers';
import { confirm, isCancel, password, text } from '@clack/prompts';
import { ClosewatchError } from '../model/errors.ts';

const isTerminal = (): boolean => process.stdin.isTTY === true && process.stdout.isTTY === true;

function answered<T>(answer: T): Exclude<T, symbol> {
  if (isCancel(answer)) throw new ClosewatchError('config.invalid', 'nothing was done');
  return answer as Exclude<T, symbol>;
}

/** What a flag gives, or a person who sits at the terminal. Throws `config.invalid` when neither does. */
export async function given(value: string | undefined, flag: string, question: string): Promise<string> {
  if (value !== undefined && value !== '') return value;
  if (!isTerminal()) throw new ClosewatchError('config.invalid', `${flag} is missing`);
  const validate = (said: string | undefined): string | undefined =>
    said ? undefined : 'an answer is needed';
  return answered(await text({ message: question, validate }));
}

/** A key or password: from a file, `-` for standard input, or asked for without being shown. */
export async function givenSecret(file: string | undefined, flag: string, question: string): Promise<string> {
  if (file === '-') return (await textOfStream(process.stdin)).trim();
  if (file !== undefined) return readFileSync(file, 'utf8').trim();
  if (!isTerminal())
    throw new ClosewatchError('config.invalid', `${flag} is missing: a file, or - for standard input`);
  return answered(await password({ message: question }));
}

/** Does the person agree? Where nobody sits at the terminal, `--yes` has to say it. */
export async function agreed(isYes: boolean | undefined, question: string): Promise<void> {
  if (isYes) return;
  if (!isTerminal())
    throw new ClosewatchError('config.invalid', 'nothing was done: --yes says that you agree');
  if (!answered(await confirm({ message: question, initialValue: false })))
    throw new ClosewatchError('config.invalid', 'nothing was done');
}

/** A line for people, or the JSON that was asked for. */
export const say = (text: string): void => void process.stdout.write(`${text}\n`);
