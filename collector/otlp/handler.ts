import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClosewatchError } from '../../model/errors.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { readSent } from '../body.ts';
import { encodingOfType, sendStatus, sendStored, sendText } from './answers.ts';
import type { Encoding } from './decode.ts';
import { type Decoded, SIGNALS, type Signal } from './decoder.ts';
import type { OtlpReceiver } from './receiver.ts';

/**
 * Handles `/v1/traces`, `/v1/logs` and `/v1/metrics` (OTLP/HTTP 1.11, protobuf and JSON, gzip): 200 means that every record
 * not named in `partial_success` is stored (`ack: stored`). `authenticate` says who sends; it throws `auth.*`.
 */
export function createOtlpHandler(
  receiver: OtlpReceiver,
  authenticate: (req: IncomingMessage) => Promise<Sender>,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const { config, counts } = receiver;

  const receive = async (req: IncomingMessage, encoding: Encoding, from: From): Promise<Decoded> => {
    from.signal = signalOf(req);
    from.sender = await authenticate(req);
    const { signal, sender } = from;
    const hold = receiver.hold();
    try {
      const { bytes: body, gzip } = await readSent(req, config.maxBodyBytes, hold);
      return await receiver.take(sender, { signal, encoding, gzip, body }, hold);
    } finally {
      hold.release();
    }
  };

  return async (req, res) => {
    counts.requests++;
    const from: From = {};
    const encoding = encodingOfType(req.headers['content-type']);
    try {
      if (req.method !== 'POST') throw new ClosewatchError('request.method', 'use POST');
      if (!encoding)
        throw new ClosewatchError(
          'request.media-type',
          'Content-Type must be application/x-protobuf or application/json',
        );
      const decoded = await receive(req, encoding, from);
      sendStored(res, encoding, from.signal ?? 'traces', decoded);
    } catch (error) {
      const { status, message, retryAfter } = receiver.fail(error, from);
      if (status === 405) res.setHeader('allow', 'POST');
      if (status === 401) res.setHeader('www-authenticate', 'Bearer');
      if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter);
      // A method and a type that are not served have no encoding to answer in (OTLP/HTTP, Failures).
      if (!encoding || status === 405) sendText(res, status, message);
      else sendStatus(res, encoding, status, message);
    }
  };
}

/** Whose the request is, as it becomes known. */
interface From {
  sender?: Sender;
  signal?: Signal;
}

function signalOf(req: IncomingMessage): Signal {
  const path = req.url?.split('?', 1)[0] ?? '';
  const signal = SIGNALS.find((name) => path === `/v1/${name}`);
  if (!signal) throw new ClosewatchError('request.path', `${path} is no path of OTLP`);
  return signal;
}
