import {
  Age,
  ageText,
  type Connection,
  Content,
  Empty,
  html,
  More,
  Time,
  useQuery,
  useTitle,
  type View,
  words,
} from './ui.ts';

interface Source {
  source: string;
  company: string;
  stream: string;
  kind: string;
  domain: string;
  fresh: boolean;
  whyStale: string | null;
  completeWithoutLimit: boolean;
  watermark: string | null;
  lastEventAt: string | null;
  lastArrivalAt: string | null;
  rate5m: number;
  rate1h: number;
  rate24h: number;
  errors: number;
  lost24h: number;
  clock: { state: string; skewMs: number; confidence: string; to: string } | null;
}
interface Loss {
  source: string;
  company: string;
  stream: string;
  reason: string;
  what: string;
  owner: string;
  advice: string;
  records: number;
  lastAt: string;
}
interface Data {
  sources: Connection<Source>;
}

const QUERY = `query ($after: String) { sources(first: 100, after: $after) { edges { node {
  source company stream kind domain fresh whyStale completeWithoutLimit watermark lastEventAt lastArrivalAt
  rate5m rate1h rate24h errors lost24h clock { state skewMs confidence to } } } pageInfo { hasNextPage endCursor } } }`;
const LOSSES = '{ losses(first: 50) { source company stream reason what owner advice records lastAt } }';

/** `1,240`, `3.2`, `0.05`: records a minute. */
const rateText = (rate: number): string =>
  rate >= 10 ? Math.round(rate).toLocaleString('en-US') : `${+rate.toPrecision(2)}`;
const countText = (count: number): string => count.toLocaleString('en-US');
const nameOf = ({ source, stream }: { source: string; stream: string }): string =>
  `${source}${stream && ` · ${stream}`}`;

/** What its last data tell of the clock of the sender, when they are no older than an hour and tell something. */
function clockText({ clock }: Source): string {
  if (!clock || Date.now() - Date.parse(clock.to) > 3_600_000) return '—';
  const seconds = Math.round(Math.abs(clock.skewMs) / 1000);
  if (clock.state === 'ahead') return `${countText(seconds)} s ahead`;
  if (clock.state === 'late_or_behind') return `late or behind by ${countText(seconds)} s`;
  return clock.state === 'in_step' ? 'in step' : '—';
}
const isOff = ({ clock }: Source): boolean => clock?.state === 'ahead' || clock?.state === 'late_or_behind';

/** Telemetry that is silent is no fault: nothing is judged by it. */
const freshness = ({ fresh, domain }: Source): [string, string] =>
  fresh ? ['passed', 'fresh'] : domain === 'telemetry' ? ['', 'silent'] : ['blocked', 'stale'];

const table = (sources: Source[]): View => html`<div class="table-box"><table class="stacked">
  <thead><tr><th scope="col">Source</th><th scope="col">Company</th><th scope="col">Freshness</th><th scope="col">Complete up to</th>
    <th scope="col" class="number">Newest record</th><th scope="col" class="number">Last arrival</th><th scope="col" class="number">A minute: 5 min · 1 h · 24 h</th>
    <th scope="col" class="number">Lost in 24 h</th><th scope="col" class="number">Clock</th></tr></thead>
  <tbody>${sources.map((source) => {
    const [look, word] = freshness(source);
    return html`<tr key=${`${nameOf(source)} ${source.company}`}>
    <td><strong>${nameOf(source)}</strong>${source.whyStale && html`<span class="sub">${source.whyStale}</span>`}</td>
    <td data-label="Company">${source.company || '—'}</td>
    <td><span class=${`state ${look}`}>${word}</span></td>
    <td data-label="Complete up to">${source.completeWithoutLimit ? 'without limit' : source.watermark ? html`<${Time} at=${source.watermark} />` : 'nothing is assured'} <span class="muted">${source.kind}</span></td>
    <td class="number" data-label="Newest record">${source.lastEventAt ? html`<${Age} at=${source.lastEventAt} />` : '—'}</td>
    <td class="number" data-label="Last arrival">${source.lastArrivalAt ? html`<${Age} at=${source.lastArrivalAt} />` : '—'}</td>
    <td class="number" data-label="A minute">${[source.rate5m, source.rate1h, source.rate24h].map(rateText).join(' · ')}</td>
    <td class=${`number ${source.lost24h > 0 ? 'bad' : ''}`} data-label="Lost in 24 h">${countText(source.lost24h)}</td>
    <td class=${`number ${isOff(source) ? 'bad' : ''}`} data-label="Clock">${clockText(source)}</td></tr>`;
  })}</tbody></table></div>`;

const Losses = ({ losses }: { losses: Loss[] }): View => html`
  <section aria-labelledby="losses"><h2 id="losses">Lost in the last 24 hours</h2>
    ${
      losses.length === 0
        ? html`<p class="muted">Nothing that came was lost.</p>`
        : html`<ul class="lines">${losses.map(
            (loss) => html`<li key=${[loss.source, loss.company, loss.stream, loss.reason].join(' ')}>
      <span class="line"><strong>${countText(loss.records)} ${words(loss.reason)}</strong> ${nameOf(loss)} <span class="muted">${loss.company} ${ageText(loss.lastAt) === 'now' ? '' : `${ageText(loss.lastAt)} ago`}</span>
        <span class="right muted">for the ${loss.owner === 'closewatch' ? 'makers of Closewatch' : loss.owner}</span></span>
      <span class="sub">${loss.what} → ${loss.advice}</span></li>`,
          )}</ul>`
    }</section>`;

/** What sends: what came of it, how fast and how late, and what was lost of it and why. */
export function Sources(): View {
  const [loaded, reload] = useQuery<Data>(QUERY, {}, 15_000);
  const [losses, again] = useQuery<{ losses: Loss[] }>(LOSSES, {}, 15_000);
  useTitle('Sources');
  return html`<header class="head"><div><h1>Sources</h1><p class="muted">Every stream of every source: how complete, how fast, how late, and what was lost.</p></div></header>
    <${Content} of=${loaded} retry=${reload}>
      ${({ sources }: Data) =>
        sources.edges.length === 0
          ? html`<${Empty} title="Nothing has been received yet">Send events to POST /v1/events, spans to POST /v1/traces, or import a log.<//>`
          : html`${table(sources.edges.map(({ node }) => node))}
            <${More} of=${sources} query=${QUERY} variables=${{}} pick=${(data: Data) => data.sources}>${table}<//>`}
    <//>
    <${Content} of=${losses} retry=${again}>${(data: { losses: Loss[] }) => html`<${Losses} losses=${data.losses} />`}<//>`;
}
