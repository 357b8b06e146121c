import { hashOf } from './route.ts';
import {
  Age,
  type Connection,
  Content,
  Empty,
  html,
  type Money,
  Severity,
  sumsText,
  Time,
  useQuery,
  useTitle,
  type View,
  words,
} from './ui.ts';

interface Company {
  key: string;
  name: string;
  currentPeriod: string;
  closePeriod: string;
}
interface Readiness {
  period: string;
  verdict: string;
  confidence: number;
  materialityKnown: boolean;
  endsAt: string;
  at: string;
  gates: { id: string; title: string; state: string; detail: string }[];
  openBySeverity: { severity: string; count: number; blockers: number; sums: Money[] }[];
  waived: Money[];
  sources: {
    source: string;
    stream: string;
    kind: string;
    fresh: boolean;
    watermark: string | null;
    lastArrivalAt: string | null;
    completeWithoutLimit: boolean;
    events: number;
  }[];
}

interface DeadLetter {
  id: string;
  receivedAt: string;
  source: string;
  reason: string;
  eventId: string | null;
  problems: { where: string; what: string }[];
}
interface Data {
  readiness: Readiness;
  deadLetters: Connection<DeadLetter>;
}

const COMPANIES = '{ companies { key name currentPeriod closePeriod } }';
const QUERY = `query ($company: String!, $period: String!) { readiness(company: $company, period: $period) {
  period verdict confidence materialityKnown endsAt at gates { id title state detail }
  openBySeverity { severity count blockers sums { amount currency } } waived { amount currency }
  sources { source stream kind fresh watermark lastArrivalAt completeWithoutLimit events } }
  deadLetters(company: $company, states: [open], first: 20) { edges { node { id receivedAt source reason eventId problems { where what } } } pageInfo { hasNextPage endCursor } } }`;
const VERDICTS: Record<string, string> = {
  ready: 'Ready to close',
  not_ready: 'Not ready',
  unknown: 'Cannot be told yet',
};

/** The month and the eleven before it. */
function periodsTo(period: string): string[] {
  const months = Number(period.slice(0, 4)) * 12 + Number(period.slice(5, 7)) - 1;
  return Array.from({ length: 12 }, (_, back) => {
    const month = months - back;
    return `${Math.floor(month / 12)}-${String((month % 12) + 1).padStart(2, '0')}`;
  });
}

/** Can the books be closed, and what stands in the way? */
export function ReadinessPage({ asked }: { asked: { company: string; period: string } }): View {
  const [companies, reload] = useQuery<{ companies: Company[] }>(COMPANIES);
  useTitle('Close readiness');
  return html`<${Content} of=${companies} retry=${reload}>
    ${(data: { companies: Company[] }) =>
      data.companies.length === 0
        ? html`<header class="head"><h1>Close readiness</h1></header><${Empty} title="No company is known yet">Name companies in companies.yaml, or send events: each names its company.<//>`
        : html`<${Picked} companies=${data.companies} asked=${asked} />`}
  <//>`;
}

function Picked({
  companies,
  asked,
}: {
  companies: Company[];
  asked: { company: string; period: string };
}): View {
  const company = companies.find(({ key }) => key === asked.company) ?? (companies[0] as Company);
  const period = asked.period || company.closePeriod;
  const [loaded, reload] = useQuery<Data>(QUERY, { company: company.key, period }, 15_000);
  const go = (key: string, month: string): void => {
    location.hash = hashOf('readiness', { company: key, period: month });
  };
  const months = periodsTo(company.currentPeriod);
  return html`
    <header class="head"><h1>Close readiness</h1>
      <form class="filters" aria-label="Company and period">
        <label>Company <select value=${company.key} onChange=${(e: { currentTarget: HTMLSelectElement }) => go(e.currentTarget.value, asked.period)}>
          ${companies.map(({ key, name }) => html`<option value=${key}>${name}</option>`)}</select></label>
        <label>Period <select value=${period} onChange=${(e: { currentTarget: HTMLSelectElement }) => go(company.key, e.currentTarget.value)}>
          ${(months.includes(period) ? months : [period, ...months]).map((month) => html`<option value=${month}>${month}</option>`)}</select></label>
      </form></header>
    <${Content} of=${loaded} retry=${reload}>${(data: Data) => html`<${Verdict} company=${company.key} readiness=${data.readiness} letters=${data.deadLetters} />`}<//>`;
}

/** What stands behind a gate: the exceptions that close it, or a part of this page. */
function behind(gate: string, exceptions: (filter: Record<string, string>) => string): string | undefined {
  if (gate === 'critical-exception') return exceptions({ severity: 'critical' });
  if (gate === 'blocking-exceptions') return exceptions({ impact: 'blocker' });
  if (gate === 'undecided') return exceptions({ state: 'indeterminate' });
  return undefined;
}

