import { Duplex } from 'node:stream';
import { ClientReader } from './wire.ts';

interface Handlers {
  startup(): void;
  unit(bytes: Buffer): void;
  left(): void;
}

/** The client's end of a connection into this process: a Duplex with the few methods of a socket that `pg` calls. */
export class PgliteSocket extends Duplex {
  /** Has this client said LISTEN? */
  listening = false;
  readonly #reader = new ClientReader();
  readonly #handlers: Handlers;
  #left = false;

  constructor(handlers: Handlers) {
    super();
    this.#handlers = handlers;
  }

  connect(): this {
    process.nextTick(() => this.emit('connect'));
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  /** A connection inside one process needs no keep-alive, and cannot drop silently. */
  setKeepAlive(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    for (const message of this.#reader.push(chunk)) {
      if (message.kind === 'startup') this.#handlers.startup();
      else if (message.kind === 'terminate') this.#leave();
      else this.#handlers.unit(message.bytes);
    }
    done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#leave();
    if (!this.readableEnded) this.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#leave();
    done(error);
  }

  #leave(): void {
    if (this.#left) return;
    this.#left = true;
    this.#handlers.left();
  }
}
