import type { IncomingMessage, ServerResponse } from 'node:http';
import { SpanKind } from '@opentelemetry/api';
import { type ExecutionResult, getOperationAST } from 'graphql';
import { createYoga, type Plugin } from 'graphql-yoga';
import { ClosewatchError } from '../model/errors.ts';
import type { Logger } from '../store/logger.ts';
import { failSpan, withSpan } from '../store/tracing.ts';
import type { ApiContext } from './context.ts';
import { maskError } from './errors.ts';
import { limitsRule, QUERY_LIMITS } from './limits.ts';
import { schema } from './schema/schema.ts';

/** Adds the limits to what every document is checked for. */
const useLimits: Plugin = {
  onParse({ parseFn, setParseFn }) {
    setParseFn((source, options) => parseFn(source, { ...options, maxTokens: QUERY_LIMITS.tokens }));
  },
  onValidate({ addValidationRule }) {
    addValidationRule(limitsRule(QUERY_LIMITS));
  },
};

/** Answers `request.timeout` after `ms`; what still runs is left to its own limits. */
const useTimeout = (ms: number): Plugin => ({
  onExecute({ executeFn, setExecuteFn }) {
    setExecuteFn(async (args) => {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        const error = new ClosewatchError('request.timeout', `the query took longer than ${ms} ms`);
        timer = setTimeout(reject, ms, error);
      });
      return await Promise.race([executeFn(args), late]).finally(() => clearTimeout(timer));
    });
  },
});

/** A span an operation: its kind and its name, which the client chose; neither its text nor its variables. */
const useSpans: Plugin = {
  onExecute({ executeFn, setExecuteFn }) {
    setExecuteFn((args) => {
      const operation = getOperationAST(args.document, args.operationName);
      const type = operation?.operation ?? 'query';
      const name = operation?.name?.value.slice(0, 64);
      const attributes = { 'graphql.operation.type': type, ...(name && { 'graphql.operation.name': name }) };
      return withSpan(
        `graphql ${type}`,
        attributes,
        async (span) => {
          const result: ExecutionResult = await executeFn(args);
          const error = result.errors?.[0];
          if (error) failSpan(span, error.originalError ?? error);
          return result;
        },
        SpanKind.SERVER,
      );
    });
  },
};

/** Serves `/graphql` to those who are known: the context is made before. */
export function createGraphql(config: { maxBodyBytes: number; timeoutMs: number }, deps: { logger: Logger }) {
  const { logger } = deps;
  const quiet = { debug() {}, info() {}, warn() {}, error() {} };
  const yoga = createYoga<{ api: ApiContext }, ApiContext>({
    schema,
    context: ({ api }) => api,
    graphiql: false,
    landingPage: false,
    batching: false,
    multipart: false,
    cors: false,
    logging: quiet,
    maxRequestBodySize: config.maxBodyBytes,
    maskedErrors: { maskError: (error) => maskError(error, logger) },
    plugins: [useLimits, useTimeout(config.timeoutMs), useSpans],
  });
  return async (request: IncomingMessage, response: ServerResponse, api: ApiContext): Promise<void> => {
    await yoga(request, response, { api });
  };
}
