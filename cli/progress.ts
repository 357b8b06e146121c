import { Presets, SingleBar } from 'cli-progress';

/** A progress bar on standard error, while a person watches; undefined when nobody does. */
export function createBar(format: string): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  return new SingleBar({ format, stream: process.stderr, clearOnComplete: true }, Presets.shades_classic);
}
