/** Keeps calls for a channel apart, and a channel still for as long as Slack asked to. Milliseconds of a steady clock. */
export interface Pace {
  /** Resolves when the channel may be called. */
  wait(channel: string): Promise<void>;
  /** Keeps the channel still for so long. */
  hold(channel: string, ms: number): void;
  /** Is every channel that was called held for longer than that? */
  stopped(ms: number): boolean;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A pace of one call a channel in `intervalMs`. */
export function createPace(
  intervalMs: number,
  clock: { now(): number; pause(ms: number): Promise<void> } = { now: () => performance.now(), pause },
): Pace {
  const free = new Map<string, number>();
  return {
    async wait(channel) {
      const at = Math.max(clock.now(), free.get(channel) ?? 0);
      free.set(channel, at + intervalMs);
      const ms = at - clock.now();
      if (ms > 0) await clock.pause(ms);
    },
    hold(channel, ms) {
      free.set(channel, Math.max(free.get(channel) ?? 0, clock.now() + ms));
    },
    stopped(ms) {
      return free.size > 0 && [...free.values()].every((at) => at - clock.now() > ms);
    },
  };
}
