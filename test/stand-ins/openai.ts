import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A request to the stand-in as it came over the wire. */
interface ModelRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: {
    model: string;
    messages: { role: string; content: string }[];
    response_format?: { type: string; json_schema?: { name: string; strict?: boolean; schema: object } };
    tools?: unknown;
  };
  /** The evidence items of the user message. */
  readonly evidence: { number: number; kind: string; facts: Record<string, unknown> }[];
}

/** How the stand-in behaves for one request; an object or a text is the content that the model writes. */
export type Behaviour =
  | { readonly content: unknown; readonly finish?: string }
  | { readonly refusal: string }
  | { readonly status: number; readonly retryAfter?: string }
  | { readonly rawBody: string }
  | { readonly hugeBytes: number }
  | { readonly hang: true };

/** A good answer for the evidence: cites the first item, proposes what the rules know. */
export const goodAnswer = (over: Record<string, unknown> = {}): Record<string, unknown> => ({
  category: 'tax-engine',
  severity: 'medium',
  summary: 'Bills wait because the tax engine does not answer.',
  probableCause: 'The tax engine is probably down.',
  nextStep: 'Ask the owner of the tax engine.',
  confidence: 0.7,
  claims: [{ text: 'An incident is open.', evidence: [1] }],
  proposedActions: [{ kind: 'open-ticket', reason: 'The owner can tell.', evidence: [1] }],
  ...over,
});

export interface ModelStandIn {
  /** To be given as base URL, `http://127.0.0.1:…/v1`. */
  readonly url: string;
  readonly requests: ModelRequest[];
  /** What the next requests get; a function sees the request. */
  behave(next: Behaviour | ((request: ModelRequest) => Behaviour)): void;
  close(): Promise<void>;
}

/** Starts a server on loopback that speaks OpenAI's chat completions, as well or as badly as it is told. */
export async function startModelStandIn(): Promise<ModelStandIn> {
  const requests: ModelRequest[] = [];
  let behaviour: Behaviour | ((request: ModelRequest) => Behaviour) = { content: goodAnswer() };
  const server = createServer((req, res) => {
    readBody(req)
      .then((text) => {
        const request = requestOf(req, text);
        requests.push(request);
        const reply = replyTo(request, behaviour);
        if (reply) {
          res.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
          res.end(reply.body);
        }
      })
      .catch(() => res.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    requests,
    behave(next) {
      behaviour = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Record<string, string>;
}

const ok = (body: object): Reply => ({ status: 200, body: JSON.stringify(body) });
const failure = (status: number, message: string, headers: Record<string, string> = {}): Reply => ({
  status,
  body: JSON.stringify({ error: { message, type: 'scripted', code: null } }),
  headers,
});

/** The reply, or undefined for a request that is left hanging. */
function replyTo(
  request: ModelRequest,
  behaviour: Behaviour | ((request: ModelRequest) => Behaviour),
): Reply | undefined {
  if (request.path !== '/v1/chat/completions') return failure(404, 'unknown path');
  if (!request.body.response_format) return failure(400, 'no response_format');
  const how = typeof behaviour === 'function' ? behaviour(request) : behaviour;
  if ('hang' in how) return undefined;
  if ('status' in how)
    return failure(how.status, 'scripted', how.retryAfter ? { 'retry-after': how.retryAfter } : {});
  if ('rawBody' in how) return { status: 200, body: how.rawBody };
  if ('hugeBytes' in how) return ok(completion(request, { content: 'x'.repeat(how.hugeBytes) }));
  if ('refusal' in how) return ok(completion(request, { content: null, refusal: how.refusal }));
  const content = typeof how.content === 'string' ? how.content : JSON.stringify(how.content);
  return ok(completion(request, { content }, how.finish));
}

const completion = (
  request: ModelRequest,
  message: { content: string | null; refusal?: string },
  finish = 'stop',
): object => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_780_000_000,
  model: `${request.body.model}-2026-01-01`,
  choices: [{ index: 0, finish_reason: finish, message: { role: 'assistant', refusal: null, ...message } }],
  usage: { prompt_tokens: 1_200, completion_tokens: 180, total_tokens: 1_380 },
});

function requestOf(req: IncomingMessage, text: string): ModelRequest {
  const body = JSON.parse(text) as ModelRequest['body'];
  const user = body.messages.find(({ role }) => role === 'user')?.content ?? '';
  const json = /^(\[.*\])$/m.exec(user)?.[1] ?? '[]';
  return {
    path: req.url ?? '',
    authorization: req.headers.authorization,
    body,
    evidence: JSON.parse(json) as ModelRequest['evidence'],
  };
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
