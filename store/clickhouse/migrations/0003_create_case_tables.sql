-- What the case of a key is read from. A case is a handful of rows that lie far apart: what it costs is decompressing what
-- lies beside them, in every part. So these tables are cut small.

-- The correlation keys of spans, as event_keys has those of events: by them a document finds its spans, and a span its
-- documents. Written beside otel_traces with a token of its own, before their sender is answered.
CREATE TABLE IF NOT EXISTS span_keys (
    JoinKey String COMMENT 'Normalised key: type, company, value' CODEC(ZSTD(1)),
    KeyType LowCardinality(String) COMMENT 'Type of the key' CODEC(ZSTD(1)),
    Company LowCardinality(String) COMMENT 'Company of the span; empty when it names none' CODEC(ZSTD(1)),
    Timestamp DateTime64(9) COMMENT 'Start of the span' CODEC(Delta, ZSTD(1)),
    TraceId String COMMENT 'Trace id, 32 lower-case hex digits' CODEC(ZSTD(1)),
    SpanId String COMMENT 'Span id, 16 lower-case hex digits' CODEC(ZSTD(1)),
    PROJECTION by_trace (SELECT TraceId, SpanId, JoinKey, Company ORDER BY TraceId)
) ENGINE = MergeTree
PARTITION BY toYear(Timestamp)
ORDER BY (JoinKey, Timestamp)
SETTINGS index_granularity = 1024, min_compress_block_size = 16384, ttl_only_drop_parts = 1,
  non_replicated_deduplication_window = 10000
--;
-- The events of a document, by its subject: all of an event but its payload. Written next to finance_events with a token of its own;
-- whoever reads it takes each event once.
CREATE TABLE IF NOT EXISTS document_events (
    Subject String COMMENT 'The document that the event is about' CODEC(LZ4),
    Company LowCardinality(String) COMMENT 'Company of the event' CODEC(LZ4),
    Source LowCardinality(String) COMMENT 'Source of the event' CODEC(LZ4),
    Time DateTime64(9, 'UTC') COMMENT 'When it happened' CODEC(Delta, LZ4),
    Batch UInt64 COMMENT 'Batch of the event' CODEC(Delta, LZ4),
    Event String COMMENT 'The event without its payload, JSON' CODEC(ZSTD(1))
) ENGINE = MergeTree
PARTITION BY tuple()
ORDER BY (Subject, Company, Source, Time)
SETTINGS index_granularity = 128, min_compress_block_size = 4096, non_replicated_deduplication_window = 10000
--;
INSERT INTO document_events SELECT Subject, Company, Source, Time, Batch, toJSONString(CAST(
  (toString(Batch), EventId, Source, Type, Version, toString(toUnixTimestamp64Nano(Time)), toString(toUnixTimestamp64Milli(ReceivedAt)),
    toString(Sequence), Company, Subject, IngestPath, DocNumber, State, Period, PartyKey, AmountText, Currency, CompanyAmountText,
    CompanyCurrency, ActorId, ActorKind, TraceId, SpanId, CorrelationId, Flow, KeyTypes, KeyValues, Attributes),
  'Tuple(batch String, id String, source String, type String, version UInt16, timeNs String, receivedMs String,
    sequence String, company String, subject String, ingestPath String, docNumber String, state String, period String, partyKey String,
    amount String, currency String, companyAmount String, companyCurrency String, actorId String, actorKind String, traceId String,
    spanId String, correlationId String, flow String, keyTypes Array(String), keyValues Array(String), attributes Map(String, String))'))
FROM finance_events
--;
-- event_keys is cut small too, which takes a new table. Killed after any of these statements, all of them may be run again: only
-- then there is no event_keys for a moment, and a key may stand twice, which does no harm.
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
CREATE TABLE IF NOT EXISTS event_keys_small (
    JoinKey String COMMENT 'Normalised key: type, company, value' CODEC(LZ4),
    Company LowCardinality(String) COMMENT 'Company of the event' CODEC(LZ4),
    Source LowCardinality(String) COMMENT 'Source of the event' CODEC(LZ4),
    Type LowCardinality(String) COMMENT 'Short type of the event' CODEC(LZ4),
    Time DateTime64(9, 'UTC') COMMENT 'When it happened' CODEC(Delta, LZ4),
    Batch UInt64 COMMENT 'Batch of the event' CODEC(Delta, ZSTD(1)),
    EventId String COMMENT 'Id of the event' CODEC(ZSTD(1)),
    Subject String COMMENT 'The document it is about' CODEC(LZ4),
    KeyType LowCardinality(String) COMMENT 'Type of the key' CODEC(ZSTD(1)),
    INDEX idx_batch Batch TYPE minmax GRANULARITY 16
) ENGINE = MergeTree
PARTITION BY tuple()
ORDER BY (JoinKey, Time, EventId)
SETTINGS index_granularity = 512, min_compress_block_size = 8192, non_replicated_deduplication_window = 10000
--;
INSERT INTO event_keys_small SELECT * FROM event_keys
--;
DROP TABLE IF EXISTS event_keys SYNC
--;
RENAME TABLE IF EXISTS event_keys_small TO event_keys
