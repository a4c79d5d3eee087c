\echo Use "CREATE EXTENSION autosync" to load this file. \quit

-- Whatever lies in other schemas, names without one mean PostgreSQL's own.
SET LOCAL search_path = pg_catalog, pg_temp;

-- Somebody who has made the schema beforehand could drop what is in it, or have made functions that fit better than ours.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_namespace AS n JOIN pg_roles AS r ON r.oid = n.nspowner
               WHERE n.nspname = 'autosync' AND NOT r.rolsuper AND r.rolname <> current_user) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'schema "autosync" belongs to a role that is no superuser',
            HINT = 'Drop it, or give it to a superuser with ALTER SCHEMA ... OWNER TO ....';
    ELSIF EXISTS (SELECT FROM pg_depend AS d
                  WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = 'autosync'::regnamespace AND d.classid <> 'pg_extension'::regclass) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state', MESSAGE = 'schema "autosync" is not empty',
            HINT = 'Move what it holds into another schema.';
    END IF;
END
$$;

-- What targets get is JSON in UTF-8. An SQL_ASCII database may hold it; rows that do not are parked.
DO $$
BEGIN
    IF pg_catalog.getdatabaseencoding() NOT IN ('UTF8', 'SQL_ASCII') THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'autosync needs a database with encoding UTF8',
            DETAIL = pg_catalog.format('This one has encoding %s.', pg_catalog.getdatabaseencoding()),
            HINT = 'Create a database with ENCODING ''UTF8'' and restore a dump of this one into it.';
    END IF;
END
$$;

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
    -- Entries come in order and are never equal. The instance is last: only for a subscriber, whose log another's may be copied into.
    PRIMARY KEY (xid, seq, instance) WITH (fillfactor = 100, deduplicate_items = off)
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
    did             text,
    status          text NOT NULL CHECK (status IN ('PENDING', 'RETRYING', 'WAITING_AUTH', 'FAILED', 'EXPIRED', 'DISCARDED')),
    attempts        int4 NOT NULL,
    last_error      text,
    request         text,
    answer          text,
    payload         text,
    correlation_id  text,
    origin          text,
    created_at      timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL,
    next_attempt_at timestamptz,
    expires_at      timestamptz,
    parent          oid,
    parent_key      text,
    PRIMARY KEY (instance, target, source, key)
);
CREATE INDEX exceptions_parents ON autosync.exceptions (instance, target, parent, parent_key) WHERE parent IS NOT NULL;
CREATE INDEX exceptions_waiting ON autosync.exceptions (instance, target, did) WHERE status = 'WAITING_AUTH';
CREATE INDEX exceptions_due ON autosync.exceptions (instance, target, next_attempt_at) WHERE status IN ('PENDING', 'RETRYING');
COMMENT ON TABLE autosync.exceptions IS 'One row per entity and target in trouble, or marked by hand: its next attempt reads the row of the source again. FAILED rows are the dead letters. verb confirm: it has arrived, or will by itself, but an unanswered request may still be applied on top of that, so it is delivered once more after a quiet while. parent, parent_key: the row whose record has to be there first.';

CREATE TABLE autosync.behind (
    instance       int8 NOT NULL,
    target         name NOT NULL,
    source         oid NOT NULL,
    key            text NOT NULL,
    event_id       text NOT NULL,
    place          int8 NOT NULL GENERATED ALWAYS AS IDENTITY,
    operation      text NOT NULL,
    payload        text,
    correlation_id text,
    origin         text,
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (instance, target, source, key, event_id)
);
COMMENT ON TABLE autosync.behind IS 'Events of targets that keep history which wait, in the order of place, because an earlier one of their entity is among the exceptions.';

CREATE TABLE autosync.atp_map (
    instance     int8 NOT NULL,
    target       name NOT NULL,
    source       regclass NOT NULL,
    key          text NOT NULL,
    did          text NOT NULL,
    collection   text NOT NULL,
    rkey         text NOT NULL,
    cid          text,
    confirmed    bool NOT NULL,
    kept         bool NOT NULL DEFAULT false,
    former       jsonb NOT NULL DEFAULT '[]',
    sent         jsonb NOT NULL DEFAULT '[]',
    blobs        jsonb NOT NULL DEFAULT '{}',
    refs         jsonb NOT NULL DEFAULT '{}',
    version      int8,
    written      bool NOT NULL DEFAULT true,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (instance, target, source, key)
);
CREATE INDEX atp_map_address ON autosync.atp_map (target, did, collection, rkey);
CREATE INDEX atp_map_blobs ON autosync.atp_map USING gin (blobs);
CREATE INDEX atp_map_unwritten ON autosync.atp_map (instance, target, source) WHERE NOT written;
COMMENT ON TABLE autosync.atp_map IS 'Which record of which repository each row is, chosen before it is first sent. confirmed: nothing was sent since the repository told cid; kept: cid is of what somebody else has made of it; sent: CIDs sent since it was confirmed; blobs: content types, by CID, of what it refers to; refs: the records it refers to; former: addresses where a record may still be, to be removed; written: the row itself knows.';
CREATE TABLE autosync.atp_owners (
    instance int8 NOT NULL,
    target   name NOT NULL,
    source   regclass NOT NULL,
    key      text NOT NULL,
    did      text NOT NULL,
    PRIMARY KEY (instance, target, source, key)
);
COMMENT ON TABLE autosync.atp_owners IS 'Rows that publish_as() has given to another identity than their own.';
-- Which records the rows are cannot be found out again, nor what was decided by hand: these tables alone are dumped.
SELECT pg_catalog.pg_extension_config_dump('autosync.atp_map', '');
SELECT pg_catalog.pg_extension_config_dump('autosync.atp_owners', '');

CREATE TABLE autosync.atp_store (
    instance       int8 NOT NULL,
    target         name NOT NULL,
    did            text NOT NULL,
    handle         text NOT NULL,
    pds            text NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('app_password', 'oauth')),
    access_jwt     text NOT NULL,
    refresh_jwt    text NOT NULL,
    expires_at     timestamptz,
    dpop_key       text,
    dpop_nonce     text,
    token_endpoint text,
    token_nonce    text,
    client_id      text,
    status         text NOT NULL CHECK (status IN ('active', 'expired', 'revoked', 'deactivated', 'taken_down')),
    last_error     text,
    retry_at       timestamptz,
    resolved_at    timestamptz,
    moved_from     text,
    points_left    int4,
    points_until   timestamptz,
    created_by     name NOT NULL,
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    PRIMARY KEY (instance, target, did)
);
REVOKE ALL ON autosync.atp_store FROM PUBLIC;
COMMENT ON TABLE autosync.atp_store IS 'Sessions of identities, with their secrets: for the extension''s owner only, never dumped. See the view atp_sessions. resolved_at: when pds was found from the DID (infinity: it was given); moved_from: where the account was before; points_left, points_until: what is left of the rate limit, for whoever writes after a restart.';

CREATE TABLE autosync.jobs (
    instance     int8 NOT NULL,
    target       name NOT NULL,
    source       oid NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('backfill', 'sweep', 'purge', 'rebuild')),
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
COMMENT ON TABLE autosync.jobs IS 'Long work under way: backfill (deliver the rows that exist), sweep (look again at what the target holds), purge (remove what the target holds), rebuild (fill a new collection beside the old one). position: where it goes on.';

CREATE TABLE autosync.sync_state (
    instance  int8 NOT NULL,
    target    name NOT NULL,
    source    oid NOT NULL,
    signature text,
    problem   text,
    late_since timestamptz,
    PRIMARY KEY (instance, target, source)
);
COMMENT ON TABLE autosync.sync_state IS 'Per sync: the signature of the table (key, files, columns, partitions) that was last seen, why the target could not be prepared for it, and since when it is known to lag behind further than max_lag.';

CREATE UNLOGGED TABLE autosync.crash_mark (since timestamptz PRIMARY KEY);
COMMENT ON TABLE autosync.crash_mark IS 'Empty after a crash, as all unlogged tables are then: what targets hold from those that are synced is looked at again. since: when the worker noticed.';

CREATE UNLOGGED TABLE autosync.rewrites (
    source oid NOT NULL,
    file   oid NOT NULL,
    former oid,
    target name
);
COMMENT ON TABLE autosync.rewrites IS 'New files of synced tables that are no reason to look at all rows again, until the worker knows them: their rows are those of the former file (VACUUM FULL, CLUSTER), or former is NULL: a TRUNCATE that the target hears of by an event. A crash empties it, which costs a backfill.';

