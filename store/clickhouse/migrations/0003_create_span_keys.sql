-- The correlation keys of spans, as event_keys has those of events: by them a document finds its spans, and a span its
-- documents. Written beside otel_traces with a token of its own, before their sender is answered.
CREATE TABLE IF NOT EXISTS span_keys (
    JoinKey String COMMENT 'Normalised key: type, company, value' CODEC(ZSTD(1)),
    KeyType LowCardinality(String) COMMENT 'Type of the key' CODEC(ZSTD(1)),
    Company LowCardinality(String) COMMENT 'Company of the span; empty when it names none' CODEC(ZSTD(1)),
    Timestamp DateTime64(9) COMMENT 'Start of the span' CODEC(Delta, ZSTD(1)),
    TraceId String COMMENT 'Trace id, 32 lower-case hex digits' CODEC(ZSTD(1)),
    SpanId String COMMENT 'Span id, 16 lower-case hex digits' CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toYYYYMM(Timestamp)
ORDER BY (JoinKey, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
