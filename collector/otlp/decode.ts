import type { Decoded, DecodeLimits, Decoder, Signal, Sink } from './decoder.ts';
import { translateJson } from './json.ts';

/** The encoding of a request, and so of its answer. */
export type Encoding = 'application/x-protobuf' | 'application/json';

/**
 * Appends the records of a request of `signal`, in either encoding and inflated, to `sink` with that signal's `decoder`.
 * Records that JSON names in members of other signals are refused. Throws as `Decoder.decode`.
 */
export function decodeRequest(
  decoder: Decoder,
  signal: Signal,
  encoding: Encoding,
  body: Buffer,
  sink: Sink,
  limits: DecodeLimits,
): Decoded {
  if (encoding !== 'application/json') return decoder.decode(body, sink, limits);
  const translated = translateJson(body, signal, limits.maxRowBytes);
  const decoded = decoder.decode(translated.body, sink, limits);
  decoded.refused.signal += translated.foreign;
  return decoded;
}