CREATE TABLE autosync.token_use (
    instance int8 NOT NULL,
    target   name NOT NULL,
    source   oid NOT NULL,
    day      date NOT NULL,
    tokens   int8 NOT NULL,
    PRIMARY KEY (instance, target, source)
);
COMMENT ON TABLE autosync.token_use IS 'Per sync with the option max_tokens_per_day: tokens embedded on the last day (UTC) on which there were any.';

CREATE TABLE autosync.forgotten (
    instance int8 NOT NULL,
    target   name NOT NULL,
    source   regclass NOT NULL,
    key      text NOT NULL,
    since    timestamptz NOT NULL,
    PRIMARY KEY (instance, target, source, key)
);
COMMENT ON TABLE autosync.forgotten IS 'Entities that forget() has erased: not sent again until publish(). key: SHA-256 of the key, in hexadecimal digits, as a key may tell who it was.';
-- What must not be sent again must not be sent after a restore either.
SELECT pg_catalog.pg_extension_config_dump('autosync.forgotten', '');

CREATE TABLE autosync.history_0 (
    instance       int8 NOT NULL,
    source         oid NOT NULL,
    target         text NOT NULL,
    event_id       text,
    operation      text NOT NULL,
    status         text NOT NULL,
    key            text,
    changed        bytea,
    source_version int8,
    correlation_id text,
    origin         text,
    attempts       int4 NOT NULL,
    last_error     text,
    created_at     timestamptz NOT NULL,
    published_at   timestamptz,
    completed_at   timestamptz NOT NULL,
    payload        text
) WITH (autovacuum_enabled = off);
ALTER TABLE autosync.history_0 REPLICA IDENTITY FULL;
COMMENT ON TABLE autosync.history_0 IS 'Events that are over, one of three tables that take turns: only appended, without an index, emptied in place after autosync.history_retention. changed: bit n-1 is the column with number n.';
CREATE TABLE autosync.history_1 (LIKE autosync.history_0 INCLUDING ALL) WITH (autovacuum_enabled = off);
ALTER TABLE autosync.history_1 REPLICA IDENTITY FULL;
COMMENT ON TABLE autosync.history_1 IS 'Events that are over, see history_0.';
CREATE TABLE autosync.history_2 (LIKE autosync.history_0 INCLUDING ALL) WITH (autovacuum_enabled = off);
ALTER TABLE autosync.history_2 REPLICA IDENTITY FULL;
COMMENT ON TABLE autosync.history_2 IS 'Events that are over, see history_0.';

CREATE TABLE autosync.target_state (
    instance  int8 NOT NULL,
    target    name NOT NULL,
    lane      text NOT NULL DEFAULT '',
    paused    bool NOT NULL DEFAULT false,
    paused_at timestamptz,
    unreachable_since timestamptz,
    PRIMARY KEY (instance, target, lane)
);
COMMENT ON TABLE autosync.target_state IS 'Per target, and per lane of it: whether it is paused, and whether it was told that it cannot be reached.';

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
    event_id       text,
    event_type     text,
    entity_type    text,
    correlation_id text,
    unclear        bool,
    PRIMARY KEY (instance, sent_id)
);
CREATE INDEX sent_latest ON autosync.sent (target, source, key, sent_id);
COMMENT ON TABLE autosync.sent IS 'What targets of the wrapper autosync_test received, in order. operation: upsert or remove, of an event (capture = row) insert, update, delete, truncate or emit; document: the columns sent, NULL when removed, of an event the row as it was committed, or as it was when it was deleted, or what emit() was given; source: empty for what was emitted of an entity type that no table synced there has; version: rises with every round; event_id and the columns behind it: of events, each of which may come more than once, then with the same event_id. unclear: in which order it stands to others of its entity and transaction cannot be told.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Capture
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION autosync.capture() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_capture';
COMMENT ON FUNCTION autosync.capture() IS 'The trigger function that declares a sync: arguments are the target''s name and options as ''name=value''. Notes the key of each changed row in the outbox, inside the same transaction.';

CREATE FUNCTION autosync.refresh() RETURNS trigger LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_refresh';
COMMENT ON FUNCTION autosync.refresh() IS 'The trigger function on tables that an option refresh_on names; its argument is the target''s name. Notes the entities that the changed row names, as it was and as it is. Its triggers are made by add_sync() and alter_sync(), and go when no sync to that target names the table any more.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Declaration (wrappers, validators, add_...)
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION autosync.atproto_validator(options text[], catalog oid) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'autosync_atproto_validator';
COMMENT ON FUNCTION autosync.atproto_validator(text[], oid) IS 'Checks options of servers of autosync_atproto, see neo4j_validator().';
CREATE FOREIGN DATA WRAPPER autosync_atproto VALIDATOR autosync.atproto_validator;
COMMENT ON FOREIGN DATA WRAPPER autosync_atproto IS 'Targets: repositories of the AT Protocol. Server options: url (of a PDS; without it each DID''s own is found), plc_url, pending, pending_ttl, pending_max_attempts, auto_retry and the common ones. Sessions are per DID, see atp_login().';

CREATE FUNCTION autosync.neo4j_validator(options text[], catalog oid) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'autosync_neo4j_validator';
COMMENT ON FUNCTION autosync.neo4j_validator(text[], oid) IS 'Checks options of servers and user mappings of autosync_neo4j. Raises fdw_invalid_option_name (HV00D) for an unknown option, invalid_parameter_value (22023) for a malformed value.';
CREATE FOREIGN DATA WRAPPER autosync_neo4j VALIDATOR autosync.neo4j_validator;
COMMENT ON FOREIGN DATA WRAPPER autosync_neo4j IS 'Targets: Neo4j servers, reached over HTTP. Server options: url, database and the common ones; user mapping: username, password or bearer_token, each also as ..._file.';

CREATE FUNCTION autosync.qdrant_validator(options text[], catalog oid) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'autosync_qdrant_validator';
COMMENT ON FUNCTION autosync.qdrant_validator(text[], oid) IS 'Checks options of servers and user mappings of autosync_qdrant, see neo4j_validator().';
CREATE FOREIGN DATA WRAPPER autosync_qdrant VALIDATOR autosync.qdrant_validator;
COMMENT ON FOREIGN DATA WRAPPER autosync_qdrant IS 'Targets: Qdrant servers, for rows as vectors. Server options: url, embedder (a server of autosync_openai) or embed_url, model, dimensions, distance and the common ones; user mapping: api_key, embed_api_key, each also as ..._file.';

CREATE FUNCTION autosync.openai_validator(options text[], catalog oid) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'autosync_openai_validator';
COMMENT ON FUNCTION autosync.openai_validator(text[], oid) IS 'Checks options of servers and user mappings of autosync_openai, see neo4j_validator().';
CREATE FOREIGN DATA WRAPPER autosync_openai VALIDATOR autosync.openai_validator;
COMMENT ON FOREIGN DATA WRAPPER autosync_openai IS 'OpenAI-compatible APIs that turn texts into vectors, for targets of autosync_qdrant to name in their option embedder; nothing is synced to them. Server options: url, organization, model, max_inputs, max_tokens_per_request; user mapping: api_key or api_key_file.';

CREATE FUNCTION autosync.test_validator(options text[], catalog oid) RETURNS void LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'autosync_test_validator';
COMMENT ON FUNCTION autosync.test_validator(text[], oid) IS 'Checks options of servers of autosync_test, see neo4j_validator().';
CREATE FOREIGN DATA WRAPPER autosync_test VALIDATOR autosync.test_validator;
COMMENT ON FOREIGN DATA WRAPPER autosync_test IS 'Targets without a server of their own: deliveries land in the table autosync.sent, for trying out and for tests. Server option fail: a pattern that makes it refuse.';

CREATE FUNCTION autosync.check_declaration() RETURNS event_trigger LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_check_declaration';
COMMENT ON FUNCTION autosync.check_declaration() IS 'Checks triggers that call autosync.capture() when they are created: their form, target, options, columns, condition and key. Keeps servers that syncs name from being renamed.';
CREATE EVENT TRIGGER autosync_check_declaration ON ddl_command_end
    WHEN TAG IN ('CREATE TRIGGER', 'CREATE SCHEMA', 'CREATE SERVER', 'ALTER SERVER', 'CREATE USER MAPPING', 'ALTER USER MAPPING')
    EXECUTE FUNCTION autosync.check_declaration();
ALTER EVENT TRIGGER autosync_check_declaration ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER autosync_check_declaration IS 'See autosync.check_declaration().';

