import type { Decoder, Signal } from './decoder.ts';
import type { KeysConfig } from './keys-config.ts';
import { LogDecoder } from './logs.ts';
import { MetricDecoder } from './metrics.ts';
import { TraceDecoder } from './traces.ts';

const DECODERS: Record<Signal, new (keys?: KeysConfig) => Decoder> = {
  traces: TraceDecoder,
  logs: LogDecoder,
  metrics: MetricDecoder,
};

/** A new decoder of the signal's requests, that finds correlation keys as `keys` says; left out, as by default. */
export const decoderOf = (signal: Signal, keys?: KeysConfig): Decoder => new DECODERS[signal](keys);
