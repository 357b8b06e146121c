import { randomUUID } from 'node:crypto';
import { GraphQLError } from 'graphql';
import { ClosewatchError, errorCode } from '../model/errors.ts';
import type { Logger } from '../store/logger.ts';

/** The innermost error that a resolver threw. */
function originalOf(error: unknown): unknown {
  let inner = error;
  while (inner instanceof GraphQLError && inner.originalError) inner = inner.originalError;
  return inner;
}

/**
 * What the caller sees of an error: ours with its code, GraphQL's own as it is, and anything unexpected only as an id
 * under which the log has it.
 */
export function maskError(error: unknown, logger: Logger): GraphQLError {
  const original = originalOf(error);
  const at =
    error instanceof GraphQLError
      ? { ...(error.nodes && { nodes: error.nodes }), ...(error.path && { path: error.path }) }
      : {};
  const code = errorCode(original);
  if (original instanceof ClosewatchError && original.status < 500)
    return new GraphQLError(original.message, {
      ...at,
      extensions: {
        code: original.code,
        ...(original.problems.length > 0 && { problems: original.problems }),
      },
    });
  if (original instanceof GraphQLError && original.originalError === undefined) {
    if (original.extensions.code === undefined) original.extensions.code = 'request.malformed';
    return original;
  }
  const id = randomUUID();
  logger.error({ err: original, errorId: id }, 'a query failed');
  const shown =
    code === 'store.unavailable' || code === 'engine.unavailable' || code === 'request.timeout'
      ? code
      : 'internal';
  return new GraphQLError(
    shown === 'internal' ? 'something went wrong here' : 'not available just now; try again',
    {
      ...at,
      extensions: { code: shown, errorId: id },
    },
  );
}
