import { SlackMessage, unescaped } from './slack.ts';
import {
  type Connection,
  Content,
  Empty,
  html,
  More,
  State,
  Time,
  useQuery,
  useTitle,
  type View,
} from './ui.ts';

interface Message {
  id: string;
  channel: string;
  state: string;
  text: string;
  blocks: unknown;
  updatedAt: string;
  lastError: string | null;
  incident: { number: number } | null;
}
interface Data {
  messages: Connection<Message>;
}
const QUERY = `query ($after: String) { messages(first: 50, after: $after) {
  edges { node { id channel state text blocks updatedAt lastError incident { number } } } pageInfo { hasNextPage endCursor } } }`;

const list = (messages: Message[]): View =>
  html`<ul class="messages">${messages.map(
    (message) => html`<li key=${message.id} aria-label=${unescaped(message.text)}>
    <p class="facts"><strong>${message.channel}</strong> <${State} of=${message.state} /> <${Time} at=${message.updatedAt} />
      ${message.incident && html`<a href=${`#/incidents/${message.incident.number}`}>Incident #${message.incident.number}</a>`}</p>
    <${SlackMessage} blocks=${message.blocks} text=${message.text} />
    ${message.lastError && html`<p class="bad">${message.lastError}</p>`}
  </li>`,
  )}</ul>`;

/** What was told to people, or would have been. */
export function Outbox(): View {
  const [loaded, reload] = useQuery<Data>(QUERY, {}, 15_000);
  useTitle('Outbox');
  return html`<header class="head"><div><h1>Outbox</h1><p class="muted">Messages as Slack shows them. Without a Slack token they stay here.</p></div></header>
    <${Content} of=${loaded} retry=${reload}>
      ${({ messages }: Data) =>
        messages.edges.length === 0
          ? html`<${Empty} title="Nothing was told to anybody">One message appears here for each incident.<//>`
          : html`${list(messages.edges.map(({ node }) => node))}
            <${More} of=${messages} query=${QUERY} variables=${{}} pick=${(data: Data) => data.messages}>${list}<//>`}
    <//>`;
}
