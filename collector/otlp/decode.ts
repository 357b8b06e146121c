import type { Decoded, DecodeLimits, Decoder, Signal, Sink } from './decoder.ts';
import { protobufOfJson } from './json.ts';
import { TraceDecoder } from './traces.ts';

/** The encoding of a request, and so of its answer. */
export type Encoding = 'application/x-protobuf' | 'application/json';

/** A decoder for each signal. */
export const createDecoders = (): Readonly<Record<Signal, Decoder>> => ({ traces: new TraceDecoder() });

/** Decodes a body, inflated, in either encoding. Throws as `Decoder.decode`. */
export function decodeBody(
  decoder: Decoder,
  encoding: Encoding,
  body: Buffer,
  sink: Sink,
  limits: DecodeLimits,
): Decoded {
  return decoder.decode(encoding === 'application/json' ? protobufOfJson(body) : body, sink, limits);
}
