import { hashOf } from './route.ts';
import {
  Age,
  type Connection,
  Content,
  Empty,
  html,
  type Money,
  Severity,
  Stake,
  State,
  useQuery,
  useTitle,
  type View,
} from './ui.ts';

interface Row {
  number: number;
  title: string;
  company: string;
  severity: string;
  state: string;
  openedAt: string;
  owner: string | null;
  acknowledgedByName: string | null;
  openExceptionCount: number;
  exceptionCount: number;
  sums: Money[];
  openSums: Money[];
}
interface Data {
  incidents: Connection<Row> & { totalCount: number };
}

const QUERY = `query ($company: String, $states: [IncidentState!], $severities: [Severity!], $after: String) {
  incidents(first: 50, after: $after, order: worst, company: $company, states: $states, severities: $severities) {
    totalCount
    edges { node { number title company severity state openedAt owner acknowledgedByName openExceptionCount exceptionCount sums { amount currency } openSums { amount currency } } }
    pageInfo { hasNextPage endCursor }
  }
}`;

const COMPANIES = '{ companies { key name } }';

const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];
const STATES: Record<string, string[]> = {
  unresolved: ['open', 'acknowledged'],
  open: ['open'],
  acknowledged: ['acknowledged'],
  resolved: ['resolved'],
  all: [],
};

/** The list of incidents, the worst first; what it is filtered by, and its pages, stand in the address. */
export function Incidents({ params }: { params: URLSearchParams }): View {
  const state = params.get('state') ?? 'unresolved';
  const severity = params.get('severity') ?? '';
  const company = params.get('company') ?? '';
  /** The cursors of the pages up to this one. */
  const after = params.getAll('after');
  const [loaded, reload] = useQuery<Data>(
    QUERY,
    {
      company: company || null,
      states: STATES[state]?.length ? STATES[state] : null,
      severities: severity ? [severity] : null,
      after: after.at(-1) ?? null,
    },
    15_000,
  );
  const [companies] = useQuery<{ companies: { key: string; name: string }[] }>(COMPANIES);
  useTitle('Incidents');
  const hash = (changes: Record<string, string | string[]>): string =>
    hashOf('incidents', { state: state === 'unresolved' ? '' : state, severity, company, ...changes });
  const pick = (name: string) => (event: { currentTarget: HTMLSelectElement }) => {
    const { value } = event.currentTarget;
    location.hash = hash({ [name]: name === 'state' && value === 'unresolved' ? '' : value });
  };
  const total = loaded.data?.incidents.totalCount;
  return html`
    <header class="head">
      <h1>Incidents ${total !== undefined && html`<span class="count">${total}</span>`}</h1>
      <form class="filters" aria-label="Filter incidents">
        <label>State <select value=${state} onChange=${pick('state')}>
          ${Object.keys(STATES).map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
        <label>Severity <select value=${severity} onChange=${pick('severity')}>
          <option value="">any</option>
          ${SEVERITIES.map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
        <label>Company <select value=${company} onChange=${pick('company')}>
          <option value="">all</option>
          ${companies.data?.companies.map(({ key, name }) => html`<option value=${key}>${name}</option>`)}
        </select></label>
      </form>
    </header>
    <${Content} of=${loaded} retry=${reload}>
      ${({ incidents }: Data) =>
        incidents.edges.length === 0
          ? html`<${Empty} title=${state === 'unresolved' && !severity && !company ? 'Nothing is open' : 'Nothing matches the filter'}>
              Incidents appear here as soon as a document misses its deadline or a source goes stale.
            <//>`
          : html`<${List} rows=${incidents.edges.map(({ node }) => node)} />
            <nav class="pages" aria-label="Pages of the list">
              ${after.length > 0 && html`<a class="button" href=${hash({ after: after.slice(0, -1) })}>Previous</a>`}
              ${
                incidents.pageInfo.hasNextPage &&
                html`<a class="button" href=${hash({ after: [...after, incidents.pageInfo.endCursor ?? ''] })}>Next</a>`
              }
            </nav>`}
    <//>`;
}

const List = ({ rows }: { rows: Row[] }): View => html`
  <div class="table-box">
    <table class="list stacked">
      <thead>
        <tr>
          <th scope="col">Severity</th><th scope="col">Incident</th><th scope="col">State</th>
          <th scope="col" class="number">Open money</th><th scope="col" class="number">Open</th>
          <th scope="col">Owner</th><th scope="col" class="number">Age</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr key=${row.number}>
            <td><${Severity} of=${row.severity} /></td>
            <td class="main">
              <a href=${`#/incidents/${row.number}`}>${row.title}</a>
              <span class="sub">#${row.number} · ${row.company}</span>
            </td>
            <td><${State} of=${row.state} /></td>
            <td class="number"><${Stake} open=${row.openSums} all=${row.sums} /></td>
            <td class="number" data-label="Open">${row.openExceptionCount} of ${row.exceptionCount}</td>
            <td data-label="Owner">${row.acknowledgedByName ?? row.owner ?? '—'}</td>
            <td class="number" data-label="Age"><${Age} at=${row.openedAt} /></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
