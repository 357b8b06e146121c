import type { ClockReading } from '../model/clock-skew.ts';
import { lossReason } from '../model/loss.ts';
import type { Loss } from '../store/postgres/loss-queries.ts';

/** What doctor says of one thing: how it is, and what to do when it is not well. */
export interface Check {
  readonly name: string;
  /** `note`: worth knowing, nothing is wrong; `problem` makes the exit code 1. */
  readonly state: 'ok' | 'note' | 'problem';
  readonly finding: string;
  readonly advice?: string;
}

export const ok = (name: string, finding: string): Check => ({ name, state: 'ok', finding });
export const note = (name: string, finding: string, advice?: string): Check => ({
  name,
  state: 'note',
  finding,
  ...(advice ? { advice } : {}),
});
export const problem = (name: string, finding: string, advice?: string): Check => ({
  name,
  state: 'problem',
  finding,
  ...(advice ? { advice } : {}),
});

/** The check that `look` makes; when it throws, a problem with what was thrown. */
export async function attempt(
  name: string,
  look: () => Check | Promise<Check>,
  advice?: string,
): Promise<Check> {
  try {
    return await look();
  } catch (error) {
    return problem(name, error instanceof Error ? error.message : String(error), advice);
  }
}

const GIB = 2 ** 30;
const gib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

export const checkNode = (version: string): Check =>
  Number(version.split('.')[0]) >= 24
    ? ok('node', `Node ${version}`)
    : problem('node', `Node ${version} is too old`, 'run it through npm, which brings Node 24');

/** `free`: bytes left where the data are. Below 1 GiB is a problem, below 5 GiB worth knowing. */
export function checkSpace(free: number): Check {
  if (free < GIB) return problem('disk', `${gib(free)} free`, 'make room: writes fail when the disk is full');
  return free < 5 * GIB ? note('disk', `${gib(free)} free`) : ok('disk', `${gib(free)} free`);
}

/** Bytes: of the machine (or container), and what the engine may use. The rest of Closewatch takes some 0.5 GiB. */
export function checkMemory(total: number, engine: number | undefined): Check {
  const finding = engine ? `${gib(total)}, of which the engine may use ${gib(engine)}` : gib(total);
  return engine && engine + GIB / 2 > total
    ? problem('memory', finding, 'lower CLOSEWATCH_ENGINE_MEMORY or give the machine more')
    : ok('memory', finding);
}

/** How old a source's watermark may be is the source's own matter; `isFresh` of model/watermark says so. */
export interface SourceState {
  readonly source: string;
  readonly company: string;
  readonly stream: string;
  readonly kind: string;
  readonly fresh: boolean;
  /** RFC 3339; null: nothing is assured. */
  readonly completeUpTo: string | null;
  /** One sentence; null of a fresh one. */
  readonly whyStale: string | null;
  /** Telemetry: nothing is judged by it. */
  readonly telemetry: boolean;
  readonly events: number;
  readonly errors: number;
  readonly rate1h: number;
  readonly lost24h: number;
  /** What the last live data of the source tell of its clock; null when there were none in the last hour. */
  readonly clock: ClockReading | null;
}

export function checkSources(sources: readonly SourceState[]): Check {
  if (sources.length === 0)
    return note(
      'sources',
      'nothing has been received yet',
      'send events to POST /v1/events, or import a log',
    );
  const stale = sources.filter(({ fresh, telemetry }) => !fresh && !telemetry);
  const silent = sources.filter(({ fresh, telemetry }) => !fresh && telemetry);
  if (stale.length > 0)
    return problem(
      'sources',
      `${stale.length} of ${sources.length} streams are stale. ${sentences(stale)}`,
      'what depends on them is judged indeterminate until they move on',
    );
  return silent.length === 0
    ? ok('sources', `${sources.length} streams, all fresh`)
    : note('sources', `telemetry is silent. ${sentences(silent)}`, 'nothing is judged by it');
}

const SHOWN = 5;
const andMore = (count: number): string => (count > SHOWN ? ` And ${count - SHOWN} more.` : '');
const streamName = ({
  source,
  company,
  stream,
}: Pick<SourceState, 'source' | 'company' | 'stream'>): string =>
  `${source}${stream && `, ${stream}`}${company && ` of ${company}`}`;

const sentences = (stale: readonly SourceState[]): string =>
  stale
    .slice(0, SHOWN)
    .map((state) => `${streamName(state)}: ${state.whyStale}`)
    .join(' ') + andMore(stale.length);

