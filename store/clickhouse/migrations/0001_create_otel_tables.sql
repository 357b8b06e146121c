-- The tables of the OpenTelemetry Collector's ClickHouse exporter (opentelemetry-collector-contrib,
-- exporter/clickhouseexporter/internal/sqltemplates): names, types, codecs, indexes and sorting as released, so that
-- the stock Collector can write them and Grafana and HyperDX can read them. Compatible extensions: the window of
-- insert de-duplication on every table, the alias TimestampTime that Grafana's plug-in asks for, no TTL.
-- A line that ends in `--@ since V` or `--@ before V` counts only on a ClickHouse of that version.
CREATE TABLE IF NOT EXISTS otel_traces (
    Timestamp DateTime64(9) COMMENT 'Start of the span' CODEC(Delta, ZSTD(1)),
    TraceId String COMMENT 'Trace id, 32 lower-case hex digits' CODEC(ZSTD(1)),
    SpanId String COMMENT 'Span id, 16 lower-case hex digits' CODEC(ZSTD(1)),
    ParentSpanId String COMMENT 'Span id of the parent; empty for a root' CODEC(ZSTD(1)),
    TraceState String COMMENT 'W3C trace state' CODEC(ZSTD(1)),
    SpanName LowCardinality(String) COMMENT 'Name of the operation' CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) COMMENT 'Unspecified, Internal, Server, Client, Producer or Consumer' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the span' CODEC(ZSTD(1)),
    Duration UInt64 COMMENT 'End minus start, nanoseconds' CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) COMMENT 'Unset, Ok or Error' CODEC(ZSTD(1)),
    StatusMessage String COMMENT 'Text of the status' CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) COMMENT 'What happened during the span' CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) COMMENT 'Other spans that belong to it' CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts (
    TraceId String COMMENT 'Trace id' CODEC(ZSTD(1)),
    Start DateTime COMMENT 'First span of one insert block; a trace may have several rows: take the min' CODEC(Delta, ZSTD(1)),
    End DateTime COMMENT 'Last span of one insert block; take the max' CODEC(Delta, ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv TO otel_traces_trace_id_ts AS
SELECT TraceId, min(Timestamp) AS Start, max(Timestamp) AS End
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId
--;
CREATE TABLE IF NOT EXISTS otel_logs (
    Timestamp DateTime64(9) COMMENT 'When it happened; when it was observed if that is unknown' CODEC(Delta(8), ZSTD(1)),
    TraceId String COMMENT 'Trace id, 32 lower-case hex digits, or empty' CODEC(ZSTD(1)),
    SpanId String COMMENT 'Span id, 16 lower-case hex digits, or empty' CODEC(ZSTD(1)),
    TraceFlags UInt8 COMMENT 'W3C trace flags',
    SeverityText LowCardinality(String) COMMENT 'Severity as the source words it' CODEC(ZSTD(1)),
    SeverityNumber UInt8 COMMENT '1 to 24; 9 info, 13 warn, 17 error, 21 fatal',
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    Body String COMMENT 'The message' CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the record' CODEC(ZSTD(1)),
    EventName String COMMENT 'Name of the event, when the record is one' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.cluster.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.cluster.name'] COMMENT 'Resource attribute k8s.cluster.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.container.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.container.name'] COMMENT 'Resource attribute k8s.container.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.deployment.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.deployment.name'] COMMENT 'Resource attribute k8s.deployment.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.namespace.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.namespace.name'] COMMENT 'Resource attribute k8s.namespace.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.node.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.node.name'] COMMENT 'Resource attribute k8s.node.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.pod.name` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.pod.name'] COMMENT 'Resource attribute k8s.pod.name' CODEC(ZSTD(1)),
    `__otel_materialized_k8s.pod.uid` LowCardinality(String) MATERIALIZED ResourceAttributes['k8s.pod.uid'] COMMENT 'Resource attribute k8s.pod.uid' CODEC(ZSTD(1)),
    `__otel_materialized_deployment.environment.name` LowCardinality(String) MATERIALIZED ResourceAttributes['deployment.environment.name'] COMMENT 'Resource attribute deployment.environment.name' CODEC(ZSTD(1)),
    TimestampTime DateTime ALIAS toDateTime(Timestamp) COMMENT 'For readers of the schema before v0.151',
    INDEX idx_trace_id TraceId TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1, --@ before 26.2
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE text(tokenizer = 'array'), --@ since 26.2
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1, --@ before 26.2
    INDEX idx_lower_body lower(Body) TYPE text(tokenizer = 'splitByNonAlpha') --@ since 26.2
    INDEX idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8 --@ before 26.2
) ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_metrics_gauge (
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ResourceSchemaUrl String COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Attributes of the scope that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl String COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'Name of the metric' CODEC(ZSTD(1)),
    MetricDescription String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit String COMMENT 'UCUM unit' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Attributes of the data point' CODEC(ZSTD(1)),
    StartTimeUnix DateTime COMMENT 'Start of the interval' CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime COMMENT 'Time of the data point' CODEC(Delta, ZSTD(1)),
    Value Float64 COMMENT 'Value of the data point' CODEC(ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of the data point' CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) COMMENT 'Sample measurements with their trace' CODEC(ZSTD(1)),
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_metrics_sum (
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ResourceSchemaUrl String COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Attributes of the scope that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl String COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'Name of the metric' CODEC(ZSTD(1)),
    MetricDescription String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit String COMMENT 'UCUM unit' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Attributes of the data point' CODEC(ZSTD(1)),
    StartTimeUnix DateTime COMMENT 'Start of the interval' CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime COMMENT 'Time of the data point' CODEC(Delta, ZSTD(1)),
    Value Float64 COMMENT 'Value of the data point' CODEC(ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of the data point' CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) COMMENT 'Sample measurements with their trace' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '0 unspecified, 1 delta, 2 cumulative' CODEC(ZSTD(1)),
    IsMonotonic Boolean COMMENT 'Whether it only grows' CODEC(Delta, ZSTD(1)),
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_metrics_histogram (
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ResourceSchemaUrl String COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Attributes of the scope that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl String COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'Name of the metric' CODEC(ZSTD(1)),
    MetricDescription String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit String COMMENT 'UCUM unit' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Attributes of the data point' CODEC(ZSTD(1)),
    StartTimeUnix DateTime COMMENT 'Start of the interval' CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime COMMENT 'Time of the data point' CODEC(Delta, ZSTD(1)),
    Count UInt64 COMMENT 'Number of measurements' CODEC(Delta, ZSTD(1)),
    Sum Float64 COMMENT 'Sum of measurements' CODEC(ZSTD(1)),
    BucketCounts Array(UInt64) COMMENT 'Measurements by bucket' CODEC(ZSTD(1)),
    ExplicitBounds Array(Float64) COMMENT 'Upper bounds of the buckets' CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) COMMENT 'Sample measurements with their trace' CODEC(ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of the data point' CODEC(ZSTD(1)),
    Min Float64 COMMENT 'Smallest measurement' CODEC(ZSTD(1)),
    Max Float64 COMMENT 'Largest measurement' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '0 unspecified, 1 delta, 2 cumulative' CODEC(ZSTD(1)),
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_metrics_exp_histogram (
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ResourceSchemaUrl String COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Attributes of the scope that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl String COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'Name of the metric' CODEC(ZSTD(1)),
    MetricDescription String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit String COMMENT 'UCUM unit' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Attributes of the data point' CODEC(ZSTD(1)),
    StartTimeUnix DateTime COMMENT 'Start of the interval' CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime COMMENT 'Time of the data point' CODEC(Delta, ZSTD(1)),
    Count UInt64 COMMENT 'Number of measurements' CODEC(Delta, ZSTD(1)),
    Sum Float64 COMMENT 'Sum of measurements' CODEC(ZSTD(1)),
    Scale Int32 COMMENT 'Scale of the buckets' CODEC(ZSTD(1)),
    ZeroCount UInt64 COMMENT 'Measurements that are zero' CODEC(ZSTD(1)),
    PositiveOffset Int32 COMMENT 'Offset of the positive buckets' CODEC(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) COMMENT 'Positive measurements by bucket' CODEC(ZSTD(1)),
    NegativeOffset Int32 COMMENT 'Offset of the negative buckets' CODEC(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) COMMENT 'Negative measurements by bucket' CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) COMMENT 'Sample measurements with their trace' CODEC(ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of the data point' CODEC(ZSTD(1)),
    Min Float64 COMMENT 'Smallest measurement' CODEC(ZSTD(1)),
    Max Float64 COMMENT 'Largest measurement' CODEC(ZSTD(1)),
    AggregationTemporality Int32 COMMENT '0 unspecified, 1 delta, 2 cumulative' CODEC(ZSTD(1)),
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
--;
CREATE TABLE IF NOT EXISTS otel_metrics_summary (
    ResourceAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the resource that sent it' CODEC(ZSTD(1)),
    ResourceSchemaUrl String COMMENT 'Schema of the resource' CODEC(ZSTD(1)),
    ScopeName String COMMENT 'Instrumentation scope' CODEC(ZSTD(1)),
    ScopeVersion String COMMENT 'Version of the instrumentation scope' CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) COMMENT 'Attributes of the scope' CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 COMMENT 'Attributes of the scope that were dropped' CODEC(ZSTD(1)),
    ScopeSchemaUrl String COMMENT 'Schema of the scope' CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) COMMENT 'Resource attribute service.name' CODEC(ZSTD(1)),
    MetricName LowCardinality(String) COMMENT 'Name of the metric' CODEC(ZSTD(1)),
    MetricDescription String COMMENT 'What it measures' CODEC(ZSTD(1)),
    MetricUnit String COMMENT 'UCUM unit' CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) COMMENT 'Attributes of the data point' CODEC(ZSTD(1)),
    StartTimeUnix DateTime COMMENT 'Start of the interval' CODEC(Delta, ZSTD(1)),
    TimeUnix DateTime COMMENT 'Time of the data point' CODEC(Delta, ZSTD(1)),
    Count UInt64 COMMENT 'Number of measurements' CODEC(Delta, ZSTD(1)),
    Sum Float64 COMMENT 'Sum of measurements' CODEC(ZSTD(1)),
    ValueAtQuantiles Nested (
        Quantile Float64,
        Value Float64
    ) COMMENT 'Values at quantiles' CODEC(ZSTD(1)),
    Flags UInt32 COMMENT 'Flags of the data point' CODEC(ZSTD(1)),
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_key mapKeys(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_scope_attr_value mapValues(ScopeAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time_minmax TimeUnix TYPE minmax GRANULARITY 1
) ENGINE = MergeTree
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, non_replicated_deduplication_window = 10000
