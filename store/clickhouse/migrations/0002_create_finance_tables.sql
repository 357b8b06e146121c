-- Finance events, their keys, and the history of everything that changes under rules.
-- event_keys is written next to finance_events with a token of its own; it is no materialized view, as a view and its
-- base table are not atomic when the engine is killed.
CREATE TABLE IF NOT EXISTS finance_events (
    Batch UInt64 COMMENT 'Number of the inbox batch that brought it; the cursor of detection' CODEC(Delta, ZSTD(1)),
    EventId String COMMENT 'CloudEvents id; unique within its source' CODEC(ZSTD(1)),
    Source LowCardinality(String) COMMENT 'Who sent it' CODEC(ZSTD(1)),
    Type LowCardinality(String) COMMENT 'Short type, such as bill.posted' CODEC(ZSTD(1)),
    Version UInt16 COMMENT 'Version of the type' CODEC(ZSTD(1)),
    Time DateTime64(9, 'UTC') COMMENT 'When it happened' CODEC(Delta, ZSTD(1)),
    ReceivedAt DateTime64(3, 'UTC') COMMENT 'When we took it' CODEC(Delta, ZSTD(1)),
    Sequence Int64 COMMENT 'Order within the source, where times are equal' CODEC(Delta, ZSTD(1)),
    Company LowCardinality(String) COMMENT 'Company that it concerns' CODEC(ZSTD(1)),
    Subject String COMMENT 'The document it is about' CODEC(ZSTD(1)),
    IngestPath LowCardinality(String) COMMENT 'How it came: cloudevents, odoo, otlp, import' CODEC(ZSTD(1)),
    DocNumber String COMMENT 'Number of the document' CODEC(ZSTD(1)),
    State LowCardinality(String) COMMENT 'State of the document behind the event' CODEC(ZSTD(1)),
    Period LowCardinality(String) COMMENT 'Fiscal period, such as 2026-05' CODEC(ZSTD(1)),
    PartyKey String COMMENT 'Customer or vendor, as a key' CODEC(ZSTD(1)),
    AmountText String COMMENT 'Amount as it was sent, decimal text' CODEC(ZSTD(1)),
    Amount Nullable(Decimal(38, 18)) COMMENT 'The same for sums; null when there is none' CODEC(ZSTD(1)),
    Currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount' CODEC(ZSTD(1)),
    CompanyAmountText String COMMENT 'Amount in the currency of the company, decimal text' CODEC(ZSTD(1)),
    CompanyAmount Nullable(Decimal(38, 18)) COMMENT 'The same for sums' CODEC(ZSTD(1)),
    CompanyCurrency LowCardinality(String) COMMENT 'ISO 4217 code of the currency of the company' CODEC(ZSTD(1)),
    ActorId String COMMENT 'Who did it' CODEC(ZSTD(1)),
    ActorKind LowCardinality(String) COMMENT 'human, service or model' CODEC(ZSTD(1)),
    TraceId String COMMENT 'Trace id of the work that made it' CODEC(ZSTD(1)),
    SpanId String COMMENT 'Span id of the work that made it' CODEC(ZSTD(1)),
    CorrelationId String COMMENT 'Correlation id of the sender' CODEC(ZSTD(1)),
    Flow LowCardinality(String) COMMENT 'Catalogued integration' CODEC(ZSTD(1)),
    KeyTypes Array(LowCardinality(String)) COMMENT 'Types of its keys, in the order of KeyValues' CODEC(ZSTD(1)),
    KeyValues Array(String) COMMENT 'Values of its keys as they were sent' CODEC(ZSTD(1)),
    JoinKeys Array(String) COMMENT 'Its keys normalised, as in event_keys.JoinKey' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Further attributes' CODEC(ZSTD(1)),
    Data String COMMENT 'Payload, JSON' CODEC(ZSTD(1)),
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1,
    INDEX idx_time Time TYPE minmax GRANULARITY 1,
    INDEX idx_event_id EventId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_type Type TYPE set(100) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(ReceivedAt)
ORDER BY (Company, Source, Subject, Time, Sequence, EventId)
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS event_keys (
    JoinKey String COMMENT 'Normalised key: type, company, value' CODEC(ZSTD(1)),
    Company LowCardinality(String) COMMENT 'Company of the event' CODEC(ZSTD(1)),
    Source LowCardinality(String) COMMENT 'Source of the event' CODEC(ZSTD(1)),
    Type LowCardinality(String) COMMENT 'Short type of the event' CODEC(ZSTD(1)),
    Time DateTime64(9, 'UTC') COMMENT 'When it happened' CODEC(Delta, ZSTD(1)),
    Batch UInt64 COMMENT 'Batch of the event' CODEC(Delta, ZSTD(1)),
    EventId String COMMENT 'Id of the event' CODEC(ZSTD(1)),
    Subject String COMMENT 'The document it is about' CODEC(ZSTD(1)),
    KeyType LowCardinality(String) COMMENT 'Type of the key' CODEC(ZSTD(1)),
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY tuple()
ORDER BY (JoinKey, Time, EventId)
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS incident_events (
    Seq UInt64 COMMENT 'Order of the changes' CODEC(Delta, ZSTD(1)),
    At DateTime64(6, 'UTC') COMMENT 'When it changed' CODEC(Delta, ZSTD(1)),
    Entity LowCardinality(String) COMMENT 'obligation, exception, incident, assessment, watermark, control_run, ack …' CODEC(ZSTD(1)),
    EntityId String COMMENT 'Id of what changed' CODEC(ZSTD(1)),
    Company LowCardinality(String) COMMENT 'Company that it concerns' CODEC(ZSTD(1)),
    Change LowCardinality(String) COMMENT 'What happened to it' CODEC(ZSTD(1)),
    Rule LowCardinality(String) COMMENT 'Rule that it comes from' CODEC(ZSTD(1)),
    State LowCardinality(String) COMMENT 'State behind the change' CODEC(ZSTD(1)),
    Severity LowCardinality(String) COMMENT 'Severity behind the change' CODEC(ZSTD(1)),
    AmountText String COMMENT 'Amount at stake, decimal text' CODEC(ZSTD(1)),
    Currency LowCardinality(String) COMMENT 'ISO 4217 code of the amount' CODEC(ZSTD(1)),
    Actor String COMMENT 'Who changed it' CODEC(ZSTD(1)),
    Data String COMMENT 'All of it behind the change, JSON' CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Entity, EntityId, At, Seq)
SETTINGS index_granularity = 8192, non_replicated_deduplication_window = 10000
