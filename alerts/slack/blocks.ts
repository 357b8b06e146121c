import type { types } from '@slack/bolt';

type Block = types.KnownBlock;

export type { Block };

/** Slack's limits for what we use (docs.slack.dev/reference/block-kit). Characters are UTF-16 units. */
export const LIMITS = {
  blocks: 50,
  header: 150,
  section: 3_000,
  fields: 10,
  field: 2_000,
  contextElements: 10,
  actions: 25,
  buttonText: 75,
  buttonValue: 2_000,
  url: 3_000,
  id: 255,
  text: 4_000,
} as const;

/** The text within `limit`, ended by … where it was cut; no half of a surrogate pair is left. */
function cut(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const head = text.slice(0, limit - 1);
  return `${head.isWellFormed() ? head : head.slice(0, -1)}…`;
}

/**
 * Text as Slack shows it literally: `&`, `<`, `>` escaped, so that it holds no mention, link or command; line ends,
 * control and invisible characters gone. Cut to the limit after escaping, never inside an entity.
 */
export function escaped(text: string, limit: number): string {
  const clean = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/[\p{Cf}\p{Co}]/gu, '')
    .trim();
  const safe = clean.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  if (safe.length <= limit) return safe;
  return `${cut(safe, limit)
    .slice(0, -1)
    .replace(/&[a-z]{0,3}$/, '')}…`;
}

/** Escaped text for a mrkdwn object, in which also the formatting characters are taken away. */
export const literal = (text: string, limit: number): string => escaped(text.replace(/[*_~`]+/g, ' '), limit);

export const header = (text: string): Block => ({
  type: 'header',
  text: { type: 'plain_text', text: escaped(text, LIMITS.header) || '—', emoji: false },
});

/** A paragraph without any formatting: for text that others wrote. */
export const paragraph = (text: string, limit: number = LIMITS.section): Block => ({
  type: 'section',
  text: { type: 'plain_text', text: escaped(text, limit) || '—', emoji: false },
});

/** Named values in two columns; a value is mrkdwn that is safe already. */
export const fields = (values: readonly (readonly [name: string, safeValue: string])[]): Block => ({
  type: 'section',
  fields: values.slice(0, LIMITS.fields).map(([name, value]) => ({
    type: 'mrkdwn',
    text: cut(`*${literal(name, 60)}*\n${value || '—'}`, LIMITS.field),
  })),
});

/** Small print. */
export const context = (lines: readonly string[]): Block => ({
  type: 'context',
  elements: lines
    .slice(0, LIMITS.contextElements)
    .map((line) => ({ type: 'plain_text', text: escaped(line, 500) || '—', emoji: false })),
});

export interface Button {
  readonly action: string;
  readonly label: string;
  readonly value?: string;
  readonly url?: string;
  readonly style?: 'primary' | 'danger';
}

export const actions = (id: string, buttons: readonly Button[]): Block => ({
  type: 'actions',
  block_id: cut(id, LIMITS.id),
  elements: buttons.map(({ action, label, value, url, style }) => ({
    type: 'button',
    action_id: action,
    text: { type: 'plain_text', text: escaped(label, LIMITS.buttonText), emoji: false },
    ...(value !== undefined && { value: cut(value, LIMITS.buttonValue) }),
    ...(url !== undefined && { url }),
    ...(style && { style }),
  })),
});

/** An instant as each reader's Slack shows it, with a fallback in UTC. */
export const instant = (at: Date): string =>
  `<!date^${Math.floor(at.getTime() / 1000)}^{date_short_pretty} {time}|${at.toISOString().slice(0, 16).replace('T', ' ')} UTC>`;

/** What of a message Slack would refuse; nothing for a message within the limits. */
export function limitProblems(message: { blocks: readonly Block[]; text: string }): string[] {
  const problems: string[] = [];
  const check = (where: string, length: number, limit: number, least = 0): void => {
    if (length > limit) problems.push(`${where} is ${length}, at most ${limit}`);
    if (length < least) problems.push(`${where} is empty`);
  };
  check('blocks', message.blocks.length, LIMITS.blocks, 1);
  check('text', message.text.length, LIMITS.text, 1);
  message.blocks.forEach((block, at) => {
    const where = `blocks[${at}]`;
    if (block.type === 'header') check(`${where}.text`, block.text.text.length, LIMITS.header, 1);
    else if (block.type === 'section') {
      if (block.text) check(`${where}.text`, block.text.text.length, LIMITS.section, 1);
      check(`${where}.fields`, block.fields?.length ?? 0, LIMITS.fields);
      block.fields?.forEach((field, n) => {
        check(`${where}.fields[${n}]`, field.text.length, LIMITS.field, 1);
      });
    } else if (block.type === 'context') check(where, block.elements.length, LIMITS.contextElements, 1);
    else if (block.type === 'actions') {
      check(where, block.elements.length, LIMITS.actions, 1);
      for (const element of block.elements) {
        if (element.type !== 'button') problems.push(`${where} holds a ${element.type}`);
        else {
          check(`${where}.text`, element.text.text.length, LIMITS.buttonText, 1);
          check(`${where}.value`, element.value?.length ?? 0, LIMITS.buttonValue);
          check(`${where}.url`, element.url?.length ?? 0, LIMITS.url);
          check(`${where}.action_id`, element.action_id?.length ?? 0, LIMITS.id, 1);
        }
      }
    } else problems.push(`${where} is a ${block.type}, which is not used`);
  });
  return problems;
}
