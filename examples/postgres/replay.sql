-- The signatures that were used, for hosts that share a replay guard. `run` gives this file to psql after schema.sql.

-- A partition has the signatures of one minute, and is dropped as a whole: no row is ever deleted.
CREATE TABLE used_signatures (
    -- When the signature was made, in seconds since 1970. This stands in the signature, so that each host looks into the
    -- same partition, whatever its clock says.
    created bigint NOT NULL,
    -- A hash: a reader of this table or of a backup cannot replay the signature.
    key bytea NOT NULL,
    PRIMARY KEY (created, key)
) PARTITION BY RANGE (created);
-- There is no default partition. If nobody makes partitions any more, an insertion fails, and the host refuses the request.

-- No partition is made for an earlier time: there may have been one, and it was dropped.
CREATE TABLE used_signatures_horizon (dropped_before bigint NOT NULL);
INSERT INTO used_signatures_horizon VALUES (0);

-- Makes partitions for ten minutes ahead, and drops those with stale signatures only. `present` is in seconds since 1970.
CREATE FUNCTION keep_used_signatures_at(present bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    -- The hosts' `max_time_diff`.
    max_time_diff CONSTANT bigint := 60;
    -- How wrong the clocks of the hosts and of this server may be, together.
    margin CONSTANT bigint := 60;
    minute bigint;
    partition text;
BEGIN
    -- All hosts call this, and one is enough.
    IF NOT pg_try_advisory_xact_lock(hashtext('used_signatures')) THEN RETURN; END IF;

    FOR minute IN
        SELECT m FROM generate_series(present / 60 * 60 - 120, present + 600, 60) AS m, used_signatures_horizon
        WHERE m >= dropped_before
    LOOP
        partition := 'used_signatures_' || minute;
        IF to_regclass(partition) IS NULL THEN
            -- Insertions go on meanwhile: `CREATE TABLE … PARTITION OF` would keep them waiting.
            EXECUTE format('CREATE TABLE %I (LIKE used_signatures INCLUDING ALL)', partition);
            EXECUTE format('ALTER TABLE used_signatures ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                partition, minute, minute + 60);
        END IF;
    END LOOP;

    -- A drop waits for the insertions under way, and new ones wait for the drop. If that takes long, the next call drops.
    BEGIN
        FOR partition, minute IN
            SELECT name, split_part(name, '_', 3)::bigint
            FROM pg_inherits, LATERAL CAST(inhrelid::regclass AS text) AS name
            WHERE inhparent = 'used_signatures'::regclass
        LOOP
            IF minute + 60 + max_time_diff + margin < present THEN
                UPDATE used_signatures_horizon SET dropped_before = greatest(dropped_before, minute + 60);
                EXECUTE format('DROP TABLE %I', partition);
            END IF;
        END LOOP;
    EXCEPTION WHEN lock_not_available THEN NULL;
    END;
END
$$;

-- For the hosts, by the clock of this server.
CREATE FUNCTION keep_used_signatures() RETURNS void LANGUAGE sql
    SECURITY DEFINER SET search_path = public, pg_temp SET lock_timeout = '100ms'
    AS $$ SELECT keep_used_signatures_at(floor(extract(epoch FROM clock_timestamp()))::bigint) $$;
DO $$ BEGIN PERFORM keep_used_signatures(); END $$;

-- The host inserts, and cannot read, change or delete what was used.
CREATE ROLE guard LOGIN PASSWORD :'host_password' CONNECTION LIMIT 50;
GRANT INSERT ON used_signatures TO guard;
REVOKE EXECUTE ON FUNCTION keep_used_signatures_at, keep_used_signatures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION keep_used_signatures TO guard;
ALTER ROLE guard SET statement_timeout = '1s';
-- An insertion that is confirmed has to survive a crash.
ALTER ROLE guard SET synchronous_commit = on;
