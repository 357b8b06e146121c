-- Heads of the audit chain of PostgreSQL, noted outside of it.
CREATE TABLE IF NOT EXISTS audit_anchors (
    Seq UInt64 COMMENT 'Number of the row',
    Hash String COMMENT 'Hash of the row, lower-case hex',
    At DateTime64(3, 'UTC') COMMENT 'When it was noted'
) ENGINE = MergeTree
ORDER BY Seq
SETTINGS non_replicated_deduplication_window = 10000;
