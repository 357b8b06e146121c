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
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (JoinKey, Timestamp)
SETTINGS index_granularity = 1024, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
-- A case reads a handful of documents, which lie far apart.
ALTER TABLE finance_events ADD INDEX IF NOT EXISTS idx_subject Subject TYPE bloom_filter(0.01) GRANULARITY 1
--;
ALTER TABLE finance_events MATERIALIZE INDEX idx_subject
