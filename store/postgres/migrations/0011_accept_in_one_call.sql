-- An open batch of the inbox: acceptances add events to it until somebody reads it, who closes it first. So ClickHouse gets
-- as few batches as it can keep up with, however many transactions there are. characters: of the JSON of its events.
ALTER TABLE closewatch.batches ADD COLUMN open boolean NOT NULL DEFAULT false;
ALTER TABLE closewatch.batches ADD COLUMN characters bigint NOT NULL DEFAULT 0;
CREATE INDEX batches_open ON closewatch.batches (critical) WHERE open;

-- The turn to take a new batch, until the commit: whoever has seen batch n has seen, or will never see, every smaller one.
CREATE FUNCTION closewatch.lock_batches() RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(1111577667)
$$;

-- The number of the open batch, to which so much is added; of a new one when there is none, or no room in it.
CREATE FUNCTION closewatch.fill_batch(
  of_source text, more_rows integer, more_characters bigint, is_critical boolean, max_rows integer, max_characters bigint
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  filled bigint;
BEGIN
  FOR attempt IN 1..2 LOOP
    UPDATE closewatch.batches AS one
      SET rows = one.rows + more_rows, characters = one.characters + more_characters,
        source = CASE WHEN one.source = of_source THEN one.source ELSE '*' END
      WHERE one.open AND one.critical = is_critical AND one.rows + more_rows <= max_rows
        AND one.characters + more_characters <= max_characters
      RETURNING one.batch INTO filled;
    IF filled IS NOT NULL THEN
      RETURN filled;
    END IF;
    -- Whoever had the turn before may have opened one.
    PERFORM closewatch.lock_batches();
  END LOOP;
  UPDATE closewatch.batches AS one SET open = false WHERE one.open AND one.critical = is_critical;
  INSERT INTO closewatch.batches (kind, source, rows, characters, critical, open)
    VALUES ('inbox', of_source, more_rows, more_characters, is_critical, true)
    RETURNING batch INTO filled;
  RETURN filled;
END
$$;

-- Takes events into the inbox. heads: [{n, source, id, hash, company, type, size, critical, arrivedAt, at}], n from 1, in the
-- order of bodies; at: the event's time, nanoseconds since 1970; arrivedAt null: it says nothing of its source. Returns for
-- each n: accepted, known (the same body was accepted before, or earlier in heads), or conflict (another one was).
CREATE FUNCTION closewatch.accept_events(
  heads json, bodies jsonb, taken_at timestamptz, max_rows integer, max_characters bigint
) RETURNS TABLE (n integer, result text) LANGUAGE plpgsql
-- Plans outlive the days when the tables were small: each event is looked up in an index, whatever there is.
SET enable_seqscan = off AS $$
DECLARE
  fresh integer[];
  added integer[] := '{}';
  of_source text;
  characters bigint;
  is_critical boolean;
  into_batch bigint;
BEGIN
  SELECT array_agg(one.n), CASE WHEN min(one.source) = max(one.source) THEN min(one.source) ELSE '*' END, sum(one.size),
      bool_or(one.critical)
    INTO fresh, of_source, characters, is_critical
    FROM (
      SELECT DISTINCT ON (head.source, head.id) head.*
      FROM json_to_recordset(heads) AS head (n integer, source text, id text, size integer, critical boolean)
      WHERE (SELECT true FROM closewatch.inbox AS old WHERE old.source = head.source AND old.id = head.id) IS NULL
      ORDER BY head.source, head.id, head.n) AS one;
  IF fresh IS NOT NULL THEN
    into_batch := closewatch.fill_batch(
      of_source, cardinality(fresh), characters, is_critical, max_rows, max_characters);
    WITH head AS MATERIALIZED (
      SELECT given.* FROM json_to_recordset(heads)
        AS given (n integer, source text, id text, hash text, company text, type text)
      WHERE given.n = ANY (fresh)
    ), new AS (
      INSERT INTO closewatch.inbox AS kept (source, id, body_hash, body, company, type, batch, received_at)
      SELECT head.source, head.id, head.hash, body.value, head.company, head.type, into_batch, taken_at
      FROM head JOIN jsonb_array_elements(bodies) WITH ORDINALITY AS body (value, n) ON body.n = head.n
      -- In one order, so that two collectors never wait for each other in a circle; of sources below likewise.
      ORDER BY head.source, head.id
      ON CONFLICT (source, id) DO NOTHING
      RETURNING kept.source, kept.id
    ), settled AS (
      -- Their senders have mended them.
      UPDATE closewatch.dead_letters AS letter
        SET state = 'replayed', decided_at = taken_at, decided_reason = 'the event was accepted later'
        WHERE letter.id = ANY (ARRAY(
          SELECT refused.id FROM new, LATERAL (SELECT open.id FROM closewatch.dead_letters AS open
            WHERE open.state = 'open' AND open.source = new.source AND open.event_id = new.id OFFSET 0) AS refused))
    )
    SELECT coalesce(array_agg(head.n), '{}') INTO added
      FROM new JOIN head ON head.source = new.source AND head.id = new.id;
    -- Another collector may have taken some of them meanwhile.
    IF cardinality(added) < cardinality(fresh) THEN
      UPDATE closewatch.batches AS one SET rows = one.rows - cardinality(fresh) + cardinality(added)
        WHERE one.batch = into_batch;
    END IF;
  END IF;
  RETURN QUERY
    WITH answer AS MATERIALIZED (
      SELECT head.n, head.source, head.company, head.type, head.at, head."arrivedAt" AS arrived_at,
        CASE WHEN head.n = ANY (added) THEN 'accepted'
          WHEN head.hash = (SELECT kept.body_hash FROM closewatch.inbox AS kept
            WHERE kept.source = head.source AND kept.id = head.id) THEN 'known'
          ELSE 'conflict' END AS result
      FROM json_to_recordset(heads) AS head (n integer, source text, id text, hash text, company text, type text,
        at bigint, "arrivedAt" timestamptz)
    ), arrival AS (
      INSERT INTO closewatch.sources AS stream
        (source, company, kind, types, last_event_ns, last_arrival_at, events, updated_at)
      SELECT answer.source, answer.company, 'assumed', array_agg(DISTINCT answer.type), max(answer.at),
        max(answer.arrived_at), count(*) FILTER (WHERE answer.result = 'accepted'), taken_at
      FROM answer WHERE answer.result <> 'conflict' AND answer.arrived_at IS NOT NULL
      GROUP BY answer.source, answer.company ORDER BY answer.source, answer.company
      ON CONFLICT (source, company, stream) DO UPDATE SET
        kind = CASE WHEN stream.kind = 'imported' THEN 'assumed' ELSE stream.kind END,
        complete_without_limit = stream.complete_without_limit AND stream.kind <> 'imported',
        types = (SELECT array_agg(DISTINCT type ORDER BY type) FROM unnest(stream.types || excluded.types) AS type),
        last_event_ns = greatest(stream.last_event_ns, excluded.last_event_ns),
        last_arrival_at = greatest(stream.last_arrival_at, excluded.last_arrival_at),
        events = stream.events + excluded.events,
        updated_at = excluded.updated_at
    )
    SELECT answer.n, answer.result FROM answer;
END
$$;