/** Clocks of senders that are known to run ahead, and data that come late or of a clock that is behind. */
export function checkClocks(sources: readonly SourceState[]): Check {
  const clocks = new Map(sources.map(({ source, clock }) => [source, clock]));
  const told = [...clocks].flatMap(([source, clock]) => {
    if (clock?.state === 'ahead')
      return [`The clock of ${source} is ${seconds(clock.skewMs)} ahead (confidence ${clock.confidence}).`];
    if (clock?.state === 'late-or-behind')
      return [`What ${source} sends is late, or its clock behind, by at least ${seconds(-clock.skewMs)}.`];
    return [];
  });
  if (told.length === 0) return ok('clocks', 'no sender is known to be out of step');
  return note(
    'clocks',
    told.slice(0, SHOWN).join(' ') + andMore(told.length),
    'deadlines are judged by the times of events: keep the clocks of senders in step (NTP)',
  );
}

const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;

/** What was lost within a day; the advice is that of the gravest. What Closewatch itself lost is a problem. */
export function checkLosses(losses: readonly Loss[]): Check {
  if (losses.length === 0) return ok('losses', 'nothing was lost in the last 24 hours');
  const list = losses.slice(0, SHOWN).map((loss) => `${loss.records} ${loss.reason} of ${streamName(loss)}`);
  const finding = `in the last 24 hours: ${list.join(', ')}.${andMore(losses.length)}`;
  const owned = losses.find(({ reason }) => lossReason(reason).owner === 'closewatch');
  const { advice } = lossReason((owned ?? losses[0])?.reason ?? '');
  return owned ? problem('losses', finding, advice) : note('losses', finding, advice);
}

/** `seconds` since the last pass ended; `isRunning`: does a process analyse just now? */
export function checkDetection(seconds: number | undefined, isRunning: boolean): Check {
  if (seconds === undefined) return note('detection', 'has not run yet');
  const finding = `the last pass ended ${seconds} s ago`;
  return isRunning && seconds > STALLED_SECONDS
    ? problem('detection', finding, 'nothing is judged meanwhile; the log says why')
    : ok('detection', finding);
}

/** Passes run every few seconds; one that takes long is not yet stuck. */
const STALLED_SECONDS = 600;

/** The chain is anchored every hour; a second one that is missed is no chance. */
const ANCHORED_WITHIN_SECONDS = 7_500;

/** `seconds`: how long the oldest row of the audit chain without an anchor waits. */
export function checkAnchored(seconds: number | undefined): Check {
  if (seconds === undefined) return ok('audit', 'the whole chain is anchored');
  const finding = `the oldest row without an anchor is ${seconds} s old`;
  return seconds > ANCHORED_WITHIN_SECONDS
    ? problem('audit', finding, 'what is not anchored could be cut off unseen: closewatch audit anchor')
    : ok('audit', finding);
}

export interface FlowState {
  readonly rule: string;
  readonly flow: string;
  /**
   * A rule is active where one of the events that start its obligations has come, or a connected Odoo would send it; it does not apply
   * where an Odoo lacks what tells it.
   */
  readonly status: 'active' | 'waiting' | 'not applicable' | 'off';
  readonly why: string;
}

export function checkFlows(rules: readonly FlowState[]): Check {
  if (rules.length === 0) return problem('flows', 'there is no rule', 'see CLOSEWATCH_FLOWS_DIR');
  const active = rules.filter(({ status }) => status === 'active').length;
  const finding = `${rules.length} rules, ${active} active`;
  const waiting = rules.filter(({ status }) => status === 'waiting').map(({ rule }) => rule);
  const lacking = rules.filter(({ status }) => status === 'not applicable');
  const more = [
    ...(waiting.length > 0 ? [`not applicable yet: ${named(waiting)}`] : []),
    ...lacking.map(({ rule, why }) => `not applicable: ${rule}, as ${why}`),
  ];
  return more.length === 0 ? ok('flows', finding) : note('flows', [finding, ...more].join('; '));
}

/** Some names; of many their number, and where they are told. */
const named = (rules: readonly string[]): string =>
  rules.length > 12 ? `${rules.length} rules (closewatch flows status)` : rules.join(', ');

/** Two lines at most for each check, and a last one with the sum. */
export function printed(checks: readonly Check[]): string {
  const signs = { ok: '✓', note: '·', problem: '✗' } as const;
  const lines = checks.flatMap(({ name, state, finding, advice }) => [
    `${signs[state]} ${name.padEnd(14)} ${finding}`,
    ...(advice && state !== 'ok' ? [`  ${' '.repeat(14)} → ${advice}`] : []),
  ]);
  const problems = checks.filter(({ state }) => state === 'problem').length;
  return `${[...lines, '', problems === 0 ? 'no problems' : `${problems} problem(s)`].join('\n')}\n`;
}
