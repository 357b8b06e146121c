import type { Company } from '../../model/company.ts';
import type { ExpectationKind } from '../../model/expectation.ts';
import type { Flow } from '../../model/flow.ts';
import { DAY_MS } from '../../model/zone.ts';
import { localDay } from '../detect/anomaly/day-types.ts';

/** Something that must be said, or was: of a rule, in a company, about a subject. */
export interface Said {
  readonly rule: string;
  readonly company: string;
  readonly subject: string;
}

/** One that was said, with the instant from which it could be (epoch nanoseconds). */
export interface Finding extends Said {
  readonly raisedAt: bigint;
}

export interface Counts {
  readonly planted: number;
  readonly found: number;
  readonly missed: number;
  readonly wrong: number;
}

export interface ClassScore extends Counts {
  /** Of what was planted, the share that was found; 1 of nothing. */
  readonly recall: number;
  /** Of what was said, the share that was planted; 1 of nothing. */
  readonly precision: number;
}

/** What a rule rests on: keys and clocks, likeness, or statistics. */
export type RuleClass = 'exact' | 'heuristic' | 'statistical';

export interface DetectionScore {
  readonly exact: ClassScore;
  readonly heuristic: ClassScore;
  readonly statistical: ClassScore;
  /**
   * Alerts a working day for each owner of each company: what a rule says of a company on one day is one alert, and a rule
   * that only observes alerts nobody.
   */
  readonly alertsPerPersonDay: number;
  readonly byRule: Readonly<Record<string, ClassScore & { readonly class: RuleClass }>>;
  /** What was missed and what was said wrongly, 200 of each at most. */
  readonly missed: readonly Said[];
  readonly wrong: readonly Said[];
}

const LISTED = 200;

/** The class of a rule: an anomaly is statistical, what is nearly equal or a ratio over a window heuristic, all else exact. */
export function classOf(rule: {
  readonly kind: ExpectationKind;
  readonly near?: unknown;
  readonly differ?: readonly string[];
  readonly ratio?: unknown;
}): RuleClass {
  if (rule.kind === 'anomaly') return 'statistical';
  const isAlike = rule.near !== undefined || (rule.differ !== undefined && rule.differ.length > 0);
  return isAlike || rule.ratio !== undefined ? 'heuristic' : 'exact';
}

const keyOf = ({ rule, company, subject }: Said): string => JSON.stringify([rule, company, subject]);

const classScore = (counts: Counts): ClassScore => ({
  ...counts,
  recall: counts.planted === 0 ? 1 : counts.found / counts.planted,
  precision: counts.found + counts.wrong === 0 ? 1 : counts.found / (counts.found + counts.wrong),
});

/**
 * Holds what was said against what was planted. What is said of one thing by one rule counts once, however often. A rule that is
 * not among the flows is scored as exact, and misses everything.
 */
export function scoreDetection(
  truth: readonly Said[],
  findings: readonly Finding[],
  given: { flows: readonly Flow[]; companies: readonly Company[]; from: bigint; to: bigint },
): DetectionScore {
  const rules = new Map(
    given.flows.flatMap((flow) => flow.expectations.map((rule) => [rule.id, { rule, flow }] as const)),
  );
  const classOfId = (id: string): RuleClass => classOf(rules.get(id)?.rule ?? { kind: 'response' });
  const wanted = new Map(truth.map((said) => [keyOf(said), said]));
  const said = new Map(findings.map((finding) => [keyOf(finding), finding]));
  const missed = [...wanted].filter(([key]) => !said.has(key)).map(([, one]) => one);
  const wrong = [...said].filter(([key]) => !wanted.has(key)).map(([, one]) => one);
  const found = [...said].filter(([key]) => wanted.has(key)).map(([, one]) => one);
  const counts = (of: (id: string) => boolean): ClassScore =>
    classScore({
      planted: [...wanted.values()].filter(({ rule }) => of(rule)).length,
      found: found.filter(({ rule }) => of(rule)).length,
      missed: missed.filter(({ rule }) => of(rule)).length,
      wrong: wrong.filter(({ rule }) => of(rule)).length,
    });
  const ids = [...new Set([...wanted.values(), ...said.values()].map(({ rule }) => rule))].sort();
  const listed = ({ rule, company, subject }: Said): Said => ({ rule, company, subject });
  return {
    exact: counts((id) => classOfId(id) === 'exact'),
    heuristic: counts((id) => classOfId(id) === 'heuristic'),
    statistical: counts((id) => classOfId(id) === 'statistical'),
    alertsPerPersonDay: alertsPerPersonDay([...said.values()], rules, given),
    byRule: Object.fromEntries(
      ids.map((id) => [id, { class: classOfId(id), ...counts((rule) => rule === id) }]),
    ),
    missed: missed.slice(0, LISTED).map(listed),
    wrong: wrong.slice(0, LISTED).map(listed),
  };
}

function alertsPerPersonDay(
  said: readonly Finding[],
  rules: ReadonlyMap<string, { rule: { observe: boolean; owner?: string | undefined }; flow: Flow }>,
  { companies, from, to }: { companies: readonly Company[]; from: bigint; to: bigint },
): number {
  const byKey = new Map(companies.map((company) => [company.key, company]));
  const alerts = new Set<string>();
  for (const { rule, company, raisedAt } of said) {
    const known = byKey.get(company);
    if (known && !rules.get(rule)?.rule.observe)
      alerts.add(`${rule} ${company} ${localDay(raisedAt, known)}`);
  }
  const owners = new Set([...rules.values()].map(({ rule, flow }) => rule.owner ?? flow.owner));
  const days = Number((to - from) / 1_000_000n) / DAY_MS;
  const personDays = Math.max(1, days * (5 / 7)) * Math.max(1, owners.size) * Math.max(1, companies.length);
  return Math.round((alerts.size / personDays) * 10_000) / 10_000;
}
