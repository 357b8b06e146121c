import type { ServerResponse } from 'node:http';
import { type Decoded, REFUSALS, type Refusal, refusedIn } from './decoder.ts';
import { ProtobufWriter } from './protobuf-writer.ts';
import { VARINT } from './wire.ts';

/** The encoding of a request, and so of its answer. */
export type Encoding = 'application/x-protobuf' | 'application/json';

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

/** Answers with `google.rpc.Status` in the request's encoding (OTLP/HTTP, Failures). */
export function sendStatus(res: ServerResponse, encoding: Encoding, status: number, message: string): void {
  const code = RPC_CODES[status] ?? 2;
  if (encoding === 'application/json') send(res, encoding, status, JSON.stringify({ code, message }));
  else send(res, encoding, status, numberAndText(code, message).bytes());
}

/** Answers 200 with `ExportTraceServiceResponse`; `partial_success` only where spans were refused. */
export function sendStored(res: ServerResponse, encoding: Encoding, decoded: Decoded): void {
  const rejected = refusedIn(decoded);
  const errorMessage = (Object.keys(REFUSALS) as Refusal[])
    .filter((reason) => decoded.refused[reason] > 0)
    .map((reason) => `${decoded.refused[reason]} ${REFUSALS[reason]}`)
    .join(', ');
  if (encoding === 'application/json') {
    const partialSuccess = { rejectedSpans: String(rejected), errorMessage };
    send(res, encoding, 200, rejected === 0 ? '{}' : JSON.stringify({ partialSuccess }));
  } else {
    const out = new ProtobufWriter();
    if (rejected > 0) out.binary(1, numberAndText(rejected, errorMessage).bytes());
    send(res, encoding, 200, out.bytes());
  }
}

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
