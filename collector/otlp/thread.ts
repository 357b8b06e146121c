import { Worker } from 'node:worker_threads';
import { ClosewatchError, type ErrorCode } from '../../model/errors.ts';
import type { DecodingConfig } from './config.ts';
import type { Encoding } from './decode.ts';
import type { Decoded, Signal } from './decoder.ts';
import type { Insert } from './rows.ts';
import type { SpanSender } from './span-keys.ts';

/** A request as it was sent. */
export interface SentRequest {
  readonly signal: Signal;
  readonly encoding: Encoding;
  /** Is `body` compressed? */
  readonly gzip: boolean;
  readonly sender: SpanSender;
  /** In memory of its own: it is handed over to the thread. */
  readonly body: Uint8Array<ArrayBuffer>;
}

export type ToThread =
  | ({ readonly kind: 'decode'; readonly id: number; readonly latest: bigint } & SentRequest)
  | { readonly kind: 'seal'; readonly signal: Signal }
  | { readonly kind: 'stored'; readonly bytes: number };

/** The request's rows lie in the group of this number of its signal; 0: it has none. */
export interface Gathered {
  readonly decoded: Decoded;
  readonly group: number;
  /** By so much the rows have grown. */
  readonly bytes: number;
  /** Bytes of the body, inflated. */
  readonly inflated: number;
}

/** A group of requests, closed: what is to be inserted. */
export interface Sealed {
  readonly group: number;
  readonly inserts: readonly Insert[];
  readonly bytes: number;
}

export type FromThread =
  | ({ readonly kind: 'gathered'; readonly id: number } & Gathered)
  | {
      readonly kind: 'failed';
      readonly id: number;
      readonly code: ErrorCode | undefined;
      readonly message: string;
    }
  | ({ readonly kind: 'sealed' } & Sealed);

/**
 * The thread in which requests are inflated, decoded and gathered in blocks. It answers in the order in which it is asked.
 * When it dies, everything that was asked of it fails with `store.unavailable`.
 */
export class DecodingThread {
  readonly #worker: Worker;
  readonly #requests = new Map<number, PromiseWithResolvers<Gathered>>();
  readonly #seals: PromiseWithResolvers<Sealed>[] = [];
  #next = 1;
  #death: ClosewatchError | undefined;

  constructor(config: DecodingConfig, died: (error: unknown) => void) {
    this.#worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: config, execArgv: [] });
    this.#worker.on('message', (message: FromThread) => this.#answer(message));
    const die = (cause: unknown): void => {
      if (this.#death) return;
      this.#death = new ClosewatchError('store.unavailable', 'the thread that decodes has ended', { cause });
      for (const waiting of [...this.#requests.values(), ...this.#seals]) waiting.reject(this.#death);
      this.#requests.clear();
      this.#seals.length = 0;
      died(cause);
    };
    this.#worker.on('error', die);
    this.#worker.on('exit', (code) => die(new Error(`exit code ${code}`)));
  }

  /** Takes the body; `latest` as in `DecodeLimits`. Throws what the decoder throws, and `request.overloaded`. */
  decode(request: SentRequest, latest: bigint): Promise<Gathered> {
    const waiting = Promise.withResolvers<Gathered>();
    if (this.#death) waiting.reject(this.#death);
    else {
      const id = this.#next++;
      this.#requests.set(id, waiting);
      this.#post({ kind: 'decode', id, latest, ...request }, [request.body.buffer]);
    }
    return waiting.promise;
  }

  /** Closes the group of the signal. */
  seal(signal: Signal): Promise<Sealed> {
    const waiting = Promise.withResolvers<Sealed>();
    if (this.#death) waiting.reject(this.#death);
    else {
      this.#seals.push(waiting);
      this.#post({ kind: 'seal', signal });
    }
    return waiting.promise;
  }

  /** The bytes of a sealed group are no longer held. */
  stored(bytes: number): void {
    this.#post({ kind: 'stored', bytes });
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #post(message: ToThread, transfer: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  #answer(message: FromThread): void {
    if (message.kind === 'sealed') {
      this.#seals.shift()?.resolve(message);
      return;
    }
    const waiting = this.#requests.get(message.id);
    this.#requests.delete(message.id);
    if (message.kind === 'gathered') waiting?.resolve(message);
    else waiting?.reject(new ClosewatchError(message.code ?? 'store.unavailable', message.message));
  }
}
