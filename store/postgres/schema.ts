import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { ActionKind } from '../../model/action.ts';
import type { ClockState } from '../../model/clock-skew.ts';
import type { Problem } from '../../model/errors.ts';
import type { Band } from '../../model/policy.ts';
import type { ProposalState } from '../../model/proposal.ts';
import type { Severity } from '../../model/severity.ts';

/** int8: read as text, written as bigint, number or text. */
type Int8 = ColumnType<string, bigint | number | string, bigint | number | string>;
type DefaultInt8 = ColumnType<string, bigint | number | string | undefined, bigint | number | string>;
type Int8OrNull = ColumnType<
  string | null,
  bigint | number | string | null | undefined,
  bigint | number | string | null
>;
/** timestamptz: read as a Date, written as a Date or RFC 3339 text. */
type Instant = ColumnType<Date, Date | string, Date | string>;
type DefaultInstant = ColumnType<Date, Date | string | undefined, Date | string>;
type InstantOrNull = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
/** jsonb: read parsed, written as JSON text (`JSON.stringify`), for `pg` takes an array for an array of PostgreSQL's. */
type DefaultJson<T> = ColumnType<T, string | undefined, string>;
type Json<T> = ColumnType<T, string, string>;
type JsonOrNull<T> = ColumnType<T | null, string | null | undefined, string | null>;

/** A sum of money in one currency: exact decimal text. */
export interface MoneySum {
  currency: string;
  amount: string;
  /** In the sums of an incident: what of it is still open. */
  open?: string;
}

export interface IngestTokenTable {
  id: string;
  name: string;
  source: string;
  token_hash: string;
  companies: string[] | null;
  created_at: DefaultInstant;
  created_by: string;
  last_used_at: InstantOrNull;
  revoked_at: InstantOrNull;
}

export interface SigningSecretTable {
  id: string;
  source: string;
  sealed: string;
  alone: boolean;
  created_at: Instant;
  created_by: string;
  last_used_at: InstantOrNull;
  expires_at: InstantOrNull;
  revoked_at: InstantOrNull;
}

export interface BatchTable {
  batch: GeneratedAlways<string>;
  kind: 'inbox' | 'import' | 'replay';
  source: string;
  rows: Generated<number>;
  state: Generated<'pending' | 'stored'>;
  accepted_at: DefaultInstant;
  stored_at: InstantOrNull;
  critical: Generated<boolean>;
  apart: Generated<boolean>;
  open: Generated<boolean>;
  characters: Generated<string>;
}

export interface ContradictionTable {
  id: string;
  company: string;
  key: string;
  about: string;
  said: Json<unknown>;
  first_at: Instant;
  last_at: Instant;
  resolved_at: InstantOrNull;
}

export interface InboxTable {
  source: string;
  id: string;
  body_hash: string;
  body: JsonOrNull<unknown>;
  state: Generated<'pending' | 'stored' | 'dead' | 'replayed'>;
  reason: string | null;
  company: string;
  type: string;
  batch: Int8OrNull;
  received_at: DefaultInstant;
  replay_batch: Int8OrNull;
}

export interface DeadLetterTable {
  id: GeneratedAlways<string>;
  sender: Generated<string>;
  source: string;
  company: string | null;
  received_at: DefaultInstant;
  reason_code: string;
  problems: DefaultJson<Problem[]>;
  content_type: string | null;
  event_id: string | null;
  body: string | null;
  state: Generated<'open' | 'replayed' | 'discarded'>;
  decided_by: string | null;
  decided_at: InstantOrNull;
  decided_reason: string | null;
  event_type: string | null;
  cut: Generated<boolean>;
  tried: Generated<number>;
  tried_at: InstantOrNull;
}

export interface ImportRunTable {
  id: string;
  source: string;
  file_name: string;
  file_sha256: string;
  map_sha256: string;
  rows_read: DefaultInt8;
  rows_stored: DefaultInt8;
  rows_known: DefaultInt8;
  rows_bad: DefaultInt8;
  state: Generated<'running' | 'done' | 'failed'>;
  started_at: DefaultInstant;
  ended_at: InstantOrNull;
}

export interface PartyTable {
  company: string;
  party_key: string;
  name: string | null;
  account: string | null;
  source: string;
  first_seen_at: DefaultInstant;
  last_seen_at: DefaultInstant;
}

