-- What became of an event, and taking it through once more.

-- Is a row pending or stored? Its batch says so, and no row is written a second time for it. Its own state says dead: set
-- aside, because ClickHouse refuses it. One that was sent to ClickHouse and to detection again by a person has the batch
-- of that too, and is replayed when that one is stored.
ALTER TABLE closewatch.inbox ADD COLUMN replay_batch bigint REFERENCES closewatch.batches;
CREATE INDEX inbox_replays ON closewatch.inbox (replay_batch) WHERE replay_batch IS NOT NULL;
CREATE INDEX inbox_dead ON closewatch.inbox (batch) WHERE state = 'dead';

-- critical: holds an event of the kinds that go first. apart: ClickHouse refused it as a whole, and it is stored in parts.
ALTER TABLE closewatch.batches DROP CONSTRAINT batches_kind_check;
ALTER TABLE closewatch.batches ADD CONSTRAINT batches_kind_check CHECK (kind IN ('inbox', 'import', 'replay'));
ALTER TABLE closewatch.batches ADD COLUMN critical boolean NOT NULL DEFAULT false;
ALTER TABLE closewatch.batches ADD COLUMN apart boolean NOT NULL DEFAULT false;
CREATE INDEX batches_to_forward ON closewatch.batches (critical DESC, batch) WHERE state = 'pending';

-- A letter can be judged again when its body is whole.
ALTER TABLE closewatch.dead_letters ADD COLUMN event_type text;
ALTER TABLE closewatch.dead_letters ADD COLUMN cut boolean NOT NULL DEFAULT false;
ALTER TABLE closewatch.dead_letters ADD COLUMN tried integer NOT NULL DEFAULT 0;
ALTER TABLE closewatch.dead_letters ADD COLUMN tried_at timestamptz;
UPDATE closewatch.dead_letters SET cut = true WHERE octet_length(body) > 65532;
