-- Which versions of which service were seen, and when: what was deployed before a fault.
CREATE TABLE IF NOT EXISTS service_versions (
    Service LowCardinality(String) COMMENT 'service.name',
    Version String COMMENT 'service.version, at most 64 characters' CODEC(ZSTD(1)),
    FirstSeen SimpleAggregateFunction(min, DateTime64(9)) COMMENT 'Start of its first span' CODEC(ZSTD(1)),
    LastSeen SimpleAggregateFunction(max, DateTime64(9)) COMMENT 'Start of its last span' CODEC(ZSTD(1))
) ENGINE = AggregatingMergeTree
ORDER BY (Service, Version)
TTL toDateTime(LastSeen) + toIntervalDay(400);
--;
CREATE MATERIALIZED VIEW IF NOT EXISTS service_versions_mv TO service_versions AS
SELECT ServiceName AS Service, ResourceAttributes['service.version'] AS Version, min(Timestamp) AS FirstSeen, max(Timestamp) AS LastSeen
FROM otel_traces
WHERE Version != '' AND length(Version) <= 64
GROUP BY Service, Version;
