import type { IncomingMessage, ServerResponse } from 'node:http';
import { ClosewatchError } from '../../model/errors.ts';
import type { Sender } from '../../store/postgres/tokens.ts';
import { readSent } from '../body.ts';
import { encodingOfType, sendStatus, sendStored, sendText } from './answers.ts';
import type { Encoding } from './decode.ts';
import { SIGNALS, type Signal } from './decoder.ts';
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

  const receive = async (req: IncomingMessage, res: ServerResponse, encoding: Encoding): Promise<void> => {
    const sender = await authenticate(req);
    const signal = signalOf(req);
    const hold = receiver.hold();
    try {
      const { bytes: body, gzip } = await readSent(req, config.maxBodyBytes, hold);
      sendStored(res, encoding, signal, await receiver.take(sender, { signal, encoding, gzip, body }, hold));
    } finally {
      hold.release();
    }
  };

  return async (req, res) => {
    counts.requests++;
    const refuse = (status: number, message: string): void => {
      counts.failed[status] = (counts.failed[status] ?? 0) + 1;
      sendText(res, status, message);
    };
    if (req.method !== 'POST') {
      res.setHeader('allow', 'POST');
      return refuse(405, 'use POST');
    }
    const encoding = encodingOfType(req.headers['content-type']);
    if (!encoding) return refuse(415, 'Content-Type must be application/x-protobuf or application/json');
    try {
      await receive(req, res, encoding);
    } catch (error) {
      const { status, message, retryAfter } = receiver.fail(error);
      if (status === 401) res.setHeader('www-authenticate', 'Bearer');
      if (retryAfter !== undefined) res.setHeader('retry-after', retryAfter);
      sendStatus(res, encoding, status, message);
    }
  };
}

function signalOf(req: IncomingMessage): Signal {
  const path = req.url?.split('?', 1)[0] ?? '';
  const signal = SIGNALS.find((name) => path === `/v1/${name}`);
  if (!signal) throw new ClosewatchError('request.path', `${path} is no path of OTLP`);
  return signal;
}