const Verdict = (props: { company: string; readiness: Readiness; letters: Connection<DeadLetter> }): View => {
  const { company, readiness: r, letters } = props;
  const exceptions = (filter: Record<string, string>): string =>
    hashOf('exceptions', { company, period: r.period, before: r.endsAt, ...filter });
  const counted = (count: number, filter: Record<string, string>): unknown =>
    count === 0 ? count : html`<a href=${exceptions(filter)}>${count}</a>`;
  return html`
  <section class=${`verdict ${r.verdict}`} aria-label="Verdict">
    <p class="big">${VERDICTS[r.verdict] ?? words(r.verdict)}</p>
    <p class="muted">confidence ${Math.round(r.confidence * 100)} %${r.materialityKnown ? '' : ' · no materiality limits are set for this company'} · judged <${Time} at=${r.at} /></p>
  </section>
  <section aria-labelledby="gates"><h2 id="gates">Gates</h2>
    <ul class="gates">${r.gates.map((gate) => {
      const link = gate.state === 'passed' ? undefined : behind(gate.id, exceptions);
      return html`<li class=${gate.state}><span class="lamp" aria-hidden="true"></span>
        <div><strong>${gate.title}</strong><span class="sub">${link ? html`<a href=${link}>${gate.detail}</a>` : gate.detail}</span></div><span class="word">${gate.state}</span></li>`;
    })}</ul></section>
  ${letters.edges.length > 0 && html`<${Refused} letters=${letters} />`}
  <section aria-labelledby="open"><h2 id="open">Open exceptions</h2>
    <div class="table-box"><table class="stacked"><thead><tr><th scope="col">Severity</th><th scope="col" class="number">Open</th><th scope="col" class="number">Block the close</th><th scope="col" class="number">Money</th></tr></thead>
    <tbody>${r.openBySeverity.map(
      (
        line,
      ) => html`<tr class=${line.count === 0 ? 'zero' : ''}><td><${Severity} of=${line.severity} /></td><td class="number" data-label="Open">${counted(line.count, { severity: line.severity })}</td>
        <td class="number" data-label="Block the close">${counted(line.blockers, { severity: line.severity, impact: 'blocker' })}</td><td class="number" data-label="Money">${sumsText(line.sums)}</td></tr>`,
    )}</tbody></table></div>
    ${r.waived.length > 0 && html`<p class="muted">Waived, still in the books: ${sumsText(r.waived)}</p>`}</section>
  <section aria-labelledby="sources"><h2 id="sources">Freshness of the sources</h2>
    ${
      r.sources.length === 0
        ? html`<p class="muted">No source has sent anything for this company yet.</p>`
        : html`<div class="table-box"><table class="stacked"><thead><tr><th scope="col">Source</th><th scope="col">Freshness</th><th scope="col">Complete up to</th><th scope="col" class="number">Last arrival</th><th scope="col" class="number">Events</th></tr></thead>
        <tbody>${r.sources.map(
          (source) => html`<tr><td>${source.source}${source.stream && ` · ${source.stream}`}</td>
            <td><span class=${`state ${source.fresh ? 'passed' : 'blocked'}`}>${source.fresh ? 'fresh' : 'stale'}</span></td>
            <td data-label="Complete up to">${source.completeWithoutLimit ? 'without limit' : source.watermark ? html`<${Time} at=${source.watermark} />` : 'nothing is assured'} <span class="muted">${source.kind}</span></td>
            <td class="number" data-label="Last arrival">${source.lastArrivalAt ? html`<${Age} at=${source.lastArrivalAt} />` : '—'}</td><td class="number" data-label="Events">${source.events}</td></tr>`,
        )}</tbody></table></div>`
    }</section>`;
};

/** The refused events that nobody has settled, and what settles them. */
const Refused = ({ letters }: { letters: Connection<DeadLetter> }): View => html`
  <section aria-labelledby="refused"><h2 id="refused">Refused events</h2>
    <p class="muted">Each is settled when its event comes again, mended, under the same id. One that is not needed is settled by${' '}
      <code>npm run closewatch -- inbox discard ${letters.edges[0]?.node.id ?? 'ID'} --reason "…"</code></p>
    <ul class="lines">${letters.edges.map(
      ({ node }) => html`<li key=${node.id}>
        <span class="line"><strong>${node.id}</strong> ${node.reason} <span class="muted">${node.source}${node.eventId ? ` · ${node.eventId}` : ''}</span>
          <span class="right"><${Time} at=${node.receivedAt} /></span></span>
        <span class="sub">${node.problems.map(({ where, what }) => (where ? `${where}: ${what}` : what)).join(' · ')}</span></li>`,
    )}</ul>
    ${letters.pageInfo.hasNextPage && html`<p class="muted">The newest ${letters.edges.length} are shown; <code>inbox list</code> has all.</p>`}</section>`;