export interface SourceTable {
  source: string;
  company: string;
  stream: Generated<string>;
  kind: 'polled' | 'declared' | 'imported' | 'assumed';
  complete_up_to_ns: Int8OrNull;
  complete_without_limit: Generated<boolean>;
  lateness_ms: DefaultInt8;
  silence_ms: Int8OrNull;
  types: Generated<string[]>;
  first_seen_at: DefaultInstant;
  last_event_ns: Int8OrNull;
  last_arrival_at: InstantOrNull;
  events: DefaultInt8;
  errors: DefaultInt8;
  updated_at: DefaultInstant;
}

export const SOURCE_DOMAINS = ['master', 'transactional', 'derived', 'telemetry'] as const;
export type SourceDomain = (typeof SOURCE_DOMAINS)[number];

export interface IntakeTable {
  source: string;
  company: string;
  stream: string;
  domain: Generated<SourceDomain>;
  lateness_ms: DefaultInt8;
  silence_ms: Int8OrNull;
  first_seen_at: DefaultInstant;
  last_event_ns: Int8OrNull;
  last_arrival_at: InstantOrNull;
  records: DefaultInt8;
  bytes: DefaultInt8;
  known: DefaultInt8;
}

export interface SourceRateTable {
  source: string;
  company: string;
  stream: string;
  width: 'minute' | 'hour';
  at: Instant;
  records: DefaultInt8;
  bytes: DefaultInt8;
  known: DefaultInt8;
}

export interface LossTable {
  source: string;
  company: string;
  stream: string;
  reason: string;
  hour: Instant;
  records: DefaultInt8;
  last_at: Instant;
  last_detail: string | null;
}

export interface SourceClockTable {
  source: string;
  state: ClockState;
  skew_ms: Int8;
  confidence: 'low' | 'high';
  records: Int8;
  from_at: Instant;
  to_at: Instant;
}

export interface ObligationTable {
  id: string;
  rule: string;
  rule_version: number;
  flow: string;
  kind: string;
  company: string;
  source: string;
  subject: string;
  occurrence: string;
  state: 'pending' | 'satisfied' | 'late' | 'open' | 'indeterminate' | 'voided' | 'waived' | 'resolved';
  anchor_event: string;
  anchor_ns: Int8;
  due_ns: Int8;
  answered_ns: Int8OrNull;
  amount: string | null;
  currency: string | null;
  severity: Severity | null;
  events: Generated<string[]>;
  why: Generated<string>;
  watermark_ns: Int8OrNull;
  history: Generated<boolean>;
  updated_at: DefaultInstant;
  /** When it is judged again though nothing new came. */
  revisit_ns: Int8OrNull;
  /** The key that leads to its case. */
  case_key: Generated<string>;
}

export interface ObjectiveMinuteTable {
  objective: string;
  minute: Int8;
  total: Int8;
  bad: Int8;
}

export interface ErrorSignatureTable {
  objective: string;
  service: string;
  signature: string;
  first_at: Instant;
  last_at: Instant;
  total: Int8;
  rate: number;
}

export interface IncidentTable {
  id: string;
  number: GeneratedAlways<string>;
  company: string;
  cause_kind: string;
  cause_key: string;
  title: string;
  severity: Severity;
  state: Generated<'open' | 'acknowledged' | 'resolved'>;
  opened_at: Instant;
  acknowledged_at: InstantOrNull;
  acknowledged_by: string | null;
  resolved_at: InstantOrNull;
  resolved_by: string | null;
  recurrence_of: string | null;
  exceptions: Generated<number>;
  open_exceptions: Generated<number>;
  sums: DefaultJson<MoneySum[]>;
  updated_at: DefaultInstant;
  version: Generated<number>;
  tally: DefaultJson<unknown>;
  assessed_version: Generated<number>;
  routed_version: Generated<number>;
  looked_again: Generated<boolean>;
  rank: GeneratedAlways<number>;
}

export interface ExceptionTable {
  id: string;
  obligation: string;
  rule: string;
  rule_version: number;
  flow: string;
  kind: string;
  company: string;
  source: string;
  subject: string;
  occurrence: string;
  state: 'open' | 'indeterminate' | 'late' | 'voided' | 'waived' | 'resolved';
  severity: Severity;
  close_impact: 'none' | 'warning' | 'blocker';
  amount: string | null;
  currency: string | null;
  opened_at: Instant;
  closed_at: InstantOrNull;
  due_ns: Int8;
  anchor_ns: Int8;
  answered_ns: Int8OrNull;
  reopened: Generated<number>;
  incident: string | null;
  why: string;
  events: Generated<string[]>;
  event_sources: Generated<string[]>;
  trace_ids: Generated<string[]>;
  error_signature: string | null;
  inhibited_by: string | null;
  notify: Generated<boolean>;
  updated_at: DefaultInstant;
  facts: GeneratedAlways<string>;
  seen: string | null;
  rank: GeneratedAlways<number>;
}

