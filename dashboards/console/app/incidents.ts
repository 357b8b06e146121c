import { useState } from 'preact/hooks';
import {
  Age,
  Content,
  Empty,
  html,
  type Money,
  Severity,
  State,
  sumsText,
  useQuery,
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
  acknowledgedBy: string | null;
  openExceptionCount: number;
  exceptionCount: number;
  sums: Money[];
}
interface Data {
  incidents: {
    totalCount: number;
    edges: { node: Row }[];
    pageInfo: { hasNextPage: boolean; endCursor: string | null };
  };
}

const QUERY = `query ($company: String, $states: [IncidentState!], $severities: [Severity!], $after: String) {
  incidents(first: 50, after: $after, company: $company, states: $states, severities: $severities) {
    totalCount
    edges { node { number title company severity state openedAt owner acknowledgedBy openExceptionCount exceptionCount sums { amount currency } } }
    pageInfo { hasNextPage endCursor }
  }
}`;

const COMPANIES = '{ companies { key name } }';

const STATES: Record<string, string[]> = {
  unresolved: ['open', 'acknowledged'],
  open: ['open'],
  acknowledged: ['acknowledged'],
  resolved: ['resolved'],
  all: [],
};

/** The list of incidents with its filters. */
export function Incidents(): View {
  const [state, setState] = useState('unresolved');
  const [severity, setSeverity] = useState('');
  const [company, setCompany] = useState('');
  const [cursors, setCursors] = useState<string[]>([]);
  const [loaded, reload] = useQuery<Data>(
    QUERY,
    {
      company: company || null,
      states: STATES[state]?.length ? STATES[state] : null,
      severities: severity ? [severity] : null,
      after: cursors.at(-1) ?? null,
    },
    15_000,
  );
  const [companies] = useQuery<{ companies: { key: string; name: string }[] }>(COMPANIES);
  const pick = (set: (value: string) => void) => (event: { currentTarget: HTMLSelectElement }) => {
    set(event.currentTarget.value);
    setCursors([]);
  };
  const total = loaded.data?.incidents.totalCount;
  return html`
    <header class="head">
      <h1>Incidents ${total !== undefined && html`<span class="count">${total}</span>`}</h1>
      <form class="filters" aria-label="Filter incidents">
        <label>State <select value=${state} onChange=${pick(setState)}>
          ${Object.keys(STATES).map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
        <label>Severity <select value=${severity} onChange=${pick(setSeverity)}>
          <option value="">any</option>
          ${['critical', 'high', 'medium', 'low', 'info'].map((name) => html`<option value=${name}>${name}</option>`)}
        </select></label>
        <label>Company <select value=${company} onChange=${pick(setCompany)}>
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
            <nav class="pages" aria-label="Pages">
              ${cursors.length > 0 && html`<button type="button" onClick=${() => setCursors(cursors.slice(0, -1))}>Newer</button>`}
              ${
                incidents.pageInfo.hasNextPage &&
                html`<button type="button" onClick=${() => setCursors([...cursors, incidents.pageInfo.endCursor ?? ''])}>Older</button>`
              }
            </nav>`}
    <//>`;
}

const List = ({ rows }: { rows: Row[] }): View => html`
  <div class="table-box">
    <table class="list">
      <thead>
        <tr>
          <th scope="col">Severity</th><th scope="col">Incident</th><th scope="col">State</th>
          <th scope="col" class="number">Money</th><th scope="col" class="number">Open</th>
          <th scope="col">Owner</th><th scope="col" class="number">Age</th>
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr key=${row.number}>
            <td data-label="Severity"><${Severity} of=${row.severity} /></td>
            <td class="main" data-label="Incident">
              <a href=${`#/incidents/${row.number}`}>${row.title}</a>
              <span class="sub">#${row.number} · ${row.company}</span>
            </td>
            <td data-label="State"><${State} of=${row.state} /></td>
            <td class="number" data-label="Money">${sumsText(row.sums)}</td>
            <td class="number" data-label="Open">${row.openExceptionCount} of ${row.exceptionCount}</td>
            <td data-label="Owner">${row.acknowledgedBy ?? row.owner ?? '—'}</td>
            <td class="number" data-label="Age"><${Age} at=${row.openedAt} /></td>
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
