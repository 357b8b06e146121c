import type { Logger } from '../logger.ts';
import type { Lost } from './sums.ts';

const SAY_AGAIN_MS = 60_000;
/** Kinds of losses that are held at a time; of further ones each is said. */
const MAX_KINDS = 2_000;

interface Kind {
  saidAt: number;
  untold: number;
  last: Lost;
}

/**
 * Says what was lost: the first of a source, stream and reason at once, what follows summed up in a line a minute, so that
 * a broken sender cannot fill the disk with lines.
 */
export class LossLog {
  readonly #logger: Logger;
  readonly #kinds = new Map<string, Kind>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  note(lost: Lost, at: number): void {
    const key = [lost.source, lost.stream, lost.reason].join('\n');
    const kind = this.#kinds.get(key);
    if (kind) {
      kind.untold += lost.records;
      kind.last = lost;
      if (at - kind.saidAt >= SAY_AGAIN_MS) this.#say(kind, at);
      return;
    }
    const first = { saidAt: at, untold: lost.records, last: lost };
    this.#say(first, at);
    if (this.#kinds.size < MAX_KINDS) this.#kinds.set(key, first);
  }

  /** Says what is due, all of it at the end, and forgets kinds that have been quiet for a minute. */
  tell(at: number, all = false): void {
    for (const [key, kind] of this.#kinds) {
      const isDue = at - kind.saidAt >= SAY_AGAIN_MS;
      if (kind.untold > 0 && (isDue || all)) this.#say(kind, at);
      else if (isDue) this.#kinds.delete(key);
    }
  }

  get isQuiet(): boolean {
    return this.#kinds.size === 0;
  }

  #say(kind: Kind, at: number): void {
    const { source, company, stream, reason, detail } = kind.last;
    this.#logger.warn({ source, company, stream, reason, records: kind.untold, detail }, 'records were lost');
    kind.saidAt = at;
    kind.untold = 0;
  }
}
