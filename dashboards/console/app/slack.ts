import { html, timeText, type View } from './ui.ts';

interface Text {
  type: string;
  text: string;
}
interface Block {
  type: string;
  text?: Text;
  fields?: Text[];
  elements?: (Text & { text: string | Text; style?: string; url?: string })[];
}

/** Slack reads the three entities in every text, plain ones too (docs.slack.dev/messaging/formatting-message-text). */
export const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
const MARKS =
  /\*([^*\n]+)\*|_([^_\n]+)_|`([^`\n]+)`|<(https?:[^|>]+)(?:\|([^>]+))?>|<!date\^(\d+)\^[^|>]*(?:\|([^>]*))?>|<[@!#]([^>]*)>/g;

/** Slack's mrkdwn as nodes, never as HTML text: bold, italic, code, links and line ends. */
function mrkdwn(text: string): unknown[] {
  return text.split('\n').flatMap((line, n) => {
    const parts: unknown[] = n > 0 ? [html`<br />`] : [];
    let from = 0;
    for (const match of line.matchAll(MARKS)) {
      const [whole, bold, italic, code, url, label, seconds, fallback, mention] = match;
      parts.push(unescaped(line.slice(from, match.index)));
      if (bold) parts.push(html`<strong>${unescaped(bold)}</strong>`);
      else if (italic) parts.push(html`<em>${unescaped(italic)}</em>`);
      else if (code) parts.push(html`<code>${unescaped(code)}</code>`);
      else if (url)
        parts.push(
          html`<a href=${unescaped(url)} rel="noreferrer noopener" target="_blank">${unescaped(label ?? url)}</a>`,
        );
      else if (seconds)
        parts.push(unescaped(fallback ?? timeText(new Date(Number(seconds) * 1000).toISOString())));
      else parts.push(`@${mention}`);
      from = match.index + whole.length;
    }
    parts.push(unescaped(line.slice(from)));
    return parts;
  });
}

const textOf = (text: Text | string | undefined): unknown =>
  typeof text === 'string'
    ? mrkdwn(text)
    : text === undefined
      ? ''
      : text.type === 'plain_text'
        ? unescaped(text.text)
        : mrkdwn(text.text);

function BlockView({ block }: { block: Block }): View | null {
  const elements = block.elements ?? [];
  switch (block.type) {
    case 'header':
      return html`<p class="slack-header">${textOf(block.text)}</p>`;
    case 'divider':
      return html`<hr />`;
    case 'context':
      return html`<p class="muted">${elements.map((element) => html`<span>${textOf(element)} </span>`)}</p>`;
    case 'actions':
      return html`<p class="slack-actions">${elements.map((element) => html`<span class=${`slack-button ${element.style ?? ''}`}>${textOf(element.text)}</span>`)}</p>`;
    default:
      return html`<div>${block.text && html`<p>${textOf(block.text)}</p>`}
        ${block.fields && html`<div class="slack-fields">${block.fields.map((field) => html`<p>${textOf(field)}</p>`)}</div>`}</div>`;
  }
}

/** A message as people see it in Slack. */
export const SlackMessage = ({ blocks, text }: { blocks: unknown; text: string }): View => {
  const list = Array.isArray(blocks) ? (blocks as Block[]) : [];
  return html`<div class="slack">${list.length === 0 ? html`<p>${mrkdwn(text)}</p>` : list.map((block, n) => html`<${BlockView} key=${n} block=${block} />`)}</div>`;
};