export interface AssessmentTable {
  id: string;
  incident: string;
  version: number;
  author: 'rules' | 'model';
  category: string;
  severity: Severity;
  summary: string;
  probable_cause: string;
  next_step: string;
  confidence: number;
  claims: DefaultJson<unknown>;
  proposed_actions: DefaultJson<unknown>;
  evidence: DefaultJson<unknown>;
  evidence_hash: string;
  prompt_id: string | null;
  prompt_hash: string | null;
  schema_hash: string | null;
  model: string | null;
  input_hash: string | null;
  output_hash: string | null;
  tokens_in: number | null;
  tokens_out: number | null;
  fallback_reason: string | null;
  verdicts: DefaultJson<unknown>;
  created_at: DefaultInstant;
  material_hash: Generated<string>;
  asked: Generated<number>;
  ask_again_at: InstantOrNull;
  proposed: Generated<boolean>;
}

export interface MessageTable {
  id: string;
  incident: string | null;
  channel: string;
  kind: string;
  blocks: DefaultJson<unknown>;
  text: string;
  content_hash: string;
  ts: string | null;
  state: Generated<'pending' | 'sent' | 'failed' | 'outbox'>;
  attempts: Generated<number>;
  last_error: string | null;
  created_at: DefaultInstant;
  updated_at: DefaultInstant;
  next_attempt_at: InstantOrNull;
  posting_since: InstantOrNull;
}

export interface PrincipalTable {
  id: string;
  kind: 'human' | 'service' | 'model';
  name: string;
  roles: Generated<string[]>;
  companies: Generated<string[]>;
  created_at: DefaultInstant;
  disabled_at: InstantOrNull;
}

export interface IdentityTable {
  provider: string;
  external_id: string;
  principal: string;
  verified: Generated<boolean>;
  created_at: DefaultInstant;
  linked_by: string | null;
  confirmed_by: string | null;
}

export interface CursorTable {
  name: string;
  position: Int8;
  updated_at: DefaultInstant;
}

export interface ControlRunTable {
  id: GeneratedAlways<string>;
  pass: string;
  started_at: Instant;
  ended_at: Instant;
  from_batch: Int8;
  to_batch: Int8;
  events: Int8;
  obligations_touched: Int8;
  opened: number;
  closed: number;
  as_of_ns: Int8;
  rules: DefaultJson<unknown>;
  passes: Generated<number>;
  /** SHA-256 of the definitions of the rules; empty in rows of before. */
  rule_set: Generated<string>;
}

export interface ChangeLogTable {
  seq: GeneratedAlways<string>;
  at: DefaultInstant;
  entity: string;
  entity_id: string;
  company: string;
  change: string;
  rule: string | null;
  state: string | null;
  severity: string | null;
  amount: string | null;
  currency: string | null;
  actor: string | null;
  data: DefaultJson<unknown>;
  shipped: Generated<boolean>;
}

export interface AuditTable {
  seq: Int8;
  body: string;
  body_hash: string;
  hash: string;
  at: Instant;
  actor: string;
  entity: string;
  entity_id: string;
  company: string;
}

/** Somebody who made a document of a case, as `proposals.makers` has it. */
interface MakerJson {
  kind: 'human' | 'service';
  account: string;
  principal?: string;
}

export interface ProposalTable {
  id: string;
  incident: string;
  company: string;
  action: ActionKind;
  parameters: Json<unknown>;
  reason: string;
  evidence: Generated<number[]>;
  amount: string | null;
  band: Band;
  origin: 'rules' | 'model' | 'human';
  assessment: string | null;
  editors: Generated<string[]>;
  makers: Json<MakerJson[]>;
  state: ProposalState;
  hash: string;
  expires_at: Instant;
  created_at: Instant;
  updated_at: Instant;
  version: Generated<number>;
  attempts: Generated<number>;
  held_until: InstantOrNull;
  before: JsonOrNull<unknown>;
  after: JsonOrNull<unknown>;
  outcome: string | null;
  error: string | null;
  rehearsal: JsonOrNull<unknown>;
}

export interface ApprovalTable {
  proposal: string;
  number: number;
  hash: string;
  approver: string;
  approver_kind: Generated<'human'>;
  roles: string[];
  at: Instant;
  expires_at: Instant;
  used_at: InstantOrNull;
}

export interface AccrualTable {
  exception: string;
  proposal: string;
  company: string;
  amount: string | null;
  currency: string | null;
  at: Instant;
}

