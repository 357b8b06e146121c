import type { ServerResponse } from 'node:http';
import type { Encoding } from './decode.ts';
import { type Decoded, REFUSALS, type Refusal, refusedIn, type Signal } from './decoder.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { VARINT } from './wire.ts';

/** The encoding that a Content-Type names, parameters aside. */
export function encodingOfType(contentType: string | undefined): Encoding | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return type === 'application/x-protobuf' || type === 'application/json' ? type : undefined;
}

/** Codes of `google.rpc.Status` by HTTP status (google/rpc/code.proto). */
const RPC_CODES: Record<number, number> = {
  400: 3,
  401: 16,
  403: 7,
  404: 12,
  413: 8,
  415: 3,
  429: 8,
  500: 13,
  503: 14,
};

/** The code of `google.rpc.Status` for an HTTP status. */
export const rpcCodeOf = (status: number): number => RPC_CODES[status] ?? 2;

/** Answers with `google.rpc.Status` in the request's encoding (OTLP/HTTP, Failures). */
export function sendStatus(res: ServerResponse, encoding: Encoding, status: number, message: string): void {
  const code = rpcCodeOf(status);
  if (encoding === 'application/json') send(res, encoding, status, JSON.stringify({ code, message }));
  else send(res, encoding, status, numberAndText(code, message).bytes());
}

/** The name of the count of refused records in each signal's `partial_success`. */
const REJECTED = {
  traces: 'rejectedSpans',
  logs: 'rejectedLogRecords',
  metrics: 'rejectedDataPoints',
} as const satisfies Record<Signal, string>;

/** Answers 200 with the signal's `Export…ServiceResponse`; `partial_success` only where records were refused. */
export function sendStored(res: ServerResponse, encoding: Encoding, signal: Signal, decoded: Decoded): void {
  const rejected = refusedIn(decoded);
  const errorMessage = refusalText(decoded);
  if (encoding === 'application/json') {
    const partialSuccess = { [REJECTED[signal]]: String(rejected), errorMessage };
    send(res, encoding, 200, rejected === 0 ? '{}' : JSON.stringify({ partialSuccess }));
  } else {
    send(res, encoding, 200, storedMessage(decoded));
  }
}

/** `Export…ServiceResponse` in protobuf; the three signals' have the same fields. */
export function storedMessage(decoded: Decoded): Buffer {
  const out = new ProtobufWriter();
  const rejected = refusedIn(decoded);
  if (rejected > 0) out.binary(1, numberAndText(rejected, refusalText(decoded)).bytes());
  return out.bytes();
}

const refusalText = ({ refused }: Decoded): string =>
  (Object.keys(REFUSALS) as Refusal[])
    .filter((reason) => refused[reason] > 0)
    .map((reason) => `${refused[reason]} ${REFUSALS[reason]}`)
    .join(', ');

/** A message whose field 1 is a number and field 2 a text, as Status and ExportTracePartialSuccess are. */
function numberAndText(number: number, text: string): ProtobufWriter {
  const out = new ProtobufWriter();
  out.tag(1, VARINT);
  out.varint(BigInt(number));
  out.text(2, text);
  return out;
}

/** Answers in plain text, where no encoding is known. */
export function sendText(res: ServerResponse, status: number, message: string): void {
  send(res, 'text/plain; charset=utf-8', status, `${message}\n`);
}

function send(res: ServerResponse, contentType: string, status: number, body: string | Buffer): void {
  res.statusCode = status;
  res.setHeader('content-type', contentType);
  res.setHeader('content-length', Buffer.byteLength(body));
  res.end(body);
}
