/** Keeps calls for a channel apart, and a channel still for as long as Slack asked to. Milliseconds of a steady clock. */
export interface Pace {
  /** Which of the channels may be called first, and in how many milliseconds. Undefined when there are none. */
  first(channels: readonly string[]): { readonly channel: string; readonly inMs: number } | undefined;
  /** Notes that the channel is called now. */
  called(channel: string): void;
  /** Keeps the channel still for so long. */
  hold(channel: string, ms: number): void;
}

/** A pace of one call a channel in `intervalMs`. */
export function createPace(intervalMs: number, now: () => number = () => performance.now()): Pace {
  const free = new Map<string, number>();
  const hold = (channel: string, ms: number): void =>
    void free.set(channel, Math.max(free.get(channel) ?? 0, now() + ms));
  return {
    first(channels) {
      return channels
        .map((channel) => ({ channel, inMs: Math.max(0, (free.get(channel) ?? 0) - now()) }))
        .reduce<ReturnType<Pace['first']>>(
          (best, one) => (best && best.inMs <= one.inMs ? best : one),
          undefined,
        );
    },
    called: (channel) => hold(channel, intervalMs),
    hold,
  };
}
