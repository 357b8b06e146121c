/**
 * Everything that is counted: what it counts and by which labels. Label values come from closed sets, from rules of the
 * catalogue or from sources we know, never from a sender. docs/operations.md lists the same.
 */
export const COUNTERS = {
  closewatch_actions: {
    help: 'approved actions that ended or are to be tried again, by action and outcome: done, already, failed, again',
    labels: ['action', 'outcome'],
  },
  closewatch_api_requests_refused: {
    help: 'requests to the API that were refused or failed, by error code',
    labels: ['code'],
  },
  closewatch_assessments: {
    help: 'assessments written, by who wrote them: rules, model',
    labels: ['author'],
  },
  closewatch_assessments_failed: {
    help: 'incidents that could not be assessed, each time it was tried',
    labels: [],
  },
  closewatch_dead_letters_dropped: {
    help: 'refused events that were not kept, because 10,000 of their sender are open',
    labels: ['source'],
  },
  closewatch_detect_events: { help: 'new events that detection looked at', labels: [] },
  closewatch_detect_passes: {
    help: 'passes of detection, by outcome: done, overtaken (another pass had the turn), failed',
    labels: ['outcome'],
  },
  closewatch_engine_restarts: {
    help: 'ends of the embedded ClickHouse that were not asked for; it is started again',
    labels: [],
  },
  closewatch_event_requests_failed: {
    help: 'requests to POST /v1/events that failed as a whole, by error code',
    labels: ['code'],
  },
  closewatch_events_accepted: {
    help: 'finance events accepted by POST /v1/events, by source of the token',
    labels: ['source'],
  },
  closewatch_events_dead: {
    help: 'accepted events set aside because ClickHouse does not take them; each is a dead letter',
    labels: [],
  },
  closewatch_events_forwarded: { help: 'accepted events copied to ClickHouse', labels: [] },
  closewatch_events_known: {
    help: 'finance events that were accepted before, sent again',
    labels: ['source'],
  },
  closewatch_events_refused: { help: 'finance events refused, by reason', labels: ['reason', 'source'] },
  closewatch_events_replayed: {
    help: 'events taken through again, by what became of them: accepted, known (accepted before), conflict, refused (not valid now either), settled (by somebody else meanwhile), sent-on (to ClickHouse and detection again)',
    labels: ['outcome'],
  },
  closewatch_events_without_trace: {
    help: 'finance events whose traceparent could not be read',
    labels: ['source'],
  },
  closewatch_exceptions_closed: {
    help: 'exceptions closed, by rule; gone: of rules that are no longer there',
    labels: ['rule'],
  },
  closewatch_exceptions_opened: {
    help: 'exceptions opened, reopened ones included, by rule',
    labels: ['rule'],
  },
  closewatch_forward_failures: {
    help: 'failed attempts to copy accepted events to ClickHouse; they are repeated',
    labels: [],
  },
  closewatch_import_bad_rows: {
    help: 'rows of imported files that were refused, by reason',
    labels: ['reason'],
  },
  closewatch_import_rows: {
    help: 'rows of imported files, by outcome: stored, known, skipped, bad, bad-case',
    labels: ['outcome'],
  },
  closewatch_incidents: {
    help: 'incidents, by what happened to them: opened, updated, resolved',
    labels: ['change'],
  },
  closewatch_jobs_failed: {
    help: 'attempts of jobs that failed, by queue; a job has three',
    labels: ['queue'],
  },
  closewatch_jobs_stalled: {
    help: 'jobs taken up again after their process died, by queue',
    labels: ['queue'],
  },
  closewatch_messages: {
    help: 'deliveries to Slack, by outcome: posted, edited, left (resolved, and deleted by people), retried (failed, due again), given-up',
    labels: ['outcome'],
  },
  closewatch_messages_over_limits: { help: "messages that break Slack's limits", labels: [] },
  closewatch_model_fallbacks: {
    help: "times that the rules' assessment stood though there is a model, by reason",
    labels: ['reason'],
  },
  closewatch_model_tokens: { help: 'tokens of the language model, by kind: input, output', labels: ['kind'] },
  closewatch_obligations: {
    help: 'obligations that came into a state, by state',
    labels: ['state'],
  },
  closewatch_odoo_calls: {
    help: "calls of Odoo's API, by outcome: ok, or the code of the error; by protocol: json2, or jsonrpc, which goes with Odoo 20",
    labels: ['outcome', 'protocol', 'source'],
  },
  closewatch_odoo_call_milliseconds: {
    help: 'how long calls of Odoo took, summed up',
    labels: ['source'],
  },
  closewatch_odoo_hints: {
    help: 'webhooks of Odoo, by what became of them: confirmed, phantom (nothing came of it), late; missed: the poll found a change of which none told',
    labels: ['outcome', 'source'],
  },
  closewatch_odoo_hook_requests: {
    help: 'requests to POST /odoo, by outcome: taken, unknown, malformed, too-large, full, failed',
    labels: ['outcome'],
  },
  closewatch_odoo_late_records: {
    help: 'records of Odoo that became visible after it was said that all of their time were read',
    labels: ['source'],
  },
  closewatch_odoo_rounds: {
    help: 'rounds of reading an Odoo, by outcome: done, failed',
    labels: ['outcome', 'source'],
  },
  closewatch_otlp_bytes: { help: 'bytes of OTLP requests, inflated', labels: [] },
  closewatch_otlp_records_stored: {
    help: 'spans, log records and metric points stored, by signal',
    labels: ['signal'],
  },
  closewatch_otlp_requests: { help: 'OTLP requests', labels: [] },
  closewatch_otlp_requests_failed: {
    help: 'OTLP requests refused or failed, by HTTP status',
    labels: ['status'],
  },
  closewatch_queue_errors: { help: 'failures of the job queue itself, by queue', labels: ['queue'] },
  closewatch_records_lost: {
    help: 'records that came and are not among the data, by reason (see Losses)',
    labels: ['reason', 'source', 'stream'],
  },
  closewatch_slack_requests_refused: {
    help: 'requests to /slack/events that were refused or failed, by HTTP status',
    labels: ['status'],
  },
  closewatch_span_keys: {
    help: 'correlation keys of spans: written, or not: unscoped (no company or source), foreign (of a company for which the token may not send), dropped (too many, too long)',
    labels: ['outcome'],
  },
  closewatch_spans_reversed: {
    help: 'spans stored with duration 0 because they end before they start',
    labels: [],
  },
  closewatch_tripwire_hits: {
    help: 'prompts that were not sent because of what they held: iban, card, vat, e-mail, secret',
    labels: ['found'],
  },
  closewatch_values_masked: {
    help: 'values that were masked before they were stored: secret, bank-account, card, tax-id, person, email, free-text',
    labels: ['class'],
  },
  closewatch_verdicts: {
    help: "parts of a model's answers that the validator did not keep as they were, by part and outcome: dropped, replaced, capped",
    labels: ['outcome', 'part'],
  },
} as const satisfies Record<string, { help: string; labels: readonly string[] }>;

