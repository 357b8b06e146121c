import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import {
  BrokenCircuitError,
  BulkheadRejectedError,
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  handleWhen,
  wrap,
} from 'cockatiel';
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  InternalServerError,
  RateLimitError,
} from 'openai';
import { zodResponseFormat } from 'openai/helpers/zod';
import { type FallbackReason, modelAnswer } from '../../model/assessment.ts';
import { canonicalHash } from '../../model/canonical-json.ts';
import { withSpan } from '../../store/tracing.ts';

/** A model behind OpenAI's chat completions, of OpenAI or of any server that speaks them. */
export interface ModelConfig {
  readonly apiKey: string;
  /** `https://api.openai.com/v1` when left out. */
  readonly baseUrl?: string | undefined;
  readonly model: string;
  /** Milliseconds for one attempt; 9,000. */
  readonly attemptMs?: number | undefined;
  /** Milliseconds for everything, the one retry and its pause included; 20,000. */
  readonly totalMs?: number | undefined;
  /** Calls at the same time; 2. */
  readonly concurrency?: number | undefined;
  /** Milliseconds for which nobody is asked after five failures in a row; 30,000. */
  readonly breakMs?: number | undefined;
}

export interface ModelReply {
  /** The parsed JSON that the model wrote; not validated. */
  readonly json: unknown;
  readonly outputHash: string;
  /** The name that the server says it answered with. */
  readonly model: string;
  readonly tokensIn?: number | undefined;
  readonly tokensOut?: number | undefined;
}
/** How a prompt wants the model to be asked. */
export interface ModelSettings {
  /** Tokens that an answer may have. */
  readonly maxTokens: number;
  /** 0 to 2; left out, the model's own: some take no other. */
  readonly temperature?: number | undefined;
}

/** What a model is asked. */
interface Question {
  readonly system: string;
  readonly user: string;
  readonly settings: ModelSettings;
}

type Reply = ({ readonly ok: true } & ModelReply) | { readonly ok: false; readonly reason: FallbackReason };

export interface Model {
  readonly name: string;
  readonly schemaHash: string;
  /** Asks once (a refused or broken call is tried once more). Never throws: whatever goes wrong has its reason. */
  ask(question: Question): Promise<Reply>;
}

/** Bytes that an answer may have; a longer one is cut off while it arrives. */
const MAX_ANSWER_BYTES = 256 * 1024;
const FAILURES = 5;

class TooLarge extends Error {}
/** What the model itself said or did not say: no failure of its server, so no matter of the breaker. */
class Unusable extends Error {
  readonly reason: FallbackReason;
  constructor(reason: FallbackReason) {
    super(reason);
    this.reason = reason;
  }
}

/** The model of the configuration, with its breaker and its limit of calls at a time. */
export function createModel(config: ModelConfig): Model {
  const format = zodResponseFormat(modelAnswer, 'assessment');
  const client = new OpenAI({
    apiKey: config.apiKey,
    baseURL: config.baseUrl ?? 'https://api.openai.com/v1',
    organization: null,
    project: null,
    timeout: config.attemptMs ?? 9_000,
    maxRetries: 1,
    logLevel: 'off',
    fetch: limitedFetch,
  });
  const breaker = circuitBreaker(
    handleWhen((error) => !(error instanceof Unusable)),
    { halfOpenAfter: config.breakMs ?? 30_000, breaker: new ConsecutiveBreaker(FAILURES) },
  );
  const policy = wrap(bulkhead(config.concurrency ?? 2, 100), breaker);

  async function call({ system, user, settings }: Question): Promise<ModelReply> {
    const completion = await client.chat.completions.create(
      {
        model: config.model,
        messages: [
          { role: 'system', content: system },
          { role: 'user', content: user },
        ],
        response_format: format,
        max_completion_tokens: settings.maxTokens,
        ...(settings.temperature !== undefined && { temperature: settings.temperature }),
        store: false,
      },
      { signal: AbortSignal.timeout(config.totalMs ?? 20_000) },
    );
    const choice = completion.choices?.[0];
    if (!choice?.message) throw new Unusable('malformed');
    if (choice.message.refusal || choice.finish_reason === 'content_filter') throw new Unusable('refusal');
    if (choice.finish_reason === 'length') throw new Unusable('truncated');
    const text = choice.message.content;
    if (typeof text !== 'string') throw new Unusable('malformed');
    return {
      json: parsed(text),
      outputHash: canonicalHash(text.toWellFormed()),
      model: typeof completion.model === 'string' ? completion.model.slice(0, 100) : config.model,
      tokensIn: wholeNumber(completion.usage?.prompt_tokens),
      tokensOut: wholeNumber(completion.usage?.completion_tokens),
    };
  }

  return {
    name: config.model,
    schemaHash: canonicalHash(JSON.parse(JSON.stringify(format))),
    ask: (question) =>
      withSpan(
        `chat ${config.model}`,
        {
          'gen_ai.operation.name': 'chat',
          'gen_ai.provider.name': 'openai',
          'gen_ai.request.model': config.model,
          'gen_ai.request.max_tokens': question.settings.maxTokens,
        },
        async (span) => {
          try {
            const reply = await policy.execute(() => call(question));
            describe(span, reply);
            return { ok: true, ...reply };
          } catch (error) {
            const reason = reasonOf(error);
            span.setAttribute('error.type', reason);
            span.setStatus({ code: SpanStatusCode.ERROR });
            return { ok: false, reason };
          }
        },
        SpanKind.CLIENT,
      ),
  };
}

/** What OpenTelemetry's conventions for generative AI say of an answer, without its text. */
function describe(span: Span, { model, tokensIn, tokensOut }: ModelReply): void {
  if (/^[\w.:/-]+$/.test(model)) span.setAttribute('gen_ai.response.model', model);
  if (tokensIn !== undefined) span.setAttribute('gen_ai.usage.input_tokens', tokensIn);
  if (tokensOut !== undefined) span.setAttribute('gen_ai.usage.output_tokens', tokensOut);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Unusable('malformed');
  }
}

const wholeNumber = (value: unknown): number | undefined =>
  typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 31 ? value : undefined;

function reasonOf(error: unknown): FallbackReason {
  if (error instanceof Unusable) return error.reason;
  if (error instanceof BrokenCircuitError) return 'breaker-open';
  if (error instanceof BulkheadRejectedError) return 'busy';
  if (causes(error).some((cause) => cause instanceof TooLarge)) return 'too-large';
  if (error instanceof APIUserAbortError || error instanceof APIConnectionTimeoutError) return 'timeout';
  if (error instanceof RateLimitError) return 'rate-limited';
  if (error instanceof InternalServerError) return 'server-error';
  if (error instanceof APIConnectionError) return 'connection';
  if (error instanceof APIError && error.status !== undefined) return 'request-refused';
  if (causes(error).some((cause) => cause instanceof DOMException)) return 'timeout';
  return error instanceof SyntaxError ? 'malformed' : 'connection';
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error && chain.length < 8; at = at.cause) chain.push(at);
  return chain;
}

/** `fetch` whose answer ends with an error at its size limit. */
async function limitedFetch(url: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(url, { ...init, redirect: 'error' });
  let bytes = 0;
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes > MAX_ANSWER_BYTES) controller.error(new TooLarge('the answer is too large'));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body?.pipeThrough(limit) ?? null, { status, statusText, headers });
}