export interface WaiverTable {
  exception: string;
  proposal: string;
  reason: string;
  until: Instant;
  at: Instant;
  ended_at: InstantOrNull;
}

export interface ModelUsageTable {
  day: string;
  company: string;
  tokens: DefaultInt8;
  cost: DefaultInt8;
  calls: Generated<number>;
}

export interface ModelAnswerTable {
  key: string;
  reply: Json<unknown>;
  at: Instant;
}

export interface CorrectionTable {
  assessment: string;
  category: string;
  actions: string[];
  comment: string | null;
  by: string;
  at: Instant;
}

export interface IncidentMoveTable {
  id: GeneratedAlways<string>;
  incident: string;
  exceptions: string[] | null;
  target: string | null;
  reason: string;
  by: string;
  at: Instant;
  done_at: InstantOrNull;
  outcome: string | null;
}

export interface SilenceTable {
  id: string;
  company: string;
  rule: string | null;
  source: string | null;
  reason: string;
  by: string;
  at: Instant;
  until: Instant;
  ended_at: InstantOrNull;
}

export interface PrincipalTokenTable {
  token_hash: string;
  principal: string;
  created_at: Instant;
  created_by: string;
  expires_at: Instant;
  revoked_at: InstantOrNull;
}

export interface TurnTable {
  name: string;
  token: Int8;
  held_until: Instant;
}

export interface EventAheadTable {
  at_ns: Int8;
  event: string;
}

export interface SettingTable {
  name: string;
  value: Json<unknown>;
  updated_at: DefaultInstant;
}

export interface SnapshotTable {
  entity: string;
  entity_id: string;
  facts: Json<unknown>;
  taken_at: Instant;
}

export interface OdooSourceTable {
  source: string;
  url: string;
  database: string | null;
  login: string | null;
  sealed: string;
  writer_login: string | null;
  writer_sealed: string | null;
  hook_hash: string | null;
  pace: JsonOrNull<unknown>;
  live_from: Instant;
  history_from: Instant;
  installed: DefaultJson<unknown>;
  state: DefaultJson<unknown>;
  hook_requests: DefaultInt8;
  last_hook_at: InstantOrNull;
  created_at: DefaultInstant;
  created_by: string;
}

export interface OdooCursorTable {
  source: string;
  stream: string;
  position: Json<unknown>;
  updated_at: DefaultInstant;
}

export interface OdooRecordTable {
  source: string;
  model: string;
  id: Int8;
  written: string;
  seen_at: Instant;
  parents: ColumnType<string[] | null, readonly number[] | null, readonly number[] | null>;
  snapshot: Json<unknown>;
}

export interface OdooHintTable {
  source: string;
  model: string;
  id: Int8;
  first_at: Instant;
  last_at: Instant;
  requests: Generated<number>;
  state: Generated<'waiting' | 'seen' | 'phantom'>;
  due_at: Instant;
}

/** The tables of schema `closewatch`, as migrations/ makes them. */
export interface Database {
  ingest_tokens: IngestTokenTable;
  signing_secrets: SigningSecretTable;
  batches: BatchTable;
  inbox: InboxTable;
  odoo_sources: OdooSourceTable;
  odoo_cursors: OdooCursorTable;
  odoo_records: OdooRecordTable;
  odoo_hints: OdooHintTable;
  contradictions: ContradictionTable;
  dead_letters: DeadLetterTable;
  import_runs: ImportRunTable;
  parties: PartyTable;
  sources: SourceTable;
  intake: IntakeTable;
  source_rates: SourceRateTable;
  losses: LossTable;
  source_clocks: SourceClockTable;
  obligations: ObligationTable;
  objective_minutes: ObjectiveMinuteTable;
  error_signatures: ErrorSignatureTable;
  incidents: IncidentTable;
  exceptions: ExceptionTable;
  assessments: AssessmentTable;
  messages: MessageTable;
  principals: PrincipalTable;
  identities: IdentityTable;
  cursors: CursorTable;
  control_runs: ControlRunTable;
  change_log: ChangeLogTable;
  audit: AuditTable;
  proposals: ProposalTable;
  approvals: ApprovalTable;
  accruals: AccrualTable;
  waivers: WaiverTable;
  principal_tokens: PrincipalTokenTable;
  incident_moves: IncidentMoveTable;
  silences: SilenceTable;
  model_usage: ModelUsageTable;
  model_answers: ModelAnswerTable;
  corrections: CorrectionTable;
  settings: SettingTable;
  turns: TurnTable;
  events_ahead: EventAheadTable;
  snapshots: SnapshotTable;
}
