import type { Decoder, Signal } from './decoder.ts';
import { LogDecoder } from './logs.ts';
import { MetricDecoder } from './metrics.ts';
import { TraceDecoder } from './traces.ts';

const DECODERS: Record<Signal, new () => Decoder> = {
  traces: TraceDecoder,
  logs: LogDecoder,
  metrics: MetricDecoder,
};

/** A new decoder of the signal's requests. */
export const decoderOf = (signal: Signal): Decoder => new DECODERS[signal]();
