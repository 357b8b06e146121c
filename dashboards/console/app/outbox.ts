import { SlackMessage, unescaped } from './slack.ts';
import { Content, Empty, html, State, Time, useQuery, type View } from './ui.ts';

interface Data {
  messages: {
    edges: {
      node: {
        id: string;
        channel: string;
        state: string;
        text: string;
        blocks: unknown;
        updatedAt: string;
        lastError: string | null;
        incident: { number: number } | null;
      };
    }[];
  };
}
const QUERY = `{ messages(first: 50) { edges { node { id channel state text blocks updatedAt lastError incident { number } } } } }`;

/** What was told to people, or would have been. */
export function Outbox(): View {
  const [loaded, reload] = useQuery<Data>(QUERY, {}, 15_000);
  return html`<header class="head"><div><h1>Outbox</h1><p class="muted">Messages as Slack shows them. Without a Slack token they stay here.</p></div></header>
    <${Content} of=${loaded} retry=${reload}>
      ${({ messages }: Data) =>
        messages.edges.length === 0
          ? html`<${Empty} title="Nothing was told to anybody">One message appears here for each incident.<//>`
          : html`<ul class="messages">${messages.edges.map(
              ({ node }) => html`<li key=${node.id} aria-label=${unescaped(node.text)}>
                <p class="facts"><strong>${node.channel}</strong> <${State} of=${node.state} /> <${Time} at=${node.updatedAt} />
                  ${node.incident && html`<a href=${`#/incidents/${node.incident.number}`}>Incident #${node.incident.number}</a>`}</p>
                <${SlackMessage} blocks=${node.blocks} text=${node.text} />
                ${node.lastError && html`<p class="bad">${node.lastError}</p>`}
              </li>`,
            )}</ul>`}
    <//>`;
}
