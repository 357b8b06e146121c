import { parentPort, workerData } from 'node:worker_threads';
import { ClosewatchError, errorCode } from '../../model/errors.ts';
import { Masking } from '../../model/masking.ts';
import { inflate } from '../body.ts';
import type { DecodingConfig } from './config.ts';
import { decodeRequest } from './decode.ts';
import { type Decoder, SIGNALS, type Signal } from './decoder.ts';
import { decoderOf } from './decoders.ts';
import { Rows } from './rows.ts';
import type { FromThread, Gathered, Sealed, ToThread } from './thread.ts';

/** The decoding thread (thread.ts): inflates and decodes one request after the other into the open group of its signal. */
const config: DecodingConfig = workerData;
const masking = config.privacy && new Masking(config.privacy, config.privacy.key);
const decoders = Object.fromEntries(
  SIGNALS.map((signal) => [signal, decoderOf(signal, { keys: config.keys, masking })]),
) as Readonly<Record<Signal, Decoder>>;
const open = new Map<Signal, Open>();
/** What is gathered of a signal: the open group, and groups that are full and wait to be asked for. */
interface Open {
  group: number;
  readonly rows: Rows;
  readonly full: Sealed[];
}

/** Bytes of all rows that are not stored yet, here or on their way. */
let held = 0;

const groupOf = (signal: Signal): Open => {
  const group = open.get(signal) ?? { group: 1, rows: new Rows(), full: [] };
  open.set(signal, group);
  return group;
};

const overloaded = (): ClosewatchError =>
  new ClosewatchError('request.overloaded', 'too much is waiting to be stored; send it again later');

function gather(request: Extract<ToThread, { kind: 'decode' }>): Gathered {
  const { signal, encoding, gzip } = request;
  const sent = Buffer.from(request.body.buffer, request.body.byteOffset, request.body.byteLength);
  const body = gzip && sent.length > 0 ? inflate(sent, config.maxBodyBytes) : sent;
  const group = groupOf(signal);
  const before = group.rows.byteLength;
  const others = held;
  if (others > 0 && others + body.length > config.maxPendingBytes) throw overloaded();
  const { latest, sender } = request;
  const limits = { latest, maxRowBytes: config.maxRowBytes, sender };
  const decoded = group.rows.append((sink) => {
    const made = decodeRequest(decoders[signal], signal, encoding, body, sink, limits);
    const grown = group.rows.byteLength - before;
    if (others > 0 && others + grown > config.maxPendingBytes) throw overloaded();
    return made;
  });
  const bytes = group.rows.byteLength - before;
  held += bytes;
  const gathered = { decoded, group: decoded.accepted > 0 ? group.group : 0, bytes, inflated: body.length };
  if (before + bytes >= config.maxBlockBytes) group.full.push(sealed(group));
  return gathered;
}

function sealed(group: Open): Sealed {
  const bytes = group.rows.byteLength;
  return { group: group.group++, inserts: group.rows.take(), bytes };
}

function answer(message: FromThread, transfer: ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

parentPort?.on('message', (message: ToThread) => {
  if (message.kind === 'stored') held -= message.bytes;
  else if (message.kind === 'seal') {
    const group = groupOf(message.signal);
    const next = group.full.shift() ?? sealed(group);
    answer(
      { kind: 'sealed', ...next },
      next.inserts.map(([, blocks]) => blocks.buffer),
    );
  } else {
    try {
      answer({ kind: 'gathered', id: message.id, ...gather(message) });
    } catch (error) {
      const code = errorCode(error);
      answer({ kind: 'failed', id: message.id, code, message: (error as Error).message });
    }
  }
});
