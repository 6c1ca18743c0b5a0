-- Checks the partitions of replay.sql at chosen times, and leaves nothing behind. `.ci/postgres` gives this file to psql.
BEGIN;
DO $$
DECLARE
    minute CONSTANT bigint := floor(extract(epoch FROM now()))::bigint / 60 * 60;
    partition CONSTANT text := 'used_signatures_' || minute;
    inserted bigint;
BEGIN
    PERFORM keep_used_signatures_at(minute);
    INSERT INTO used_signatures VALUES (minute + 59, 'key');

    -- The last signature of the minute is fresh for 60 s, and clocks may differ by 60 s.
    PERFORM keep_used_signatures_at(minute + 59 + 60 + 60);
    INSERT INTO used_signatures VALUES (minute + 59, 'key') ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS inserted = ROW_COUNT;
    ASSERT inserted = 0, 'a partition was dropped too early';
    PERFORM keep_used_signatures_at(minute + 60 + 60 + 60 + 1);
    ASSERT to_regclass(partition) IS NULL, 'a partition with stale signatures only was not dropped';

    -- The clock of the server was wrong, and is set back.
    PERFORM keep_used_signatures_at(minute);
    ASSERT to_regclass(partition) IS NULL, 'a partition was made again, empty';
    BEGIN
        INSERT INTO used_signatures VALUES (minute + 59, 'key');
        ASSERT false, 'a signature was accepted whose partition was dropped';
    EXCEPTION WHEN check_violation THEN NULL;
    END;

    -- Nobody makes partitions any more.
    INSERT INTO used_signatures VALUES (minute + 600 + 60 + 59, 'key');
    BEGIN
        INSERT INTO used_signatures VALUES (minute + 1200, 'key');
        ASSERT false, 'a signature was accepted that has no partition';
    EXCEPTION WHEN check_violation THEN NULL;
    END;
END
$$;
ROLLBACK;

-- The host can do nothing else than insert.
SET ROLE guard;
INSERT INTO used_signatures VALUES (extract(epoch FROM now()), 'key') ON CONFLICT DO NOTHING;
DO $$
DECLARE
    forbidden text;
BEGIN
    FOREACH forbidden IN ARRAY ARRAY['SELECT FROM used_signatures', 'DELETE FROM used_signatures', 'TRUNCATE used_signatures',
        'UPDATE used_signatures SET created = 0', 'SELECT keep_used_signatures_at(0)', 'SELECT FROM consumers']
    LOOP
        BEGIN
            EXECUTE forbidden;
            ASSERT false, 'the host may ' || forbidden;
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
    END LOOP;
    PERFORM keep_used_signatures();
END
$$;
RESET ROLE;
\echo 'replay.sql: each check holds'