export type CounterName = keyof typeof COUNTERS;
export type LabelsOf<Name extends CounterName> = Readonly<
  Record<(typeof COUNTERS)[Name]['labels'][number], string>
>;

/** A counter or gauge as /metrics prints it. */
export interface Sample {
  readonly name: string;
  /** A counter when left out. */
  readonly type?: 'counter' | 'gauge';
  readonly help: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** What was counted in this process. */
export interface Counters {
  /** Adds `by` (1) to the counter of this name and these labels. */
  add<Name extends CounterName>(name: Name, labels: LabelsOf<Name>, by?: number): void;
  /** Every counter that counted something, by name, then labels. */
  snapshot(): Sample[];
}

/** Label sets of one name at most; further ones are counted under `other`, so that no sender can fill the memory. */
const MAX_SERIES = 1000;

/** A registry of the house's counters. */
export function createCounters(): Counters {
  const series = new Map<string, { labels: Readonly<Record<string, string>>; value: number }>();
  const seriesOf = new Map<string, number>();
  return {
    add(name, labels, by = 1) {
      const keys = COUNTERS[name].labels as readonly string[];
      const given: Readonly<Record<string, string>> = labels;
      const sorted = Object.fromEntries(keys.map((label) => [label, given[label] ?? '']));
      const known = series.get(`${name} ${JSON.stringify(sorted)}`);
      if (known) {
        known.value += by;
        return;
      }
      const count = seriesOf.get(name) ?? 0;
      const full = count >= MAX_SERIES;
      const kept = full ? Object.fromEntries(keys.map((label) => [label, 'other'])) : sorted;
      const at = `${name} ${JSON.stringify(kept)}`;
      const before = series.get(at);
      if (!before) seriesOf.set(name, count + 1);
      series.set(at, { labels: kept, value: (before?.value ?? 0) + by });
    },
    snapshot: () =>
      [...series]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([at, { labels, value }]) => {
          const name = at.slice(0, at.indexOf(' ')) as CounterName;
          return { name, help: COUNTERS[name].help, labels, value };
        }),
  };
}
