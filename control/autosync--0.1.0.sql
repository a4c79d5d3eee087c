\echo Use "CREATE EXTENSION autosync" to load this file. \quit

-- ---------------------------------------------------------------------------------------------------------------------
-- Tables. All have the instance's id in their primary key, so that a subscriber to FOR ALL TABLES never mixes two
-- installations. None is dumped: logs and cursors belong to the running installation. Nothing is granted to anybody.
-- ---------------------------------------------------------------------------------------------------------------------

CREATE TABLE autosync.instance (
    id                int8 NOT NULL PRIMARY KEY,
    system_identifier int8 NOT NULL,
    database          oid NOT NULL,
    name              text NOT NULL,
    adopted_at        timestamptz NOT NULL
);
COMMENT ON TABLE autosync.instance IS 'Which cluster, database and installation (autosync.instance_id) this database delivers for: a copy does not match and does not deliver until adopt_database().';

CREATE TABLE autosync.clock (
    instance int8 NOT NULL PRIMARY KEY,
    reserved int8 NOT NULL
);
COMMENT ON TABLE autosync.clock IS 'Versions (microseconds of a hybrid logical clock) up to this one may have been used.';

CREATE TABLE autosync.log_0 (
    instance int8 NOT NULL,
    xid      xid8 NOT NULL,
    seq      int4 NOT NULL,
    data     bytea NOT NULL,
    PRIMARY KEY (instance, xid, seq)
) WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
ALTER TABLE autosync.log_0 ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE autosync.log_0 IS 'The outbox, one of three logs that take turns: packed keys of changed rows per transaction (top-level xid), truncated in place when all targets have passed.';
CREATE TABLE autosync.log_1 (LIKE autosync.log_0 INCLUDING ALL) WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
COMMENT ON TABLE autosync.log_1 IS 'The outbox, see log_0.';
CREATE TABLE autosync.log_2 (LIKE autosync.log_0 INCLUDING ALL) WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
COMMENT ON TABLE autosync.log_2 IS 'The outbox, see log_0.';

CREATE TABLE autosync.cursor_0 (
    instance     int8 NOT NULL,
    target       name NOT NULL,
    source       oid NOT NULL,
    seq          int8 NOT NULL,
    passed       pg_snapshot NOT NULL,
    upto         pg_snapshot,
    position_xid xid8,
    position_seq int4,
    reason       text,
    noted_at     timestamptz NOT NULL,
    PRIMARY KEY (instance, target, source, seq)
) WITH (autovacuum_enabled = off);
COMMENT ON TABLE autosync.cursor_0 IS 'How far each target has read the outbox, one record appended per round; the highest seq counts. source 0: all tables but those with a cursor of their own. passed: what is delivered; upto and position: how far the next stretch is.';
CREATE TABLE autosync.cursor_1 (LIKE autosync.cursor_0 INCLUDING ALL) WITH (autovacuum_enabled = off);
COMMENT ON TABLE autosync.cursor_1 IS 'See cursor_0: the two take turns and are truncated in place.';

CREATE TABLE autosync.exceptions (
    instance        int8 NOT NULL,
    target          name NOT NULL,
    source          oid NOT NULL,
    key             text NOT NULL,
    event_id        text NOT NULL,
    operation       text NOT NULL,
    verb            text,
    status          text NOT NULL CHECK (status IN ('PENDING', 'RETRYING', 'FAILED', 'DISCARDED')),
    attempts        int4 NOT NULL,
    last_error      text,
    request         text,
    answer          text,
    correlation_id  text,
    origin          text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    next_attempt_at timestamptz,
    PRIMARY KEY (instance, target, source, key)
);
CREATE INDEX exceptions_due ON autosync.exceptions (instance, target, next_attempt_at) WHERE status IN ('PENDING', 'RETRYING');
COMMENT ON TABLE autosync.exceptions IS 'One row per entity and target in trouble, or marked by hand: its next attempt reads the row of the source again. FAILED rows are the dead letters.';

CREATE TABLE autosync.jobs (
    instance     int8 NOT NULL,
    target       name NOT NULL,
    source       oid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('backfill', 'sweep', 'purge')),
    where_clause text,
    options      jsonb,
    "position"   text,
    total        int8,
    done         int8 NOT NULL DEFAULT 0,
    reason       text NOT NULL,
    requested_by name NOT NULL,
    requested_at timestamptz NOT NULL,
    started_at   timestamptz,
    updated_at   timestamptz,
    PRIMARY KEY (instance, target, source, kind)
);
COMMENT ON TABLE autosync.jobs IS 'Long work under way: backfill (deliver the rows that exist), sweep (look again at what the target holds), purge (remove what the target holds). position: where it goes on.';

CREATE TABLE autosync.sync_state (
    instance  int8 NOT NULL,
    target    name NOT NULL,
    source    oid NOT NULL,
    signature text,
    prepared  text,
    PRIMARY KEY (instance, target, source)
);
COMMENT ON TABLE autosync.sync_state IS 'Per sync: the signature of the table (files, columns, partitions) that was last seen, and the declaration for which the target was prepared.';

CREATE TABLE autosync.target_state (
    instance  int8 NOT NULL,
    target    name NOT NULL,
    paused    bool NOT NULL DEFAULT false,
    paused_at timestamptz,
    PRIMARY KEY (instance, target)
);
COMMENT ON TABLE autosync.target_state IS 'Per target: whether it is paused.';

CREATE TABLE autosync.sent (
    sent_id   bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    target    name NOT NULL,
    source    text NOT NULL,
    key       text NOT NULL,
    operation text NOT NULL,
    document  jsonb,
    version   int8 NOT NULL,
    sent_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    instance  int8 NOT NULL,
    PRIMARY KEY (instance, sent_id)
);
CREATE INDEX sent_latest ON autosync.sent (target, source, key, sent_id);
COMMENT ON TABLE autosync.sent IS 'What targets of the wrapper autosync_test received, in order. operation: upsert or remove; document: the columns sent, NULL when removed; version: rises with every round.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Capture
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION autosync.capture() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_capture';
COMMENT ON FUNCTION autosync.capture() IS 'The trigger function that declares a sync: arguments are the target''s name and options as ''name=value''. Notes the key of each changed row in the outbox, inside the same transaction.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Declaration (wrappers, validators, add_…)
-- ---------------------------------------------------------------------------------------------------------------------

-- ---------------------------------------------------------------------------------------------------------------------
-- Operation (views, states, retry, pause, …)
-- ---------------------------------------------------------------------------------------------------------------------

GRANT USAGE ON SCHEMA autosync TO PUBLIC;
