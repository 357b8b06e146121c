import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A call of the Web API as it came over the wire; `blocks` and `metadata` are parsed. */
interface SlackCall {
  readonly method: string;
  readonly token: string | undefined;
  readonly args: Record<string, unknown>;
  /** Milliseconds of a steady clock. */
  readonly at: number;
}

interface SlackMessage {
  readonly ts: string;
  readonly channel: string;
  text: string;
  blocks: unknown[];
  metadata?: unknown;
}

/** How the stand-in answers one call instead of as it should. `lost`: it does the thing, and the answer gets lost. */
type SlackBehaviour =
  | { readonly error: string }
  | { readonly status: number; readonly retryAfter?: number }
  | { readonly delayMs: number }
  | { readonly lost: true };

export interface SlackStandIn {
  /** To be given as `SLACK_API_URL`. */
  readonly url: string;
  readonly calls: SlackCall[];
  readonly messages: SlackMessage[];
  callsOf(method: string): SlackCall[];
  /** Members of the workspace by id, as `users.info` tells of them. */
  readonly members: Map<string, object>;
  /** What the next calls of the method get, one each; after them all is well again. */
  script(method: string, ...behaviours: SlackBehaviour[]): void;
  /** Deletes a message, as people do. */
  remove(ts: string): void;
  close(): Promise<void>;
}

export const BOT_TOKEN = 'xoxb-stand-in';
const CHANNEL = /^[CGD][A-Z0-9]{5,}$/;

/** Starts a server on loopback that speaks Slack's Web API as far as messages go, and misbehaves when told to. */
export async function startSlackStandIn(): Promise<SlackStandIn> {
  const calls: SlackCall[] = [];
  const messages: SlackMessage[] = [];
  const members = new Map<string, object>();
  const scripts = new Map<string, SlackBehaviour[]>();
  let clock = 1_780_000_000_000_000;

  const methods: Record<string, (args: Record<string, unknown>) => object> = {
    'chat.postMessage': (args) => {
      const channel = String(args.channel);
      if (!CHANNEL.test(channel)) return { ok: false, error: 'channel_not_found' };
      clock += 1_000;
      const ts = `${Math.floor(clock / 1e6)}.${String(clock % 1e6).padStart(6, '0')}`;
      const message: SlackMessage = {
        ts,
        channel,
        text: String(args.text),
        blocks: args.blocks as unknown[],
        metadata: args.metadata,
      };
      messages.push(message);
      return { ok: true, channel, ts, message };
    },
    'chat.update': (args) => {
      const message = messages.find(({ ts, channel }) => ts === args.ts && channel === args.channel);
      if (!message) return { ok: false, error: 'message_not_found' };
      message.text = String(args.text);
      message.blocks = args.blocks as unknown[];
      return { ok: true, channel: message.channel, ts: message.ts, text: message.text };
    },
    'users.info': ({ user }) => {
      const member = members.get(String(user));
      return member ? { ok: true, user: { id: user, ...member } } : { ok: false, error: 'user_not_found' };
    },
    'chat.postEphemeral': () => ({ ok: true, message_ts: '1.1' }),
    'conversations.history': ({ channel, cursor, limit }) => {
      const all = messages.filter((message) => message.channel === channel).toReversed();
      const from = Number(cursor ?? 0);
      const to = from + Number(limit ?? 100);
      const next_cursor = to < all.length ? String(to) : '';
      return { ok: true, messages: all.slice(from, to), response_metadata: { next_cursor } };
    },
  };

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body = new URLSearchParams(await readBody(req));
    const method = /^\/api\/([\w.]+)$/.exec(req.url ?? '')?.[1] ?? '';
    const args = Object.fromEntries([...body].map(([name, value]) => [name, parsed(name, value)]));
    const token = req.headers.authorization?.replace('Bearer ', '') ?? body.get('token') ?? undefined;
    calls.push({ method, token, args, at: performance.now() });
    const behaviour = scripts.get(method)?.shift();
    if (behaviour && 'delayMs' in behaviour) await new Promise((done) => setTimeout(done, behaviour.delayMs));
    if (behaviour && 'status' in behaviour) {
      const headers =
        behaviour.retryAfter === undefined ? {} : { 'retry-after': String(behaviour.retryAfter) };
      res.writeHead(behaviour.status, headers).end();
      return;
    }
    const result = outcome(method, token, args, behaviour);
    if (behaviour && 'lost' in behaviour) {
      res.destroy();
      return;
    }
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result));
  }

  function outcome(
    method: string,
    token: string | undefined,
    args: Record<string, unknown>,
    behaviour: SlackBehaviour | undefined,
  ): object {
    if (behaviour && 'error' in behaviour) return { ok: false, error: behaviour.error };
    if (token !== BOT_TOKEN) return { ok: false, error: 'invalid_auth' };
    return methods[method]?.(args) ?? { ok: false, error: 'unknown_method' };
  }

  const server = createServer((req, res) => {
    answer(req, res).catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/`,
    calls,
    messages,
    members,
    callsOf: (method) => calls.filter((call) => call.method === method),
    script(method, ...behaviours) {
      scripts.set(method, [...(scripts.get(method) ?? []), ...behaviours]);
    },
    remove(ts) {
      const at = messages.findIndex((message) => message.ts === ts);
      if (at >= 0) messages.splice(at, 1);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function parsed(name: string, value: string): unknown {
  return name === 'blocks' || name === 'metadata' ? JSON.parse(value) : value;
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export interface SignedRequest {
  readonly body: string;
  readonly headers: Record<string, string>;
}

/** A request as Slack signs it: HMAC-SHA-256 over `v0:timestamp:body`. */
export function signed(body: string, secret: string, atMs: number): SignedRequest {
  const timestamp = String(Math.floor(atMs / 1000));
  const signature = `v0=${createHmac('sha256', secret).update(`v0:${timestamp}:${body}`).digest('hex')}`;
  return {
    body,
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      'x-slack-request-timestamp': timestamp,
      'x-slack-signature': signature,
    },
  };
}

/** The body that Slack sends when somebody presses a button of a message. */
export function buttonPress(press: {
  user: string;
  actionId: string;
  value?: string;
  channel?: string;
}): string {
  const payload = {
    type: 'block_actions',
    user: { id: press.user, username: 'somebody', team_id: 'T0001' },
    api_app_id: 'A0001',
    token: 'legacy',
    container: { type: 'message', message_ts: '1780000000.001000', channel_id: press.channel ?? 'C0000001' },
    trigger_id: '1.2.3',
    team: { id: 'T0001', domain: 'acme' },
    enterprise: null,
    is_enterprise_install: false,
    channel: { id: press.channel ?? 'C0000001', name: 'finance' },
    message: { type: 'message', ts: '1780000000.001000', text: '' },
    response_url: 'http://127.0.0.1:9/never',
    actions: [
      {
        type: 'button',
        action_id: press.actionId,
        block_id: 'incident:x',
        text: { type: 'plain_text', text: 'Acknowledge' },
        value: press.value,
        action_ts: '1780000001.000000',
      },
    ],
  };
  return new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
}
