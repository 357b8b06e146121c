import type { IncomingMessage, ServerResponse } from 'node:http';
import { createYoga, type Plugin } from 'graphql-yoga';
import { ClosewatchError } from '../model/errors.ts';
import type { Logger } from '../store/logger.ts';
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
    plugins: [useLimits, useTimeout(config.timeoutMs)],
  });
  return async (request: IncomingMessage, response: ServerResponse, api: ApiContext): Promise<void> => {
    await yoga(request, response, { api });
  };
}
