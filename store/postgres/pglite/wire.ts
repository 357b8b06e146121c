/**
 * PostgreSQL's frontend/backend protocol, version 3, as far as sharing one session needs it
 * (postgresql.org/docs/current/protocol-message-formats.html).
 */

/** What a client sent: its start-up packet, a unit of messages that ends in an answer, or its good-bye. */
export type FromClient =
  | { readonly kind: 'startup' }
  | { readonly kind: 'unit'; readonly bytes: Buffer }
  | { readonly kind: 'terminate' };

const code = (letter: string): number => letter.charCodeAt(0);
const QUERY = code('Q');
const SYNC = code('S');
const FLUSH = code('H');
const TERMINATE = code('X');
const NOTIFICATION = code('A');
const COMMAND_COMPLETE = code('C');
const READY = code('Z');

/** Cuts a client's byte stream into units. A unit ends with Query, Sync or Flush: only then does the server answer. */
export class ClientReader {
  #pending: Buffer[] = [];
  #size = 0;
  #started = false;

  push(chunk: Buffer): FromClient[] {
    this.#pending.push(chunk);
    this.#size += chunk.length;
    const bytes = Buffer.concat(this.#pending, this.#size);
    const found: FromClient[] = [];
    let start = 0;
    if (!this.#started) {
      if (bytes.length < 4 || bytes.length < bytes.readInt32BE(0)) return this.#keep(bytes, 0, found);
      this.#started = true;
      start = bytes.readInt32BE(0);
      found.push({ kind: 'startup' });
    }
    for (let at = start; at + 5 <= bytes.length; ) {
      const next = at + 1 + bytes.readInt32BE(at + 1);
      if (next > bytes.length) break;
      const type = bytes[at];
      if (type === TERMINATE) {
        found.push({ kind: 'terminate' });
        start = next;
      }
      if (type === QUERY || type === SYNC || type === FLUSH) {
        found.push({ kind: 'unit', bytes: bytes.subarray(start, next) });
        start = next;
      }
      at = next;
    }
    return this.#keep(bytes, start, found);
  }

  #keep(bytes: Buffer, from: number, found: FromClient[]): FromClient[] {
    const rest = bytes.subarray(from);
    this.#pending = rest.length > 0 ? [rest] : [];
    this.#size = rest.length;
    return found;
  }
}

export type TransactionState = 'idle' | 'open' | 'failed';

/** An answer, taken apart: what goes to the asker, the notifications for all listeners, and how the session stands. */
export interface Answer {
  readonly bytes: Buffer;
  readonly notifications: readonly Buffer[];
  /** A LISTEN was among the commands. */
  readonly listened: boolean;
  /** Undefined when the answer does not end in ReadyForQuery (after a Flush): the asker's exchange goes on. */
  readonly state: TransactionState | undefined;
}

const STATES: Record<string, TransactionState> = { I: 'idle', T: 'open', E: 'failed' };

/** Takes the bytes that the session answered apart. */
export function readAnswer(bytes: Buffer): Answer {
  const notifications: Buffer[] = [];
  const kept: Buffer[] = [];
  let listened = false;
  let state: TransactionState | undefined;
  let from = 0;
  for (let at = 0; at + 5 <= bytes.length; ) {
    const next = at + 1 + bytes.readInt32BE(at + 1);
    const type = bytes[at];
    if (type === NOTIFICATION) {
      kept.push(bytes.subarray(from, at));
      notifications.push(Buffer.from(bytes.subarray(at, next)));
      from = next;
    } else if (type === COMMAND_COMPLETE) {
      listened ||= bytes.toString('latin1', at + 5, next - 1) === 'LISTEN';
    } else if (type === READY) {
      state = STATES[String.fromCharCode(bytes[at + 5] ?? 0)];
    }
    at = next;
  }
  kept.push(bytes.subarray(from));
  return { bytes: kept.length === 1 ? bytes : Buffer.concat(kept), notifications, listened, state };
}

function message(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const int32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeInt32BE(value, 4 * index);
  });
  return bytes;
};

/** What a server says to an accepted start-up packet: AuthenticationOk, BackendKeyData, ReadyForQuery. */
export const greeting = (processId: number): Buffer =>
  Buffer.concat([message('R', int32(0)), message('K', int32(processId, 0)), message('Z', Buffer.from('I'))]);

/** A simple Query message. */
export const query = (sql: string): Buffer => message('Q', Buffer.from(`${sql}\0`));

/** A Sync message. */
export const sync = message('S', Buffer.alloc(0));

/** A FATAL error as a server words it, with its SQLSTATE. */
export const fatal = (sqlState: string, text: string): Buffer =>
  message('E', Buffer.from(`SFATAL\0VFATAL\0C${sqlState}\0M${text}\0\0`));
