import { useState } from 'preact/hooks';
import { ApiError } from './api.ts';
import { hashOf } from './route.ts';
import { CASE_FIELDS, type CaseData, CaseTimeline } from './timeline.ts';
import { Content, Empty, html, useQuery, useTitle, type View } from './ui.ts';

const CASE = `query ($key: String!) { case(key: $key) { ${CASE_FIELDS} } }`;
const COMPANIES = '{ companies { key name } }';
/** A bare number is looked for in so many companies at most. */
const MOST_COMPANIES = 20;

/** `docno:acme:BILL/1` and `trace:…` are keys; `BILL/1` is the number of a document. */
const isKey = (text: string): boolean => /^[a-z][a-z0-9]{0,31}:/.test(text);

/** A key, a document number or a trace id, and what is found under it. */
export function Search({ asked }: { asked: string }): View {
  const [text, setText] = useState(asked);
  const ofKey = isKey(asked);
  const [loaded, reload] = useQuery<{ case: CaseData | null }>(ofKey ? CASE : null, { key: asked }, 15_000);
  useTitle(asked ? `${asked} · Find` : 'Find');
  const malformed =
    loaded.state === 'error' && loaded.error instanceof ApiError && loaded.error.code === 'request.malformed';
  const go = (event: Event): void => {
    event.preventDefault();
    const wanted = text.trim();
    location.hash = /^[0-9a-f]{32}$/i.test(wanted)
      ? hashOf(`trace/${wanted.toLowerCase()}`)
      : hashOf('search', { key: wanted });
  };
  return html`
    <header class="head"><h1>Find a document</h1></header>
    <form class="search" role="search" onSubmit=${go}>
      <label for="key">Document number, key or trace id</label>
      <div><input id="key" name="key" autocomplete="off" spellcheck=${false} placeholder="BILL/2026/05/0012" value=${text}
        aria-invalid=${malformed} aria-describedby="hint"
        onInput=${(event: { currentTarget: HTMLInputElement }) => setText(event.currentTarget.value)} />
      <button class="primary">Find</button></div>
      ${malformed && html`<p class="bad" role="alert">${loaded.error.message}</p>`}
      <p id="hint" class="muted">A number is looked for in every company. A key is type:company:value, such as <code>docno:acme:BILL/2026/05/0012</code> or <code>po:acme:P00042</code>; a trace id has 32 hex digits.</p>
    </form>
    ${ofKey && !malformed && html`<${Found} of=${loaded} retry=${reload} asked=${asked} />`}
    ${asked && !ofKey && html`<${FoundAnywhere} number=${asked} />`}`;
}

const Nothing = (): View =>
  html`<${Empty} title="Nothing has this key">Keys are compared without blanks, dashes and slashes, in any case.<//>`;

const Found = (props: { of: unknown; retry: () => void; asked: string }): View =>
  html`<section aria-label="Case"><${Content} of=${props.of} retry=${props.retry}>
    ${(data: { case: CaseData | null }) =>
      data.case
        ? html`<h2>Case of ${props.asked}</h2><${CaseTimeline} found=${data.case} />`
        : html`<${Nothing} />`}
  <//></section>`;

function FoundAnywhere({ number }: { number: string }): View {
  const [companies, reload] = useQuery<{ companies: { key: string; name: string }[] }>(COMPANIES);
  return html`<${Content} of=${companies} retry=${reload}>${(data: {
    companies: { key: string; name: string }[];
  }) => html`<${ByNumber} number=${number} companies=${data.companies} />`}<//>`;
}

const keyOf = (company: string, number: string): string =>
  `docno:${company.replaceAll('%', '%25').replaceAll(':', '%3A')}:${number}`;

/** Whether each company has a document of the number: one is shown, several are offered. */
function ByNumber(props: { number: string; companies: { key: string; name: string }[] }): View {
  const { number } = props;
  const companies = props.companies.slice(0, MOST_COMPANIES);
  const names = companies.map((_, n) => `$k${n}: String!`).join(', ');
  const cases = companies.map((_, n) => `c${n}: case(key: $k${n}) { key }`).join(' ');
  const keys = Object.fromEntries(companies.map(({ key }, n) => [`k${n}`, keyOf(key, number)]));
  const [loaded, reload] = useQuery<Record<string, { key: string } | null>>(
    companies.length > 0 ? `query (${names}) { ${cases} }` : null,
    keys,
  );
  if (companies.length === 0) return html`<${Nothing} />`;
  return html`<${Content} of=${loaded} retry=${reload}>${(data: Record<string, { key: string } | null>) => {
    const hits = companies.filter((_, n) => data[`c${n}`]);
    return html`${
      props.companies.length > MOST_COMPANIES &&
      html`<p class="notice">Only the first ${MOST_COMPANIES} companies were asked. Name another one: docno:company:${number}.</p>`
    }${
      hits.length === 0
        ? html`<${Nothing} />`
        : hits.length === 1
          ? html`<${ByKey} asked=${keyOf(hits[0]?.key ?? '', number)} />`
          : html`<p>Several companies have it:</p><ul class="claims">${hits.map(
              ({ key, name }) =>
                html`<li><a href=${hashOf('search', { key: keyOf(key, number) })}>${number} of ${name}</a></li>`,
            )}</ul>`
    }`;
  }}<//>`;
}

function ByKey({ asked }: { asked: string }): View {
  const [loaded, reload] = useQuery<{ case: CaseData | null }>(CASE, { key: asked }, 15_000);
  return html`<${Found} of=${loaded} retry=${reload} asked=${asked} />`;
}