CREATE FUNCTION autosync.add_target(name name, url text, options jsonb DEFAULT '{}') RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_add_target';
COMMENT ON FUNCTION autosync.add_target(name, text, jsonb) IS 'Declares a target: a foreign server, its user mapping for PUBLIC, and this database as one that delivers; then looks whether the server answers (a WARNING if not). The scheme of the URL names the kind: neo4j://, neo4j+s://, bolt:// or http(s):// for Neo4j, qdrant:// or qdrants:// for Qdrant, atproto:// for a PDS (over TLS, unless it is on this machine; without a host each DID''s own is found), test:// for the embedded kind; openai:// (openai+http:// without TLS) declares an embedding service, which targets of Qdrant name in their option embedder. options: those of the server and of the user mapping. Errors: 42710 the name is taken, 42501 no USAGE on the wrapper, HV00D unknown option, 22023 malformed value.';

CREATE FUNCTION autosync.adopt_database() RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_adopt_database';
COMMENT ON FUNCTION autosync.adopt_database() IS 'This database is not a copy (any more): begin to deliver. For its owner, after CREATE SERVER by hand, a restore, a copy or an upgrade. A database that was never adopted is delivered as a whole. Error: 42501 not the owner of the database.';

CREATE FUNCTION autosync.add_sync(source regclass, target name, options jsonb DEFAULT '{}', backfill bool DEFAULT true, if_not_exists bool DEFAULT false)
    RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_add_sync';
COMMENT ON FUNCTION autosync.add_sync(regclass, name, jsonb, bool, bool) IS 'Syncs a table to a target: creates its triggers and, unless backfill is off, delivers the rows that exist. For the owner of the table who has USAGE on the target. Errors: 42710 already synced (a NOTICE with if_not_exists), 42704 no such target, 42501 privilege, 42809 not a table that can be synced, 42P16 no key, 42703 no such column, HV00D unknown option, 22023 malformed value.';

CREATE FUNCTION autosync.alter_sync(source regclass, target name, options jsonb) RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_alter_sync';
COMMENT ON FUNCTION autosync.alter_sync(regclass, name, jsonb) IS 'Changes options of a sync: those named are set, null takes one away, others stay. What the target holds follows: a new key, collection or id removes what was delivered and delivers anew, other options are applied to all rows. Errors as for add_sync(); 42704 not synced.';

CREATE FUNCTION autosync.drop_sync(source regclass, target name, purge bool DEFAULT false) RETURNS void LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_drop_sync';
COMMENT ON FUNCTION autosync.drop_sync(regclass, name, bool) IS 'Ends a sync: drops its triggers. With purge what the target holds from this table is removed, by the worker. Errors: 42704 not synced, 42501 not the owner of the table.';

CREATE FUNCTION autosync.add_tables(sources regclass[], target name, options jsonb DEFAULT '{}', dry_run bool DEFAULT false)
    RETURNS TABLE (source text, label text, relationships jsonb, status text) LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_add_tables';
COMMENT ON FUNCTION autosync.add_tables(regclass[], name, jsonb, bool) IS 'Syncs tables to a target, parents before children, and says which label and relationships were inferred. dry_run: only says. status: synced, not synced yet (dry_run), already synced. Errors as for add_sync().';

CREATE FUNCTION autosync.add_schema(schema name, target name, except_tables text[] DEFAULT '{}', options jsonb DEFAULT '{}', dry_run bool DEFAULT false)
    RETURNS TABLE (source text, label text, relationships jsonb, status text) LANGUAGE c AS 'MODULE_PATHNAME', 'autosync_add_schema';
COMMENT ON FUNCTION autosync.add_schema(name, name, text[], jsonb, bool) IS 'Syncs all tables of a schema but those of except_tables, see add_tables(). Tables that cannot be synced are skipped, and status says why. Errors: 3F000 no such schema, 42P01 except_tables names no table of it, 42704 no such target.';

CREATE FUNCTION autosync.explain_options(source regclass, target name) RETURNS TABLE (option text, value text, level text, origin text)
    LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'autosync_explain_options';
COMMENT ON FUNCTION autosync.explain_options(regclass, name) IS 'The effective value of each option of a sync and where it comes from. level: sync, server, setting or default; value NULL: none. Errors: 42704 not synced, 42501 not the owner of the table.';

CREATE FUNCTION autosync.option_rows(
    OUT option text, OUT kinds text[], OUT levels text[], OUT type text, OUT choices text[], OUT lowest bigint, OUT highest bigint, OUT fallback text, OUT help text)
RETURNS SETOF record LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'autosync_option_rows';
COMMENT ON FUNCTION autosync.option_rows() IS 'Every option there is. kinds: of targets that have it, NULL for all; levels: server, mapping, sync; lowest and highest: of durations in milliseconds; fallback: the default, or the setting that gives it.';

-- ---------------------------------------------------------------------------------------------------------------------
-- Operation (views, states, retry, pause, ...)
-- ---------------------------------------------------------------------------------------------------------------------

-- Every view below shows an ordinary role its own tables only, pg_monitor the figures. Views read the internal tables with the
-- rights of the extension's owner; the functions under them check the caller themselves.

CREATE FUNCTION autosync.sync_rows(
    OUT source oid, OUT source_name text, OUT target name, OUT kind text, OUT options jsonb, OUT operations text[], OUT enabled bool, OUT owner name,
    OUT triggers name[], OUT entity_type text, OUT relationship bool, OUT problem text, OUT event_ttl interval)
RETURNS SETOF record LANGUAGE c STABLE STRICT ROWS 20 AS 'MODULE_PATHNAME', 'autosync_sync_rows';
COMMENT ON FUNCTION autosync.sync_rows() IS 'The rows of the view syncs, with what other views need to know. relationship: a join table; problem: why it cannot be delivered as declared; event_ttl: NULL when its changes never expire.';

CREATE FUNCTION autosync.event_rows(
    OUT event_id text, OUT target name, OUT source oid, OUT operation text, OUT entity_id text, OUT changed text[], OUT correlation_id text, OUT origin text,
    OUT created_at timestamptz, OUT payload text)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_event_rows';
COMMENT ON FUNCTION autosync.event_rows() IS 'What lies in the outbox and has not been taken up yet, for tables that the caller owns, and what it has emitted itself: the pending part of the view event_log. payload: where the operation is emit, the event as a whole.';

CREATE FUNCTION autosync.event_type(entity_type text, operation text, relationship bool) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN relationship THEN CASE WHEN operation IN ('delete', 'truncate', 'unpublish') THEN 'RELATIONSHIP_DELETED' ELSE 'RELATIONSHIP_CREATED' END
    ELSE upper(entity_type) || CASE operation
        WHEN 'insert' THEN '_CREATED' WHEN 'delete' THEN '_DELETED' WHEN 'unpublish' THEN '_DELETED' WHEN 'truncate' THEN '_TRUNCATED' ELSE '_UPDATED' END
END;
COMMENT ON FUNCTION autosync.event_type(text, text, bool) IS 'The name of an event: CUSTOMERS_CREATED, ..._UPDATED, ..._DELETED, ..._TRUNCATED; RELATIONSHIP_CREATED or RELATIONSHIP_DELETED for the rows of a join table.';

CREATE VIEW autosync.syncs AS
SELECT s.source::regclass AS source, s.target, s.kind, s.options, s.operations, s.enabled, s.owner, s.triggers
FROM autosync.sync_rows() AS s;
COMMENT ON VIEW autosync.syncs IS 'What is synced to where: one row per table and target, read from the triggers that declare it.';
COMMENT ON COLUMN autosync.syncs.kind IS 'Of the target: neo4j, test, ...; NULL when its server is gone.';
COMMENT ON COLUMN autosync.syncs.options IS 'As declared: the arguments of the trigger.';
COMMENT ON COLUMN autosync.syncs.operations IS 'Operations that are captured: for which a trigger fires, less those that the option operations leaves out.';
COMMENT ON COLUMN autosync.syncs.enabled IS 'Whether the row-level trigger is enabled.';
COMMENT ON COLUMN autosync.syncs.owner IS 'Owner of the table, with whose rights rows are read.';

