/** Whether each dependency answers. */
export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, boolean>>;
}

const PROBE_MS = 3_000;
const REMEMBER_MS = 1_000;

/** Asks every dependency at once, each for 3 seconds at most, and remembers the answer for one second. */
export function createProbes(
  probes: Readonly<Record<string, () => Promise<unknown>>>,
  now: () => number,
): () => Promise<Readiness> {
  let last: { at: number; answer: Promise<Readiness> } | undefined;
  const ask = async (): Promise<Readiness> => {
    const checks = await Promise.all(
      Object.entries(probes).map(async ([name, probe]) => [name, await answers(probe)] as const),
    );
    return { ready: checks.every(([, ok]) => ok), checks: Object.fromEntries(checks) };
  };
  return async () => {
    if (!last || now() - last.at >= REMEMBER_MS) last = { at: now(), answer: ask() };
    return await last.answer;
  };
}

async function answers(probe: () => Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, PROBE_MS, false);
  });
  const answer = (async () => (await probe()) !== false)().catch(() => false);
  return await Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
