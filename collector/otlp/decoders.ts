import type { Decoder, Signal } from './decoder.ts';
import type { DecoderSettings } from './envelope.ts';
import { LogDecoder } from './logs.ts';
import { MetricDecoder } from './metrics.ts';
import { TraceDecoder } from './traces.ts';

const DECODERS: Record<Signal, new (settings?: DecoderSettings) => Decoder> = {
  traces: TraceDecoder,
  logs: LogDecoder,
  metrics: MetricDecoder,
};

/** A new decoder of the signal's requests. */
export const decoderOf = (signal: Signal, settings?: DecoderSettings): Decoder =>
  new DECODERS[signal](settings);