CREATE VIEW autosync.event_log WITH (security_barrier) AS
SELECT e.event_id, e.target::name AS target, coalesce(k.source_name, t.name, CASE WHEN e.operation <> 'emit' THEN e.source::text END) AS source,
       CASE WHEN e.operation = 'emit' THEN e.payload::jsonb ->> 'event_type'
            ELSE coalesce(k.event_type, autosync.event_type(coalesce(t.relname, e.source::text), e.operation, false)) END AS event_type,
       e.operation, CASE WHEN e.operation = 'emit' THEN e.payload::jsonb ->> 'entity_type' ELSE coalesce(k.entity_type, t.relname) END AS entity_type,
       CASE WHEN e.operation = 'emit' THEN e.payload::jsonb ->> 'entity_id' ELSE e.entity_id END AS entity_id,
       CASE WHEN e.operation = 'emit' THEN nullif(e.payload::jsonb -> 'payload', 'null') ELSE e.payload::jsonb END AS payload, e.changed, e.source_version, e.correlation_id,
       e.origin, e.status, e.attempts, e.last_error, e.created_at, e.published_at, e.completed_at, e.updated_at,
       e.next_attempt_at, coalesce(e.expires_at, CASE WHEN e.status IN ('PENDING', 'RETRYING') AND e.operation <> 'truncate' THEN e.created_at + k.event_ttl END) AS expires_at
