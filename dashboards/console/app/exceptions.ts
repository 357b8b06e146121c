import { hashOf } from './route.ts';
import {
  type Connection,
  Content,
  Empty,
  html,
  More,
  moneyText,
  Severity,
  State,
  Time,
  useQuery,
  useTitle,
  type View,
  words,
} from './ui.ts';

interface Row {
  id: string;
  rule: string;
  ruleName: string | null;
  subject: string;
  state: string;
  severity: string;
  amount: string | null;
  currency: string | null;
  dueAt: string;
  why: string;
  incident: { number: number } | null;
}
interface Data {
  exceptions: Connection<Row> & { totalCount: number };
}
const QUERY = `query ($company: String, $states: [ExceptionState!], $severities: [Severity!], $impact: CloseImpact, $before: Instant, $after: String) {
  exceptions(first: 50, after: $after, order: worst, company: $company, states: $states, severities: $severities, closeImpact: $impact, anchoredBefore: $before) {
    totalCount edges { node { id rule ruleName subject state severity amount currency dueAt why incident { number } } }
    pageInfo { hasNextPage endCursor } } }`;

const list = (rows: Row[]): View =>
  html`<ul class="lines">${rows.map(
    (row) => html`<li key=${row.id}>
    <span class="line"><${Severity} of=${row.severity} />
      <strong>${row.incident ? html`<a href=${`#/incidents/${row.incident.number}`}>${row.subject}</a>` : row.subject}</strong>
      <${State} of=${row.state} /> ${row.incident && html`<span class="muted">incident #${row.incident.number}</span>`}
      <span class="right">${row.amount && row.currency ? moneyText({ amount: row.amount, currency: row.currency }) : '—'}</span></span>
    <span class="sub">${row.rule}${row.ruleName ? ` ${row.ruleName}` : ''} · due <${Time} at=${row.dueAt} /> · ${row.why}</span>
  </li>`,
  )}</ul>`;

/** What the address filters by, in words. */
function filterText(params: URLSearchParams): string {
  const before = params.get('before');
  return [
    words(params.get('state') ?? 'open or undecided'),
    params.get('severity') ?? '',
    params.get('impact') === 'blocker' ? 'block the close' : '',
    params.has('company') ? `of ${params.get('company')}` : '',
    before ? `of documents that began before ${before.slice(0, 16).replace('T', ' ')}` : '',
  ]
    .filter((part) => part !== '')
    .join(' · ');
}

/** The open exceptions behind a figure of another page, the worst first, each with the way to its incident. */
export function Exceptions({ params }: { params: URLSearchParams }): View {
  const state = params.get('state');
  const severity = params.get('severity');
  const variables = {
    company: params.get('company'),
    states: state ? [state] : ['open', 'indeterminate'],
    severities: severity ? [severity] : null,
    impact: params.get('impact'),
    before: params.get('before'),
  };
  const [loaded, reload] = useQuery<Data>(QUERY, variables, 15_000);
  useTitle('Exceptions');
  const total = loaded.data?.exceptions.totalCount;
  const back = hashOf('readiness', {
    company: params.get('company') ?? '',
    period: params.get('period') ?? '',
  });
  return html`<p class="crumbs"><a href=${back}>Close readiness</a> <span aria-hidden="true">/</span> exceptions</p>
    <header class="head"><div><h1>Exceptions ${total !== undefined && html`<span class="count">${total}</span>`}</h1>
      <p class="muted">${filterText(params)}</p></div></header>
    <${Content} of=${loaded} retry=${reload}>
      ${({ exceptions }: Data) =>
        exceptions.edges.length === 0
          ? html`<${Empty} title="None any more">They were answered, waived or taken back meanwhile.<//>`
          : html`${list(exceptions.edges.map(({ node }) => node))}
            <${More} of=${exceptions} query=${QUERY} variables=${variables} pick=${(data: Data) => data.exceptions}>${list}<//>`}
    <//>`;
}
