DROP TABLE IF EXISTS t1c
--;
DROP TABLE IF EXISTS t1
--;
DROP TABLE IF EXISTS t1d
--;
CREATE TABLE t1c AS event_keys ENGINE = MergeTree PARTITION BY tuple() ORDER BY (JoinKey, Time, EventId) SETTINGS index_granularity = 8192, min_compress_block_size=4096, max_compress_block_size=16384
--;
ALTER TABLE t1c MODIFY COLUMN JoinKey String CODEC(LZ4)
--;
CREATE TABLE t1d AS event_keys ENGINE = MergeTree PARTITION BY tuple() ORDER BY (JoinKey, Time, EventId) SETTINGS index_granularity = 512, min_compress_block_size=8192, max_compress_block_size=32768
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 0 AND Batch <= 5 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 0 AND Batch <= 5 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 5 AND Batch <= 10 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 5 AND Batch <= 10 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 10 AND Batch <= 15 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 10 AND Batch <= 15 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 15 AND Batch <= 20 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 15 AND Batch <= 20 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 20 AND Batch <= 25 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 20 AND Batch <= 25 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 25 AND Batch <= 30 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 25 AND Batch <= 30 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 30 AND Batch <= 35 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 30 AND Batch <= 35 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 35 AND Batch <= 40 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 35 AND Batch <= 40 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 40 AND Batch <= 45 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 40 AND Batch <= 45 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1c SELECT * FROM event_keys WHERE Batch > 45 AND Batch <= 50 SETTINGS max_memory_usage=800000000
--;
INSERT INTO t1d SELECT * FROM event_keys WHERE Batch > 45 AND Batch <= 50 SETTINGS max_memory_usage=800000000
--;