FROM (
    SELECT p.event_id, p.target::text AS target, p.source, p.operation, p.entity_id, p.changed, p.payload, NULL::int8 AS source_version, p.correlation_id, p.origin,
           'PENDING' AS status, 0 AS attempts, NULL::text AS last_error, p.created_at, NULL::timestamptz AS published_at, NULL::timestamptz AS completed_at,
           p.created_at AS updated_at, NULL::timestamptz AS next_attempt_at, NULL::timestamptz AS expires_at
    FROM autosync.event_rows() AS p
    UNION ALL
    SELECT x.event_id, x.target::text, x.source, x.operation, x.key, NULL, x.payload, NULL, x.correlation_id, x.origin, x.status, x.attempts,
           x.last_error, x.created_at, NULL, NULL, x.updated_at, x.next_attempt_at, x.expires_at
    FROM autosync.exceptions AS x
    WHERE x.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i)) AND x.verb IS DISTINCT FROM 'confirm'
    UNION ALL
    SELECT b.event_id, b.target::text, b.source, b.operation, b.key, NULL, b.payload, NULL, b.correlation_id, b.origin, 'PENDING', 0,
           NULL, b.created_at, NULL, NULL, b.created_at, NULL, NULL
    FROM autosync.behind AS b
    WHERE b.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i))
    UNION ALL
    -- what a TRUNCATE has left behind at the target is being looked for
    SELECT o.event_id, j.target::text, j.source, o.operation, NULL, NULL, NULL, NULL, nullif(o.correlation_id, ''), nullif(o.origin, ''), 'PENDING', 0,
           NULL, timestamptz '2000-01-01 00:00:00+00' + o.created_at * interval '1 microsecond', NULL, NULL, j.requested_at, NULL, NULL
    FROM autosync.jobs AS j
    CROSS JOIN LATERAL jsonb_to_recordset(CASE jsonb_typeof(j.options) WHEN 'array' THEN j.options ELSE '[]' END)
        AS o (event_id text, operation text, correlation_id text, origin text, created_at int8)
    WHERE j.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i)) AND j.kind = 'sweep'
    UNION ALL
    SELECT h.event_id, h.target, h.source, h.operation, h.key,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = h.source AND a.attnum > 0 AND a.attnum <= 8 * length(h.changed) AND get_bit(h.changed, a.attnum - 1) = 1),
           h.payload, h.source_version, h.correlation_id, h.origin, h.status, h.attempts, h.last_error, h.created_at, h.published_at,
           h.completed_at, h.completed_at, NULL, NULL
    FROM autosync.history_0 AS h
    WHERE h.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i)) AND h.completed_at > (SELECT now() - current_setting('autosync.history_retention')::interval)
    UNION ALL
    SELECT h.event_id, h.target, h.source, h.operation, h.key,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = h.source AND a.attnum > 0 AND a.attnum <= 8 * length(h.changed) AND get_bit(h.changed, a.attnum - 1) = 1),
           h.payload, h.source_version, h.correlation_id, h.origin, h.status, h.attempts, h.last_error, h.created_at, h.published_at,
           h.completed_at, h.completed_at, NULL, NULL
    FROM autosync.history_1 AS h
    WHERE h.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i)) AND h.completed_at > (SELECT now() - current_setting('autosync.history_retention')::interval)
    UNION ALL
    SELECT h.event_id, h.target, h.source, h.operation, h.key,
           (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = h.source AND a.attnum > 0 AND a.attnum <= 8 * length(h.changed) AND get_bit(h.changed, a.attnum - 1) = 1),
           h.payload, h.source_version, h.correlation_id, h.origin, h.status, h.attempts, h.last_error, h.created_at, h.published_at,
           h.completed_at, h.completed_at, NULL, NULL
    FROM autosync.history_2 AS h
    WHERE h.instance = ANY (ARRAY(SELECT i.id FROM autosync.instance AS i)) AND h.completed_at > (SELECT now() - current_setting('autosync.history_retention')::interval)
) AS e
-- Names are made once for each sync and operation, rights looked at once for each table: there may be a million events.
LEFT JOIN (
    SELECT s.source, s.target::text AS target, o.operation, s.source_name, s.entity_type, s.event_ttl, autosync.event_type(s.entity_type, o.operation, s.relationship) AS event_type
    FROM autosync.sync_rows() AS s
    CROSS JOIN (VALUES ('insert'), ('update'), ('delete'), ('truncate'), ('publish'), ('unpublish'), ('replay'), ('emit')) AS o (operation)
    OFFSET 0
) AS k ON k.source = e.source AND k.target = e.target AND k.operation = e.operation
LEFT JOIN (
    SELECT c.oid, c.relname COLLATE "default" AS relname, (n.nspname || '.' || c.relname) COLLATE "default" AS name, pg_catalog.pg_has_role(c.relowner, 'USAGE') AS own
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    OFFSET 0
) AS t ON t.oid = e.source
WHERE t.own OR (SELECT pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'))
   OR (e.operation = 'emit' AND pg_catalog.pg_has_role((e.payload::jsonb ->> 'by')::oid, 'USAGE'));
COMMENT ON VIEW autosync.event_log IS 'One row per event and target: pending, being retried, given up, and, for autosync.history_retention, delivered. Shows the events of tables that the caller owns, and those that it has emitted itself. In a transaction that keeps one snapshot (REPEATABLE READ), what has arrived since may be missing: the outbox is emptied without regard to that.';
COMMENT ON COLUMN autosync.event_log.event_id IS 'Unique and sortable: transaction, chunk and place within it, in hexadecimal digits; emitted events come behind the others of their transaction.';
COMMENT ON COLUMN autosync.event_log.source IS 'schema.table, as targets know it. NULL: emitted, of an entity type that no table synced to this target has.';
COMMENT ON COLUMN autosync.event_log.operation IS 'insert, update, delete or truncate; publish or unpublish when marked by hand, emit when an application has told it.';
COMMENT ON COLUMN autosync.event_log.entity_id IS 'The key: the value of its column, or a JSON object for several; NULL for truncate.';
COMMENT ON COLUMN autosync.event_log.payload IS 'The row as committed, of a deletion as it was, where the sync has capture = row: the columns that it uses; what emit() was given. NULL: the event names the entity alone.';
COMMENT ON COLUMN autosync.event_log.changed IS 'Columns that an update changed.';
COMMENT ON COLUMN autosync.event_log.status IS 'PENDING, RETRYING, WAITING_AUTH, COMPLETED (the target has confirmed it, or a newer state of the entity), FAILED (a dead letter), EXPIRED (given up because it was too old: event_ttl), or DISCARDED.';
COMMENT ON COLUMN autosync.event_log.source_version IS 'Of what was sent: the value of the column that the option version names, or what emit() was given, else our own, which rises with every round. NULL: nothing was sent, or what has no version (a removal, where the option version is given).';
COMMENT ON COLUMN autosync.event_log.published_at IS 'When it was sent; NULL when there was nothing to send.';
COMMENT ON COLUMN autosync.event_log.completed_at IS 'When that was confirmed.';
COMMENT ON COLUMN autosync.event_log.expires_at IS 'When it is given up, or was, unless it is delivered before; NULL: never.';
COMMENT ON COLUMN autosync.event_log.attempts IS 'How often the target has refused it.';
COMMENT ON COLUMN autosync.event_log.created_at IS 'When it was captured: shortly before its transaction committed.';

CREATE VIEW autosync.sync_status WITH (security_barrier) AS
SELECT e.source, e.entity_id AS key, e.target,
       (max(ARRAY[(extract(epoch FROM e.completed_at) * 1000000)::int8, e.source_version]) FILTER (WHERE e.status = 'COMPLETED' AND e.published_at IS NOT NULL))[2]
           AS last_synced_version,
       max(e.completed_at) FILTER (WHERE e.status = 'COMPLETED') AS last_synced_at,
       bool_or(e.status IN ('PENDING', 'RETRYING', 'WAITING_AUTH', 'CONFLICT')) AS has_pending_changes, bool_or(e.status = 'CONFLICT') AS has_conflict
FROM autosync.event_log AS e
WHERE e.entity_id IS NOT NULL AND e.operation <> 'emit'
GROUP BY e.source, e.entity_id, e.target;
COMMENT ON VIEW autosync.sync_status IS 'One row per entity and target that has something in event_log: what is pending, in trouble, or was delivered within autosync.history_retention. Of tables that the caller owns. For one entity name source, key and target: others are not looked at then.';
COMMENT ON COLUMN autosync.sync_status.source IS 'schema.table.';
COMMENT ON COLUMN autosync.sync_status.last_synced_version IS 'source_version of the last delivery that event_log knows; NULL: none.';
COMMENT ON COLUMN autosync.sync_status.last_synced_at IS 'When that was confirmed.';
COMMENT ON COLUMN autosync.sync_status.has_pending_changes IS 'Something is still to be delivered, or is tried again. A dead letter is not: it waits for retry().';
COMMENT ON COLUMN autosync.sync_status.has_conflict IS 'A change is held for review.';

CREATE FUNCTION autosync.captured_rows(
    OUT event_id text, OUT target name, OUT source oid, OUT operation text, OUT entity_id text, OUT changed text[], OUT correlation_id text, OUT origin text,
    OUT created_at timestamptz, OUT payload text)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_captured_rows';
COMMENT ON FUNCTION autosync.captured_rows() IS 'What captured() shows, without names.';

CREATE FUNCTION autosync.captured()
RETURNS TABLE (target name, source text, event_type text, operation text, entity_type text, entity_id text, changed text[], correlation_id text, origin text, payload jsonb)
LANGUAGE sql VOLATILE STRICT
BEGIN ATOMIC
    SELECT e.target, coalesce(s.source_name, CASE WHEN e.operation <> 'emit' THEN e.source::text END),
           CASE WHEN e.operation = 'emit' THEN e.payload::jsonb ->> 'event_type'
                ELSE autosync.event_type(coalesce(s.entity_type, e.source::text), e.operation, coalesce(s.relationship, false)) END,
           e.operation, CASE WHEN e.operation = 'emit' THEN e.payload::jsonb ->> 'entity_type' ELSE s.entity_type END, e.entity_id, e.changed, e.correlation_id, e.origin,
           CASE WHEN e.operation = 'emit' THEN nullif(e.payload::jsonb -> 'payload', 'null') ELSE e.payload::jsonb END
    FROM autosync.captured_rows() WITH ORDINALITY AS e
    LEFT JOIN autosync.sync_rows() AS s ON s.source = e.source AND s.target = e.target
    ORDER BY e.ordinality, e.target;
END;
COMMENT ON FUNCTION autosync.captured() IS 'The events of the current transaction so far, one row per event and target, of tables that the caller owns or emitted by it: for tests of an application, which roll back. A key that changes several times is one event. No rows in a database that was never adopted, which captures nothing.';

CREATE VIEW autosync.failed_events WITH (security_barrier) AS
SELECT x.event_id, x.target, coalesce(s.source_name, (n.nspname || '.' || t.relname) COLLATE "default", CASE WHEN x.operation <> 'emit' THEN x.source::text END) AS source,
       CASE WHEN x.operation = 'emit' THEN x.payload::jsonb ->> 'event_type'
            ELSE autosync.event_type(coalesce(s.entity_type, t.relname COLLATE "default", x.source::text), x.operation, coalesce(s.relationship, false)) END AS event_type,
       x.operation,
       CASE WHEN x.operation = 'emit' THEN x.payload::jsonb ->> 'entity_type' ELSE coalesce(s.entity_type, t.relname COLLATE "default") END AS entity_type,
       CASE WHEN x.operation = 'emit' THEN x.payload::jsonb ->> 'entity_id' ELSE x.key END AS entity_id, x.attempts, x.last_error, x.request, x.answer, x.correlation_id, x.origin,
       x.created_at, x.updated_at AS failed_at
FROM autosync.exceptions AS x
LEFT JOIN pg_catalog.pg_class AS t ON t.oid = x.source
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
LEFT JOIN autosync.sync_rows() AS s ON s.source = x.source AND s.target = x.target
WHERE x.status = 'FAILED' AND x.instance IN (SELECT i.id FROM autosync.instance AS i)
  AND (pg_catalog.pg_has_role(t.relowner, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE')
       OR (x.operation = 'emit' AND pg_catalog.pg_has_role((x.payload::jsonb ->> 'by')::oid, 'USAGE')));
COMMENT ON VIEW autosync.failed_events IS 'Dead letters: what a target refused until max_attempts. Kept until retry() or discard(). Shows those of tables that the caller owns, and those that it has emitted itself.';
COMMENT ON COLUMN autosync.failed_events.request IS 'The request that was refused, standing alone; without credentials.';
COMMENT ON COLUMN autosync.failed_events.answer IS 'The target''s answer to it, shortened.';

CREATE FUNCTION autosync.target_rows(
    OUT target name, OUT kind text, OUT state text, OUT pending bigint, OUT retrying bigint, OUT failed bigint, OUT waiting_auth bigint,
    OUT delivered bigint, OUT requests bigint, OUT bytes bigint, OUT oldest_pending_time timestamptz, OUT latency_p50 interval, OUT latency_p95 interval,
    OUT latency_p99 interval, OUT last_success_time timestamptz, OUT last_error text, OUT last_error_time timestamptz, OUT next_attempt_time timestamptz,
    OUT stats_reset timestamptz, OUT embedded_texts bigint, OUT embedded_tokens bigint, OUT embed_requests bigint, OUT embed_skipped bigint,
    OUT expired bigint, OUT paused_lanes text[])
RETURNS SETOF record LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_target_rows';
COMMENT ON FUNCTION autosync.target_rows() IS 'The rows of the view stat_targets.';

CREATE VIEW autosync.stat_targets AS
SELECT t.target, t.state, t.pending, t.retrying, t.failed, t.waiting_auth, t.delivered, t.requests, t.bytes, t.oldest_pending_time, t.latency_p50,
       t.latency_p95, t.latency_p99, t.last_success_time, t.last_error, t.last_error_time, t.next_attempt_time, t.stats_reset,
       t.embedded_texts, t.embedded_tokens, t.embed_requests, t.embed_skipped, t.expired, t.paused_lanes
FROM autosync.target_rows() AS t;
COMMENT ON VIEW autosync.stat_targets IS 'How each target of this database is doing.';
COMMENT ON COLUMN autosync.stat_targets.state IS 'active, paused, backing_off, unreachable, unauthorized, no_worker (nothing delivers what is pending) or not_adopted (a copy of a database does not deliver).';
COMMENT ON COLUMN autosync.stat_targets.pending IS 'Events in the outbox that the target has not got yet, and entities marked by hand. Counted when asked.';
COMMENT ON COLUMN autosync.stat_targets.retrying IS 'Entities that were refused and are tried again.';
COMMENT ON COLUMN autosync.stat_targets.failed IS 'Dead letters, see failed_events.';
COMMENT ON COLUMN autosync.stat_targets.delivered IS 'Entities delivered since stats_reset.';
COMMENT ON COLUMN autosync.stat_targets.bytes IS 'Sent since stats_reset, headers not counted.';
COMMENT ON COLUMN autosync.stat_targets.latency_p50 IS 'From commit to the target''s confirmation, median of the last 1,000 deliveries.';
COMMENT ON COLUMN autosync.stat_targets.next_attempt_time IS 'While the target backs off: when it is tried again.';
COMMENT ON COLUMN autosync.stat_targets.expired IS 'Changes given up since stats_reset because they were older than event_ttl.';
COMMENT ON COLUMN autosync.stat_targets.paused_lanes IS 'Lanes that are paused, while the target is not as a whole; NULL: none.';
COMMENT ON COLUMN autosync.stat_targets.embedded_texts IS 'Texts turned into vectors since stats_reset.';
COMMENT ON COLUMN autosync.stat_targets.embedded_tokens IS 'Tokens of these, as the embedder counted them.';
COMMENT ON COLUMN autosync.stat_targets.embed_requests IS 'Requests to the embedder since stats_reset.';
COMMENT ON COLUMN autosync.stat_targets.embed_skipped IS 'Texts since stats_reset whose vector was at hand: unchanged, the same as another one, or embedded before.';

CREATE FUNCTION autosync.worker_rows(
    OUT pid int, OUT datname name, OUT state text, OUT events_per_second double precision, OUT current_target name)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_worker_rows';
COMMENT ON FUNCTION autosync.worker_rows() IS 'The rows of the view stat_workers.';

CREATE VIEW autosync.stat_workers AS
SELECT w.pid, w.datname, w.state, w.events_per_second, w.current_target FROM autosync.worker_rows() AS w;
COMMENT ON VIEW autosync.stat_workers IS 'The workers of the cluster: one per database that has something to deliver.';
COMMENT ON COLUMN autosync.stat_workers.state IS 'What it is doing; NULL when idle.';

CREATE FUNCTION autosync.cluster_rows(
    OUT datname name, OUT target name, OUT state text, OUT pending bigint, OUT oldest_pending_time timestamptz, OUT last_error text, OUT counted_at timestamptz,
    OUT events_per_second double precision)
RETURNS SETOF record LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_cluster_rows';
COMMENT ON FUNCTION autosync.cluster_rows() IS 'The rows of the view stat_cluster, and how many entities were delivered per second lately.';

CREATE VIEW autosync.stat_cluster AS
SELECT c.datname, c.target, c.state, c.pending, c.oldest_pending_time, c.last_error, c.counted_at FROM autosync.cluster_rows() AS c;
COMMENT ON VIEW autosync.stat_cluster IS 'How the targets of all databases of the cluster are doing, readable from any database that has the extension: those that a worker has served since the server was started.';
COMMENT ON COLUMN autosync.stat_cluster.state IS 'As in stat_targets.';
COMMENT ON COLUMN autosync.stat_cluster.pending IS 'As the worker of that database has counted last, which it does every second while something is pending, seldom where that is much.';
COMMENT ON COLUMN autosync.stat_cluster.counted_at IS 'When it has.';

CREATE VIEW autosync.stat_glance AS
SELECT t.target, t.state, t.pending,
       rpad(repeat('#', CASE WHEN b.seconds > 0.01 THEN least(20, ceil((log(b.seconds) + 2) * 20 / (log(86400) + 2)))::int ELSE 0 END), 20, '.')
           || CASE WHEN b.seconds IS NULL THEN '' WHEN b.seconds < 10 THEN ' ' || round(b.seconds, 2) || ' s' ELSE ' ' || make_interval(secs => floor(b.seconds)::float8) END AS lag,
       rpad(repeat('#', CASE WHEN c.events_per_second >= 1 THEN least(20, ceil(log(c.events_per_second::numeric + 1) * 4))::int ELSE 0 END), 20, '.')
           || CASE WHEN c.events_per_second > 0 THEN ' ' || round(c.events_per_second::numeric, 1) || '/s' ELSE '' END AS throughput,
       t.delivered, date_trunc('milliseconds', t.latency_p50) AS latency_p50, t.failed, t.last_error
FROM autosync.target_rows() AS t
LEFT JOIN autosync.cluster_rows() AS c ON c.datname = pg_catalog.current_database() AND c.target = t.target
CROSS JOIN LATERAL (SELECT extract(epoch FROM clock_timestamp() - t.oldest_pending_time) AS seconds) AS b;
COMMENT ON VIEW autosync.stat_glance IS 'How the targets of this database are doing, for a person to read: SELECT * FROM autosync.stat_glance with \watch in psql.';
COMMENT ON COLUMN autosync.stat_glance.lag IS 'How old the oldest change is that has not arrived: a bar from 10 ms to a day, each # about twice as long as the one before.';
COMMENT ON COLUMN autosync.stat_glance.throughput IS 'Entities delivered per second lately: a bar from 1 to 100,000, each # about 1.8 times as many as the one before.';

CREATE VIEW autosync.stat_progress AS
SELECT j.target, coalesce((n.nspname || '.' || c.relname) COLLATE "default", j.source::text) AS source, j.kind, j.done, j.total,
       CASE WHEN j.total > 0 THEN round(least(100, 100.0 * j.done / j.total), 1) END AS percent,
       r.rate,
       CASE WHEN r.rate > 0 AND j.total > j.done THEN make_interval(secs => (j.total - j.done) / r.rate) END AS eta,
       j.requested_by, j.requested_at, j.started_at, j.updated_at
FROM autosync.jobs AS j
CROSS JOIN LATERAL (
    SELECT CASE WHEN j.updated_at > j.started_at THEN j.done / extract(epoch FROM j.updated_at - j.started_at)::double precision END AS rate
) AS r
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = j.source
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE j.instance IN (SELECT i.id FROM autosync.instance AS i);
COMMENT ON VIEW autosync.stat_progress IS 'Long work under way or waiting: backfill, sweep (look again at what the target holds), purge, rebuild (a new collection beside the old one).';
COMMENT ON COLUMN autosync.stat_progress.total IS 'Rows expected, as estimated when it was requested; NULL when unknown.';
COMMENT ON COLUMN autosync.stat_progress.rate IS 'Rows per second since started_at.';
COMMENT ON COLUMN autosync.stat_progress.eta IS 'How long the rest takes at this rate.';

CREATE FUNCTION autosync.check_target(target name, OUT ok bool, OUT server_version text, OUT latency interval, OUT detail text)
LANGUAGE c VOLATILE STRICT AS 'MODULE_PATHNAME', 'autosync_check_target';
COMMENT ON FUNCTION autosync.check_target(name) IS 'Asks the target whether it is there and accepts the caller''s user mapping (else that of PUBLIC); detail says what is wrong and what to do. Needs USAGE on the server; returns within connect_timeout + 10 s.';

CREATE FUNCTION autosync.pause(target name DEFAULT NULL, lane text DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_pause';
COMMENT ON FUNCTION autosync.pause(name, text) IS 'Stops delivery to the target (NULL: to all that the caller owns) until resume(), or only that of the syncs with this option lane; capture goes on. For the owner of the server. Errors: 42704 no sync to the target is in the lane.';
CREATE FUNCTION autosync.resume(target name DEFAULT NULL, lane text DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_resume';
COMMENT ON FUNCTION autosync.resume(name, text) IS 'Goes on with delivery to the target (NULL: to all that the caller owns), or with that of the lane: each goes on when what was paused is resumed, the target and the lane. A target that has asked for patience, or was out of reach, is tried at once. For the owner of the server.';

CREATE FUNCTION autosync.retry(target name DEFAULT NULL, source regclass DEFAULT NULL, event_id text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_retry';
COMMENT ON FUNCTION autosync.retry(name, regclass, text) IS 'Tries dead letters again, with attempts counted anew; the entity''s newest state is sent, an event as it was. NULL means any. Of tables that the caller owns, and what it has emitted itself; returns how many.';
CREATE FUNCTION autosync.discard(target name DEFAULT NULL, source regclass DEFAULT NULL, event_id text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_discard';
COMMENT ON FUNCTION autosync.discard(name, regclass, text) IS 'Gives dead letters up: they are not delivered, until the entity changes again. NULL means any. Of tables that the caller owns, and what it has emitted itself; returns how many.';

CREATE FUNCTION autosync.wait_delivered(target name DEFAULT NULL, timeout interval DEFAULT '30s') RETURNS bool
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_wait_delivered';
COMMENT ON FUNCTION autosync.wait_delivered(name, interval) IS 'Waits until what was committed before the call, rows that DDL changed included, has arrived at the target (NULL: at all). What is only confirmed once more, after a request that was left unanswered, is not waited for. False when the timeout has passed or, at once, when there are dead letters. Errors: 25001 in a transaction that has itself changed synced rows, 55000 in a database that is not adopted.';

CREATE FUNCTION autosync.preview(source regclass, key text, target name, OUT method text, OUT url text, OUT headers jsonb, OUT body text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_preview';
COMMENT ON FUNCTION autosync.preview(regclass, text, name) IS 'The requests that would be sent for this entity as it is now, credentials masked; no rows when nothing would be sent. Sends nothing. For the owner of the table.';

CREATE FUNCTION autosync.why(source regclass, key text, target name, OUT state text, OUT reason text, OUT since timestamptz, OUT hint text)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_why';
COMMENT ON FUNCTION autosync.why(regclass, text, name) IS 'Where one entity stands on its way to one target. state: not_declared, broken (cannot be delivered as declared), not_adopted, pending, retrying, waiting_auth, failed (a dead letter), discarded, expired, while it waits also the state of a target that takes nothing (paused, unreachable, backing_off, unauthorized, no_worker), disabled (changes are not captured), filtered_out, absent (no such row), forgotten (erased by forget()), delivered, different (the target holds something else), or not_delivered (it does not have it): where nothing is pending, the target is asked, for up to 5 s. since: when that began, for delivered when it arrived, where that is known. hint: what to do. For the owner of the table. Errors: 42704 no such target, 22023 not a key of the table.';

CREATE FUNCTION autosync.diff(source regclass, key text, target name, OUT field text, OUT ours jsonb, OUT theirs jsonb)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_diff';
COMMENT ON FUNCTION autosync.diff(regclass, text, name) IS 'Asks the target for one entity and shows in which fields it differs from the row as it is now; no rows: it does not. ours NULL: it is not to have the field, theirs NULL: it does not. Of Neo4j also the label and the keys of the parents that relationships lead to; of Qdrant the payload and the fingerprint of the embedded text (_hash), not the vectors. What is pending still differs, see why(). For the owner of the table who has USAGE on the target. Errors: 42704 not synced, 22023 not a key of the table, 08001 or 08006 not reachable, 28000 credentials, 55000 cannot be delivered as declared.';

CREATE FUNCTION autosync.forget(source regclass, key text, timeout interval DEFAULT '30s', OUT target name, OUT state text, OUT detail text, OUT erased_at timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_forget';
COMMENT ON FUNCTION autosync.forget(regclass, text, interval) IS 'Erases one entity at every target the table is synced to, with its dead letters (requests and answers) and what autosync_test received of it, waits, and gives a receipt per target. The row itself stays or is gone as you like: whatever becomes of it, the entity is not sent again, also by a backfill, until publish(). It happens at once, also when the transaction in which it is called is rolled back later, and goes on when the wait is cancelled or its timeout passes: call it again for the receipt. state: erased, pending (detail: why), waiting_auth, failed (see failed_events). Not erased: what rows of other tables say, what was sent under another key or by a sync dropped since, copies that a target made by itself. For the owner of the table who has USAGE on its targets. Errors: 42704 not synced, 22023 not a key of the table, 55000 no worker has taken it up, 54000 key longer than 1,024 bytes.';

CREATE FUNCTION autosync.backfill(source regclass, target name DEFAULT NULL, where_clause text DEFAULT NULL) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_backfill';
COMMENT ON FUNCTION autosync.backfill(regclass, name, text) IS 'Has the worker deliver the rows that exist (those that match where_clause, a condition) to the target (NULL: to all the table is synced to). Returns the estimated number of rows; progress is in stat_progress. For the owner of the table.';

CREATE FUNCTION autosync.replay(target name, since timestamptz) RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_replay';
COMMENT ON FUNCTION autosync.replay(name, timestamptz) IS 'Delivers once more, as they are now, the entities of the target''s tables that have an event in the retained history (of any target) since then: for a target that was set back or is new. What is pending, a dead letter, unpublished or forgotten stays as it is. Returns how many; a NOTICE when autosync.history_retention does not go back so far. For the owner of the server. Errors: 42704 no such target, 42501 privilege, 55000 not adopted.';

CREATE FUNCTION autosync.search(source regclass, target name, query text, k int DEFAULT 10, filter jsonb DEFAULT NULL, OUT key text, OUT score float8)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_search';
COMMENT ON FUNCTION autosync.search(regclass, name, text, int, jsonb) IS 'The k rows (1 to 10,000) nearest in meaning to the query, the best first: their keys as text and the score of the target. The query is embedded by the target''s embedder with the model of the points that are there; without an embedder it is a vector itself. filter: a condition on the payload, as Qdrant writes it. Asks with the credentials of the table''s owner; the caller needs SELECT on the key columns, and rows that row security hides are left out. Finds what has been delivered, which may lag behind the table. Errors: 42704 not synced, 42809 not a target with vectors, 42501 privilege, 55000 nothing delivered yet, 22023 refused filter, 08006 not reachable.';

CREATE FUNCTION autosync.estimate(source regclass, target name, OUT rows bigint, OUT texts bigint, OUT tokens bigint, OUT duration interval)
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_estimate';
COMMENT ON FUNCTION autosync.estimate(regclass, name) IS 'What a backfill would have embedded if nothing were there yet: rows, texts, tokens (a third of their bytes, more than is counted as a rule). Tables of more than 200,000 rows are sampled. duration: one text after the other at the pace of a single request with up to 16 texts of the table, which is sent for this; NULL when the embedder does not answer. For the owner of the table.';

CREATE FUNCTION autosync.point_id(source regclass, key text) RETURNS text
LANGUAGE c STABLE AS 'MODULE_PATHNAME', 'autosync_point_id';
COMMENT ON FUNCTION autosync.point_id(regclass, text) IS 'Under which id targets of Qdrant hold the row: the key itself if it is a number, else a UUID (version 5) made of schema.table and key, see the option id. Errors: 42704 not synced to such a target, 22023 not a key of the table.';

CREATE FUNCTION autosync.rebuild(source regclass, target name) RETURNS bigint
LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_rebuild';
COMMENT ON FUNCTION autosync.rebuild(regclass, name) IS 'Has the worker fill a new collection beside the old one, with the model and dimensions declared now, and switch the alias when it is complete: until then searches are answered from the old one, from which rows only go, and after it from the new one. Returns the estimated number of rows; progress is in stat_progress, asked for again it begins anew. For the owner of the table. Errors: 55000 the collection is no alias, 0A000 other tables live in it, 42704 not synced.';

CREATE FUNCTION autosync.publish(source regclass, key text, target name DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_publish';
COMMENT ON FUNCTION autosync.publish(regclass, text, name) IS 'Delivers one entity as it is now, to the target (NULL: to all the table is synced to). key: the value, or a JSON object for several columns. For the owner of the table.';
CREATE FUNCTION autosync.publish_as(source regclass, key text, did text, target name DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_publish_as';
COMMENT ON FUNCTION autosync.publish_as(regclass, text, text, name) IS 'Publishes one row in the repository of this DID, whatever the row says, from here on until the row is deleted; NULL: in its own again. A record that is elsewhere moves. For targets of the AT Protocol, for the owner of the table. Errors: 22023 what is no DID.';
CREATE FUNCTION autosync.unpublish(source regclass, key text, target name DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_unpublish';
COMMENT ON FUNCTION autosync.unpublish(regclass, text, name) IS 'Removes one entity from the target (NULL: from all the table is synced to), until its row changes again. For the owner of the table.';
CREATE FUNCTION autosync.emit(event_type text, entity_type text, entity_id text, payload jsonb, source_version bigint DEFAULT NULL, correlation_id text DEFAULT NULL,
    target name DEFAULT NULL)
RETURNS text LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_emit';
COMMENT ON FUNCTION autosync.emit(text, text, text, jsonb, bigint, text, name) IS 'Tells an event of an application''s own to the target (NULL: to every target that keeps history and that the caller may use), with this transaction: rolled back it was never told. Returns its id, as event_log and the target have it; NULL when nobody is told, as autosync.enabled or the server is off, or autosync.origin names the target. Events of one entity_id come in order, and where entity_type is that of a table whose events the target is told, together with those of the row that has entity_id as its key. source_version: shown in event_log, our own where NULL; correlation_id: NULL for autosync.correlation_id. Needs USAGE on the server. Errors: 42704 no such target, 42501 privilege, 0A000 it keeps no history, 55000 no target does, or not adopted, 22004 and 22023 what is missing, 54000 too large (the payload: autosync.max_event_size), 25006 read-only transaction.';

-- ---------------------------------------------------------------------------------------------------------------------
-- AT Protocol: sessions, records, what waits
-- ---------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION autosync.atp_login(identifier text, password text, server name) RETURNS text LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_atp_login';
COMMENT ON FUNCTION autosync.atp_login(text, text, name) IS 'Signs in with an app password, which is not kept, and returns the DID. What waits for this session is delivered (unless auto_retry is off). Needs USAGE on the server. Errors: 28000 the server refuses it, 08006 it cannot be reached.';
CREATE FUNCTION autosync.atp_set_session(did text, server name, access_jwt text, refresh_jwt text, dpop_key text DEFAULT NULL, token_endpoint text DEFAULT NULL,
    client_id text DEFAULT NULL, pds text DEFAULT NULL, handle text DEFAULT NULL, expires_at timestamptz DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_atp_set_session';
COMMENT ON FUNCTION autosync.atp_set_session(text, name, text, text, text, text, text, text, text, timestamptz) IS 'Takes over a session that the application has got. With dpop_key (a private P-256 key as JWK or PEM), token_endpoint and client_id it is one of OAuth, else one of an app password. From here on only autosync may use the refresh token. Needs USAGE on the server. Errors: 22023 malformed key, DID or URL.';
CREATE FUNCTION autosync.atp_logout(did text, server name DEFAULT NULL) RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_atp_logout';
COMMENT ON FUNCTION autosync.atp_logout(text, name) IS 'Forgets the sessions of this DID (on all servers that the caller may use, or on one); returns how many. Records stay, changes wait for the next session.';

CREATE FUNCTION autosync.retry_pending_syncs(did text, timeout interval DEFAULT '30s', OUT retried bigint, OUT succeeded bigint, OUT failed bigint, OUT errors text[])
RETURNS record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_retry_pending_syncs';
COMMENT ON FUNCTION autosync.retry_pending_syncs(text, interval) IS 'Has what waits for this identity delivered now, as far as it is of tables of the caller''s, whatever becomes of the transaction, and waits for the result, at most for timeout. retried: how many were tried; succeeded: of these, so many have arrived; failed: they wait again or were given up, or there is no session to try them with; errors: why. What is neither is still under way.';
CREATE FUNCTION autosync.cleanup_pending_syncs() RETURNS bigint LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_cleanup_pending_syncs';
COMMENT ON FUNCTION autosync.cleanup_pending_syncs() IS 'Deletes what has waited for too long (EXPIRED), as far as it is of tables of the caller''s; returns how many.';

CREATE FUNCTION autosync.to_atp_record(source regclass, key text, target name DEFAULT NULL) RETURNS jsonb LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_to_atp_record';
COMMENT ON FUNCTION autosync.to_atp_record(regclass, text, name) IS 'The record that this row would be published as, checked; NULL: it would not be published. For the owner of the table. Errors: 22023 what the data model does not have, naming the field.';

CREATE VIEW autosync.atp_sessions WITH (security_barrier) AS
SELECT s.target, s.did, s.handle, s.pds, s.kind, s.status, s.expires_at, s.last_error,
       (SELECT count(*) FROM autosync.exceptions AS x WHERE x.instance = s.instance AND x.target = s.target AND x.did = s.did AND x.status = 'WAITING_AUTH') AS pending,
       s.created_by, s.created_at, s.updated_at
FROM autosync.atp_store AS s
JOIN pg_catalog.pg_foreign_server AS f ON f.srvname = s.target
WHERE s.instance IN (SELECT i.id FROM autosync.instance AS i) AND pg_catalog.has_server_privilege(f.oid, 'USAGE');
COMMENT ON VIEW autosync.atp_sessions IS 'Sessions of identities, without their secrets, on servers that the caller may use.';
COMMENT ON COLUMN autosync.atp_sessions.status IS 'active; expired: the access token is being renewed; revoked: somebody has to sign in anew; deactivated, taken_down: the account is, which is looked at again every five minutes while something waits.';
COMMENT ON COLUMN autosync.atp_sessions.expires_at IS 'Of the access token, which is renewed when it is needed.';
COMMENT ON COLUMN autosync.atp_sessions.pending IS 'Changes that wait for the session.';

CREATE VIEW autosync.atp_records WITH (security_barrier) AS
SELECT m.source, m.key, m.target, m.did, m.collection, m.rkey, 'at://' || m.did || '/' || m.collection || '/' || m.rkey AS uri, m.cid, m.version, m.published_at
FROM autosync.atp_map AS m
JOIN pg_catalog.pg_class AS t ON t.oid = m.source
WHERE m.instance IN (SELECT i.id FROM autosync.instance AS i) AND m.published_at IS NOT NULL
  AND (pg_catalog.pg_has_role(t.relowner, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'));
COMMENT ON VIEW autosync.atp_records IS 'Which record each row is: those that were published, of tables that the caller owns.';
COMMENT ON COLUMN autosync.atp_records.cid IS 'As the repository last confirmed it.';
COMMENT ON COLUMN autosync.atp_records.version IS 'Of the last delivery.';

CREATE VIEW autosync.pending_syncs WITH (security_barrier) AS
SELECT x.did, x.target, x.source::regclass AS source, x.key, x.operation, x.created_at AS captured_at, x.expires_at, x.attempts, x.last_error
FROM autosync.exceptions AS x
JOIN pg_catalog.pg_class AS t ON t.oid = x.source
WHERE x.status = 'WAITING_AUTH' AND x.instance IN (SELECT i.id FROM autosync.instance AS i)
  AND (pg_catalog.pg_has_role(t.relowner, 'USAGE') OR pg_catalog.pg_has_role('pg_read_all_data', 'USAGE'));
COMMENT ON VIEW autosync.pending_syncs IS 'What waits for a session of its identity, of tables that the caller owns.';
COMMENT ON COLUMN autosync.pending_syncs.attempts IS 'How often it was tried again with a session that did not work.';
COMMENT ON COLUMN autosync.pending_syncs.expires_at IS 'Then it is given up (pending_ttl).';

CREATE FUNCTION autosync.has_pending_syncs(did text) RETURNS bool LANGUAGE sql STABLE STRICT
RETURN EXISTS (SELECT FROM autosync.pending_syncs AS p WHERE p.did = has_pending_syncs.did);
COMMENT ON FUNCTION autosync.has_pending_syncs(text) IS 'Whether something waits for a session of this identity, see pending_syncs.';
CREATE FUNCTION autosync.count_pending_syncs(did text) RETURNS bigint LANGUAGE sql STABLE STRICT
RETURN (SELECT count(*) FROM autosync.pending_syncs AS p WHERE p.did = count_pending_syncs.did);
COMMENT ON FUNCTION autosync.count_pending_syncs(text) IS 'How many changes wait for a session of this identity, see pending_syncs.';
CREATE FUNCTION autosync.has_atp_record(source regclass, key text) RETURNS bool LANGUAGE sql STABLE STRICT
RETURN EXISTS (SELECT FROM autosync.atp_records AS r WHERE r.source = has_atp_record.source AND r.key = has_atp_record.key);
COMMENT ON FUNCTION autosync.has_atp_record(regclass, text) IS 'Whether this row is published as a record. key: as in atp_records.';
CREATE FUNCTION autosync.atp_uri(source regclass, key text) RETURNS text LANGUAGE sql STABLE STRICT
RETURN (SELECT r.uri FROM autosync.atp_records AS r WHERE r.source = atp_uri.source AND r.key = atp_uri.key ORDER BY r.target LIMIT 1);
COMMENT ON FUNCTION autosync.atp_uri(regclass, text) IS 'The URI of the record that this row is published as; NULL: it is not.';
CREATE FUNCTION autosync.atp_cid(source regclass, key text) RETURNS text LANGUAGE sql STABLE STRICT
RETURN (SELECT r.cid FROM autosync.atp_records AS r WHERE r.source = atp_cid.source AND r.key = atp_cid.key ORDER BY r.target LIMIT 1);
COMMENT ON FUNCTION autosync.atp_cid(regclass, text) IS 'The CID of the record that this row is published as; NULL: it is not.';

GRANT SELECT ON autosync.atp_sessions, autosync.atp_records, autosync.pending_syncs TO PUBLIC;

CREATE FUNCTION autosync.health(OUT "check" text, OUT status text, OUT detail text, OUT hint text)
RETURNS SETOF record LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_health';
COMMENT ON FUNCTION autosync.health() IS 'Everything that may keep changes from arriving, one row per check. status: ok, warn or crit; hint: what to do. For members of pg_monitor.';

CREATE FUNCTION autosync.stat_reset(target name DEFAULT NULL) RETURNS void LANGUAGE c VOLATILE AS 'MODULE_PATHNAME', 'autosync_stat_reset';
COMMENT ON FUNCTION autosync.stat_reset(name) IS 'Sets the figures of the target (NULL: of all that the caller owns) in stat_targets to zero. For the owner of the server.';

-- Whom a function is for it checks by itself; figures of the whole database are for pg_monitor.
REVOKE EXECUTE ON FUNCTION autosync.target_rows(), autosync.worker_rows(), autosync.cluster_rows(), autosync.health() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION autosync.target_rows(), autosync.worker_rows(), autosync.cluster_rows(), autosync.health() TO pg_monitor;
GRANT SELECT ON autosync.stat_targets, autosync.stat_workers, autosync.stat_cluster, autosync.stat_glance, autosync.stat_progress TO pg_monitor;
GRANT SELECT ON autosync.syncs, autosync.event_log, autosync.failed_events, autosync.sync_status TO PUBLIC;

GRANT USAGE ON SCHEMA autosync TO PUBLIC;
