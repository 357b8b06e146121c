import { QUEUES, wake } from '../store/queue/names.ts';
import type { Queues } from '../store/queue/queues.ts';

/** One stage of the analysis: does what there is to do at `now` (epoch nanoseconds). */
export type Stage = (now: bigint) => Promise<unknown>;

/**
 * Runs the analysis as jobs, one of each kind at a time in the whole deployment: a pass of `detect` every `everySeconds`,
 * `triage` whenever one ended. The alerts are woken by both: people are told at once, and again when an assessment lands.
 */
export async function scheduleAnalysis(
  stages: { detect: Stage; triage: Stage },
  deps: { queues: Queues; clock: () => bigint; everySeconds: number },
): Promise<void> {
  const { queues, clock } = deps;
  await queues.work(QUEUES.triage, async () => {
    await stages.triage(clock());
    await wake(queues, 'alerts');
  });
  await queues.work(QUEUES.detect, async () => {
    await stages.detect(clock());
    await Promise.all([wake(queues, 'triage'), wake(queues, 'alerts')]);
  });
  await queues.every(QUEUES.detect, 'pass', { everyMs: deps.everySeconds * 1000 }, {});
}
