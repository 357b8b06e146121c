import { Content, durationText, Empty, exactTimeText, html, useQuery, useTitle, type View } from './ui.ts';

const TRACE = `query ($id: ID!) { trace(id: $id) { id startedAt durationNs services errorCount spanCount
  events { id type company source subject docNumber }
  spans(first: 1000) { spanId parentSpanId name service kind startNs startedAt durationNs statusCode statusMessage attributes { key value } resourceAttributes { key value } } } }`;

interface Span {
  spanId: string;
  parentSpanId: string | null;
  name: string;
  service: string;
  kind: string;
  startNs: string;
  startedAt: string;
  durationNs: string;
  statusCode: string;
  statusMessage: string;
  attributes: { key: string; value: string }[];
  resourceAttributes: { key: string; value: string }[];
}
interface Trace {
  id: string;
  startedAt: string;
  durationNs: string;
  services: string[];
  errorCount: number;
  spanCount: number;
  spans: Span[];
  events: {
    id: string;
    type: string;
    company: string;
    source: string;
    subject: string;
    docNumber: string | null;
  }[];
}

/** A trace as a waterfall. */
export function TracePage({ id }: { id: string }): View {
  const [loaded, reload] = useQuery<{ trace: Trace | null }>(TRACE, { id });
  useTitle(`Trace ${id.slice(0, 8)}…`);
  return html`<p class="crumbs"><a href="#/search">Find</a> <span aria-hidden="true">/</span> trace</p>
    <${Content} of=${loaded} retry=${reload}>
      ${({ trace }: { trace: Trace | null }) =>
        trace
          ? html`<${Waterfall} trace=${trace} />`
          : html`<${Empty} title="There is no such trace">Or it is of a company that you may not read.<//>`}
    <//>`;
}

function Waterfall({ trace }: { trace: Trace }): View {
  const start = trace.spans.reduce(
    (low, span) => (BigInt(span.startNs) < low ? BigInt(span.startNs) : low),
    BigInt(trace.spans[0]?.startNs ?? 0),
  );
  const whole = Math.max(1, Number(trace.durationNs));
  return html`
    <header class="head"><div><h1>Trace <code>${trace.id.slice(0, 8)}…</code></h1>
      <p class="facts"><time datetime=${trace.startedAt}>${exactTimeText(trace.startedAt)}</time> <span>${durationText(trace.durationNs)}</span>
        <span>${trace.spanCount} ${trace.spanCount === 1 ? 'span' : 'spans'}</span> <span>${trace.services.join(', ')}</span>
        ${trace.errorCount > 0 && html`<span class="bad">${trace.errorCount} failed</span>`}</p></div></header>
    ${
      trace.events.length > 0 &&
      html`<p>Documents: ${trace.events.map(
        (event) =>
          html`<a class="tag" href=${`#/search?key=${encodeURIComponent(`subject:${event.source.replaceAll('%', '%25').replaceAll(':', '%3A')}:${event.subject}`)}`}>${event.type} ${event.docNumber ?? event.subject}</a> `,
      )}</p>`
    }
    ${trace.spanCount > trace.spans.length && html`<p class="notice">The first ${trace.spans.length} spans are shown.</p>`}
    <ol class="waterfall" aria-label="Spans">
      ${inTree(trace.spans).map(({ span, depth }) => {
        const offset = BigInt(span.startNs) - start;
        const left = (Number(offset) / whole) * 100;
        const width = Math.max(0.3, (Number(span.durationNs) / whole) * 100);
        return html`<li key=${span.spanId} class=${span.statusCode === 'Error' ? 'failed' : ''}>
          <details><summary>
            <span class="name" style=${{ paddingLeft: `${depth * 14}px` }}><strong>${span.service}</strong> ${span.name}</span>
            <span class="bar" aria-hidden="true"><i style=${{ left: `${left}%`, width: `${Math.min(width, 100 - left)}%` }}></i></span>
            <span class="took">${durationText(span.durationNs)} <span class="sub">${offset === 0n ? 'at the start' : `after ${durationText(`${offset}`)}`}</span></span>
          </summary>
          <dl class="pairs small"><dt>started</dt><dd>${exactTimeText(span.startedAt)}</dd><dt>kind</dt><dd>${span.kind}</dd><dt>status</dt><dd>${span.statusCode} ${span.statusMessage}</dd>
            ${[...span.attributes, ...span.resourceAttributes].map(({ key, value }) => html`<dt>${key}</dt><dd>${value}</dd>`)}</dl>
          </details></li>`;
      })}
    </ol>`;
}

/** Parents before their children; a span whose parent is not there is a root. */
function inTree(spans: readonly Span[]): { span: Span; depth: number }[] {
  const ids = new Set(spans.map((span) => span.spanId));
  const children = Map.groupBy(spans, (span) =>
    span.parentSpanId && ids.has(span.parentSpanId) && span.parentSpanId !== span.spanId
      ? span.parentSpanId
      : '',
  );
  const lines: { span: Span; depth: number }[] = [];
  const seen = new Set<string>();
  const add = (parent: string, depth: number): void => {
    for (const span of children.get(parent) ?? []) {
      if (seen.has(span.spanId)) continue;
      seen.add(span.spanId);
      lines.push({ span, depth });
      add(span.spanId, Math.min(depth + 1, 40));
    }
  };
  add('', 0);
  for (const span of spans) if (!seen.has(span.spanId)) lines.push({ span, depth: 0 });
  return lines;
}
