import { constants, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ClosewatchError } from '../../model/errors.ts';

/** What a webhook tells: that something happened to a record. What it was is read from Odoo. */
export const hint = z.object({
  /** When it came, epoch milliseconds. */
  at: z.int(),
  source: z.string(),
  model: z.string(),
  id: z.int().positive(),
});
export type Hint = z.infer<typeof hint>;

export interface SpoolOptions {
  /** Hints are refused beyond so many bytes. */
  readonly maxBytes: number;
  /** A file of the spool is closed when it has so many. */
  readonly segmentBytes?: number;
}

/** Hints of one file, in the order in which they came. */
export interface Segment {
  readonly hints: readonly Hint[];
  /** They have been dealt with: the file goes. */
  done(): Promise<void>;
}

const SEGMENT_BYTES = 1024 * 1024;
const NAME = /^(\d{12})\.jsonl$/;

interface Waiting {
  readonly line: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface OpenFile {
  readonly name: string;
  readonly handle: FileHandle;
  bytes: number;
}

/**
 * Hints on disk: what `append` has answered survives the process and the machine. Those that come together share one write and one fsync.
 * A file whose hints were taken and not done with is read again after a start: whoever takes them may see one twice.
 */
export class Spool {
  readonly #folder: string;
  readonly #options: Required<SpoolOptions>;
  #waiting: Waiting[] = [];
  /** The end of what is being done with the files: one thing after another. */
  #turn: Promise<unknown> = Promise.resolve();
  #file: OpenFile | undefined;
  #next: number;
  #bytes = 0;
  #closed = false;

  /** Opens the spool of the folder, which is made when there is none. */
  constructor(folder: string, options: SpoolOptions) {
    this.#folder = folder;
    this.#options = { segmentBytes: SEGMENT_BYTES, ...options };
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const names = this.#names();
    this.#next = names.length === 0 ? 1 : Number(names.at(-1)?.slice(0, 12)) + 1;
    for (const name of names) this.#bytes += statSync(join(folder, name)).size;
  }

  /** Bytes of hints that nobody has dealt with yet. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Resolves when the hint is on disk. Throws `request.overloaded` when the spool is full. */
  async append(given: Hint): Promise<void> {
    const line = `${JSON.stringify(given)}\n`;
    if (this.#closed || this.#bytes + line.length > this.#options.maxBytes)
      throw new ClosewatchError(
        'request.overloaded',
        'too many hints wait to be read back: the poll finds what they are about',
      );
    this.#bytes += Buffer.byteLength(line);
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ line, resolve, reject });
      if (this.#waiting.length === 1) void this.#inTurn(() => this.#write());
    });
  }

  /** The oldest hints that wait, at most a file of them; undefined when there are none. */
  async take(): Promise<Segment | undefined> {
    return await this.#inTurn(async () => {
      const [name] = this.#names();
      if (name === undefined) return undefined;
      if (name === this.#file?.name) await this.#rotate();
      const path = join(this.#folder, name);
      const text = readFileSync(path, 'utf8');
      const done = async (): Promise<void> => {
        if (!existsSync(path)) return;
        await rm(path, { force: true });
        this.#bytes -= Buffer.byteLength(text);
      };
      return { hints: text.split('\n').flatMap(hintIn), done };
    });
  }

  /** Waits for what was handed in; takes nothing more. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#inTurn(() => this.#rotate());
  }

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const run = this.#turn.then(work);
    this.#turn = run.catch(() => undefined);
    return await run;
  }

  /** Writes what waits by now; what comes meanwhile is written in the next turn. */
  async #write(): Promise<void> {
    const some = this.#waiting.splice(0);
    try {
      const file = await this.#open();
      const bytes = Buffer.from(some.map(({ line }) => line).join(''));
      await file.handle.write(bytes);
      await file.handle.datasync();
      file.bytes += bytes.length;
      if (file.bytes >= this.#options.segmentBytes) await this.#rotate();
      for (const { resolve } of some) resolve();
    } catch (error) {
      // What came of it onto the disk is no hint that anybody was told of; the next ones go to a file of their own.
      await this.#rotate();
      for (const { line, reject } of some) {
        this.#bytes -= Buffer.byteLength(line);
        reject(error);
      }
    }
  }

  async #open(): Promise<OpenFile> {
    if (this.#file) return this.#file;
    const name = `${String(this.#next++).padStart(12, '0')}.jsonl`;
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_APPEND | constants.O_WRONLY;
    const handle = await open(join(this.#folder, name), flags, 0o600);
    // The entry of the folder too must be there after a power cut.
    const folder = await open(this.#folder, 'r');
    await folder.sync().finally(() => folder.close());
    this.#file = { name, handle, bytes: 0 };
    return this.#file;
  }

  async #rotate(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.handle.close();
  }

  #names(): string[] {
    return readdirSync(this.#folder)
      .filter((name) => NAME.test(name))
      .sort();
  }
}

/** A line that was cut by the end of the process was never answered. */
function hintIn(line: string): Hint[] {
  if (line === '') return [];
  try {
    const parsed = hint.safeParse(JSON.parse(line));
    return parsed.success ? [parsed.data] : [];
  } catch {
    return [];
  }
}
