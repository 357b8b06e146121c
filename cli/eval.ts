import { resolve } from 'node:path';
import { defineCommand } from 'citty';
import { scoreWindows, type WindowScore } from '../analyzer/backtest/anomaly-windows.ts';
import { backtest } from '../analyzer/backtest/backtest.ts';
import {
  type ClassScore,
  type DetectionScore,
  type Said,
  scoreDetection,
} from '../analyzer/backtest/score.ts';
import { checkOverrides, loadCompanies, loadFlows } from '../analyzer/detect/flow-files.ts';
import type { Company } from '../model/company.ts';
import { ClosewatchError } from '../model/errors.ts';
import type { FinanceEvent } from '../model/event.ts';
import { nanosOf } from '../model/time.ts';
import type { SourceStream } from '../model/watermark.ts';
import { simulate } from '../simulator/simulate.ts';
import { storedEvents, streamsOf } from '../simulator/stored.ts';
import { instantOf } from './backtest.ts';
import { readLandscape, readTruth } from './eval-events.ts';
import { readSeries } from './eval-series.ts';
import triage from './eval-triage.ts';
import { EXIT, exitCodeOf, jsonFlag } from './flags.ts';

const DEFAULT_FLOWS = resolve(import.meta.dirname, '..', 'flows');
/** The simulated past ends here, so that a seed says the same on every day. */
const NOW = Date.parse('2026-11-20T12:00:00Z');

interface Case {
  readonly events: readonly FinanceEvent[];
  readonly sources: readonly SourceStream[];
  readonly companies: readonly Company[];
  readonly truth: readonly Said[];
  readonly from: bigint;
  readonly asOf: bigint;
}

const whole = (flag: string, text: string, least: number, most: number): number => {
  if (!/^\d{1,9}$/.test(text) || Number(text) < least || Number(text) > most)
    throw new ClosewatchError('config.invalid', `--${flag} must be a whole number from ${least} to ${most}`);
  return Number(text);
};

function simulated(seed: number, days: number, each: number): Case {
  const { companies, events, truth, late, failures } = simulate({ seed, now: NOW, days, plantedEach: each });
  const facts = storedEvents(events);
  const asOf = nanosOf(new Date(NOW));
  const keys = companies.map(({ key }) => key);
  const from = asOf - BigInt(days) * 86_400_000_000_000n;
  return {
    events: facts,
    sources: streamsOf(facts, keys, asOf),
    companies,
    truth: [...truth, ...late, ...failures],
    from,
    asOf,
  };
}

const detection = defineCommand({
  meta: {
    name: 'detection',
    description:
      "Score the rules on a simulated year with known faults, or on anybody's events and truth: recall, precision, alerts a person a day",
  },
  args: {
    ...jsonFlag,
    seed: { type: 'string', default: '1', description: 'number that decides the simulated landscape' },
    days: { type: 'string', default: '365', description: 'length of the simulated past in days' },
    each: { type: 'string', default: '2', description: 'how often every failure is planted in each company' },
    events: { type: 'string', description: 'folder of *.jsonl with CloudEvents, instead of the simulator' },
    truth: {
      type: 'string',
      description: 'file that says what must be found: {rule, company, subject} a line',
    },
    flows: {
      type: 'string',
      description: 'folder of flow files and companies.yaml; left out: those that come with Closewatch',
    },
    'as-of': {
      type: 'string',
      description: 'instant of the judgement; left out: 60 days after the last event',
    },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const folder = args.flows ?? DEFAULT_FLOWS;
      const flows = await loadFlows(folder);
      const own = await loadCompanies(folder);
      const given = args.events ? await foreign(args.events, args.truth, args['as-of'], own) : undefined;
      const made =
        given ??
        simulated(
          whole('seed', args.seed, 0, 999_999_999),
          whole('days', args.days, 90, 3650),
          whole('each', args.each, 0, 20),
        );
      const companies = own.length > 0 ? own : made.companies;
      checkOverrides(flows, companies);
      const { events, sources, asOf } = made;
      async function* scan() {
        yield* events;
      }
      const { exceptions } = await backtest(
        { flows, companies, asOf },
        { events: { scan }, sources, now: asOf },
      );
      const findings = exceptions
        .filter(({ state }) => state !== 'indeterminate')
        .map(({ rule, company, subject, dueAt }) => ({ rule, company, subject, raisedAt: instantOf(dueAt) }));
      const score = scoreDetection(made.truth, findings, { flows, companies, from: made.from, to: asOf });
      process.stdout.write(
        args.json ? `${JSON.stringify({ ...score, events: events.length })}\n` : report(score, events.length),
      );
      return EXIT.ok;
    }),
});

