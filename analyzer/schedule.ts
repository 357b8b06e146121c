import { QUEUES, wake } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';

/** One stage of the analysis: does what there is to do at `now` (epoch nanoseconds). */
export type Stage = (now: bigint) => Promise<unknown>;

export interface Stages {
  readonly detect: Stage;
  readonly assess: Stage;
  readonly propose: Stage;
  /** Reads the clock itself: it lasts as long as a model takes to answer. */
  readonly ask: (clock: () => bigint) => Promise<unknown>;
}

/**
 * Runs the analysis as jobs, one of each kind at a time in the whole deployment: a pass of `detect` every `everySeconds`,
 * `assess` whenever one ended, `ask` whenever that ended. The alerts are woken by all: people are told at once, again when
 * an assessment lands, and again when a model's does. A slow model holds up nothing but its own answers.
 */
export async function scheduleAnalysis(
  stages: Stages,
  deps: { queues: Queues; clock: () => bigint; everySeconds: number },
): Promise<void> {
  const { queues, clock } = deps;
  await queues.work(QUEUES.ask, async () => {
    await stages.ask(clock);
    await stages.propose(clock());
    await wake(queues, 'alerts');
  });
  await queues.work(QUEUES.triage, async () => {
    try {
      await stages.assess(clock());
      await stages.propose(clock());
    } finally {
      await Promise.all([wake(queues, 'ask'), wake(queues, 'alerts')]);
    }
  });
  await queues.work(QUEUES.detect, async () => {
    await stages.detect(clock());
    await Promise.all([wake(queues, 'triage'), wake(queues, 'alerts')]);
  });
  await queues.every(QUEUES.detect, 'pass', { everyMs: deps.everySeconds * 1000 }, {});
}
