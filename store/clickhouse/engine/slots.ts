import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { ClosewatchError } from '../../../model/errors.ts';
import { EngineError } from './errors.ts';

/**
 * One of the engine's places to run a query in, with a FIFO of its own: the engine writes a result INTO OUTFILE it,
 * and we read it. So a result streams in every format, is never whole in memory, and ends with its query: whatever
 * the engine wrote for one query cannot reach another.
 */
export interface Slot {
  readonly fifo: string;
  release(): void;
}

/** A bounded number of slots and a bounded queue before them. Throws code 202 when the queue is full. */
export class Slots {
  readonly #free: string[];
  readonly #total: number;
  readonly #waiting: { take(fifo: string): void }[] = [];
  readonly #maxQueue: number;

  constructor(folder: string, count: number, maxQueue: number) {
    this.#free = Array.from({ length: count }, (_, i) => join(folder, `result-${i}`));
    this.#total = count;
    this.#maxQueue = maxQueue;
    makeFifos(this.#free);
  }

  /** Refuses at once what could only wait too long; called before a body is read. */
  admit(): void {
    if (this.#free.length === 0 && this.#waiting.length >= this.#maxQueue) throw tooMany(this.#total);
  }

  async take(signal: AbortSignal): Promise<Slot> {
    signal.throwIfAborted();
    const free = this.#free.pop();
    if (free !== undefined) return this.#slot(free);
    this.admit();
    return await new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter = {
        take: (fifo: string) => {
          signal.removeEventListener('abort', onAbort);
          resolve(this.#slot(fifo));
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.push(waiter);
    });
  }

  #slot(fifo: string): Slot {
    let held = true;
    return {
      fifo,
      release: () => {
        if (!held) return;
        held = false;
        const next = this.#waiting.shift();
        if (next) next.take(fifo);
        else this.#free.push(fifo);
      },
    };
  }
}

/** Node has no call for it. Throws 'engine.failed' where the program is missing. */
function makeFifos(paths: readonly string[]): void {
  try {
    execFileSync('mkfifo', ['-m', '600', ...paths]);
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'is not installed' : 'failed';
    throw new ClosewatchError('engine.failed', `the embedded engine needs mkfifo (coreutils), which ${why}`, {
      cause: error,
    });
  }
}

const tooMany = (limit: number): EngineError =>
  new EngineError(
    202,
    `Too many simultaneous queries. Maximum: ${limit}, and the queue is full.`,
    'TOO_MANY_SIMULTANEOUS_QUERIES',
  );

/**
 * Opens the reading end of a FIFO. `finish` is called when the query has settled: the stream then ends behind the
 * last byte, also when the query never opened the FIFO.
 */
export function openFifo(path: string): { readonly stream: Readable; finish(): void } {
  const writer = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const reader = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  const stream = new Socket({ fd: reader, readable: true, writable: false });
  let open = true;
  return {
    stream,
    finish: () => {
      if (open) closeSync(writer);
      open = false;
    },
  };
}
