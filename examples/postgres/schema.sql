-- Consumers of one host and their secrets. `run` gives this file to psql, with the password of the host.

-- One row for each key id. Several key ids with one name are one consumer: quotas count by the name.
CREATE TABLE consumers (
    -- What the host looks for, byte by byte. A longer key id never reaches a directory.
    key_id text COLLATE "C" PRIMARY KEY
        CHECK (key_id ~ '^[ -~]*$' AND octet_length(key_id) BETWEEN 1 AND 256),
    name text NOT NULL,
    -- What the application wants to know: the host attaches both to the proof.
    tenant bigint NOT NULL,
    scopes text[] NOT NULL DEFAULT '{}',
    -- A revoked consumer keeps its row: the operator reads `revoked` in the log, and nobody else gets the key id.
    revoked_at timestamptz
);

-- The newest secret of a key id is the current one. The host accepts up to three older ones.
CREATE TABLE secrets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_id text COLLATE "C" NOT NULL REFERENCES consumers ON DELETE CASCADE,
    -- HMAC needs the secret itself, so a hash of it is of no use here. The secret is sealed with a key that only the
    -- host and its operator hold, together with the key id:
    --   * A reader of this table or of a backup learns no secret.
    --   * A writer cannot make a secret up, or give one consumer the secret of another.
    --   * A writer can still lock a consumer out, let a revoked one in, change `name`, `tenant` and `scopes`, and put
    --     back a secret that was deleted. So writing is for the operator alone.
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON secrets (key_id, id DESC);

-- The host reads, and never writes.
CREATE ROLE host LOGIN PASSWORD :'host_password' CONNECTION LIMIT 20;
GRANT SELECT ON consumers, secrets TO host;
ALTER ROLE host SET statement_timeout = '1s';
ALTER ROLE host SET default_transaction_read_only = on;

-- After each commit, the hosts that listen hear which key ids have changed.
CREATE FUNCTION consumer_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN PERFORM pg_notify('consumer_changed', OLD.key_id); END IF;
    IF TG_OP <> 'DELETE' THEN PERFORM pg_notify('consumer_changed', NEW.key_id); END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER consumer_changed AFTER INSERT OR UPDATE OR DELETE ON consumers
    FOR EACH ROW EXECUTE FUNCTION consumer_changed();
CREATE TRIGGER consumer_changed AFTER INSERT OR UPDATE OR DELETE ON secrets
    FOR EACH ROW EXECUTE FUNCTION consumer_changed();
