import type { Cause } from '../../model/incident.ts';
import { commonSignature, type LinkedSpan } from './signature.ts';

/** What grouping needs of an exception. */
export interface CausedException {
  readonly rule: string;
  readonly ruleName?: string | undefined;
  readonly kind: string;
  readonly state: string;
  readonly source: string;
  /** What explains the exception away: `source:<name>` for a stale source. */
  readonly inhibitedBy?: string | undefined;
  /** The batch that its events came in, when all of them name the same. */
  readonly batchId?: string | undefined;
}

/**
 * The cause by which exceptions of a company become one incident, the first that applies: a failing interface with its
 * error signature, a stale source, a batch, the rule with the system on the other side, the rule alone.
 */
export function causeOf(exception: CausedException, linked: readonly LinkedSpan[]): Cause {
  const { rule, source } = exception;
  const signature = commonSignature(linked);
  if (signature) {
    const { key, service, operation, error } = signature;
    return { kind: 'interface-error', key, title: unmasked(`${service} fails: ${operation}, ${error}`) };
  }
  const stale = staleSource(exception);
  if (stale) return { kind: 'stale-source', key: stale, title: `No complete data from ${stale}` };
  // The name of a rule says what is expected; the incident is that it was not so.
  const name = `Unmet: ${exception.ruleName ?? rule}`;
  if (exception.batchId) {
    const key = JSON.stringify([source, exception.batchId]);
    return { kind: 'batch', key, title: `${name}: batch ${exception.batchId} of ${source}` };
  }
  if (source)
    return { kind: 'rule-counterparty', key: JSON.stringify([rule, source]), title: `${name} (${source})` };
  return { kind: 'rule', key: rule, title: name };
}

/** Masks read better as an ellipsis. */
const unmasked = (text: string): string => text.replace(/<(n|id|hex|text|url|email)>/g, '…');

function staleSource({ kind, state, source, inhibitedBy }: CausedException): string | undefined {
  if (inhibitedBy?.startsWith('source:')) return inhibitedBy.slice('source:'.length);
  if (kind === 'watermark' || state === 'indeterminate') return source || undefined;
  return undefined;
}