async function foreign(
  dir: string,
  truth: string | undefined,
  asOf: string | undefined,
  companies: readonly Company[],
): Promise<Case> {
  if (truth === undefined) throw new ClosewatchError('config.invalid', '--events needs --truth');
  const landscape = await readLandscape(dir, nanosOf(new Date()));
  return {
    ...landscape,
    companies,
    truth: await readTruth(truth),
    asOf: asOf === undefined ? landscape.to + 60n * 86_400_000_000_000n : instantOf(asOf),
  };
}

const percent = (share: number): string => `${(share * 100).toFixed(2)} %`;

function report(score: DetectionScore, events: number): string {
  const line = (name: string, one: ClassScore): string =>
    `${name.padEnd(12)}${[one.planted, one.found, one.missed, one.wrong].map((n) => String(n).padStart(9)).join('')}${percent(one.recall).padStart(11)}${percent(one.precision).padStart(11)}\n`;
  const names = ['planted', 'found', 'missed', 'wrong'].map((word) => word.padStart(9)).join('');
  const said = (title: string, list: readonly Said[]): string =>
    list
      .slice(0, 10)
      .map(({ rule, company, subject }) => `${title} ${rule} ${company} ${subject}\n`)
      .join('');
  return [
    `${''.padEnd(12)}${names}${'recall'.padStart(11)}${'precision'.padStart(11)}\n`,
    line('exact', score.exact),
    line('heuristic', score.heuristic),
    line('statistical', score.statistical),
    '\n',
    ...Object.entries(score.byRule).map(([rule, one]) => line(rule, one)),
    `\n${events} events; ${score.alertsPerPersonDay} alerts a person a working day\n`,
    said('missed', score.missed),
    said('wrong ', score.wrong),
  ].join('');
}

const anomalies = defineCommand({
  meta: {
    name: 'anomalies',
    description: 'Score the detector of series on labelled ones, as the Numenta Anomaly Benchmark has them',
  },
  args: {
    ...jsonFlag,
    series: {
      type: 'string',
      required: true,
      description: 'CSV file or folder: timestamp, value and perhaps file',
    },
    windows: { type: 'string', required: true, description: 'JSON file: the windows of each series' },
  },
  run: ({ args }) =>
    exitCodeOf(async () => {
      const score = scoreWindows(await readSeries(args.series, args.windows));
      process.stdout.write(args.json ? `${JSON.stringify(score)}\n` : windowReport(score));
      return EXIT.ok;
    }),
});

function windowReport(score: WindowScore): string {
  const width = Math.max(...score.bySeries.map(({ name }) => name.length));
  return [
    ...score.bySeries.map(
      ({ name, windows, hit, falseAlerts }) =>
        `${name.padEnd(width)}  ${hit} of ${windows} windows, ${falseAlerts} false alerts\n`,
    ),
    `${score.hit} of ${score.windows} windows (${percent(score.hitShare)}), ${score.falseAlerts} false alerts in ${score.points} points after probation: ${score.falsePerThousand.toFixed(2)} of a thousand; one threshold, ${score.threshold}\n`,
  ].join('');
}

export default defineCommand({
  meta: { name: 'eval', description: 'Score detection and triage against a known truth; changes nothing' },
  subCommands: { detection, anomalies, triage },
});
