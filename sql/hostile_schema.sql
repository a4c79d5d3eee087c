-- What somebody has prepared is neither taken up nor left in charge: the extension is not created on top of it.
\set SHOW_CONTEXT never
\set home :DBNAME
CREATE ROLE regress_autosync_eve;
CREATE DATABASE autosync_prepared ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C';
\c autosync_prepared
SELECT quote_ident(current_user) AS me \gset
GRANT CREATE ON DATABASE autosync_prepared TO regress_autosync_eve;
GRANT CREATE ON SCHEMA public TO regress_autosync_eve;
SET ROLE regress_autosync_eve;
CREATE SCHEMA autosync;
RESET ROLE;
-- whoever owns the schema could drop all of it
CREATE EXTENSION autosync;
-- what lies in it already could be called in place of ours
ALTER SCHEMA autosync OWNER TO :me;
GRANT CREATE ON SCHEMA autosync TO regress_autosync_eve;
SET ROLE regress_autosync_eve;
CREATE FUNCTION autosync.event_type(name, name, bool) RETURNS text LANGUAGE sql AS $$SELECT 'mine'$$;
RESET ROLE;
CREATE EXTENSION autosync;
DROP FUNCTION autosync.event_type;
SET ROLE regress_autosync_eve;
CREATE TABLE autosync.clock (instance int8, reserved int8);
RESET ROLE;
CREATE EXTENSION autosync;
DROP TABLE autosync.clock;
REVOKE CREATE ON SCHEMA autosync FROM regress_autosync_eve;
-- what lies in schemas on the path is not looked at, operators and functions that fit better included
SET ROLE regress_autosync_eve;
CREATE FUNCTION public.trap(text, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'run as %', current_user; END$$;
CREATE OPERATOR public.= (LEFTARG = text, RIGHTARG = text, FUNCTION = public.trap);
CREATE FUNCTION public.length(bytea) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'run as %', current_user; END$$;
CREATE FUNCTION public.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'run as %', current_user; END$$;
RESET ROLE;
SET search_path = public, pg_catalog;
CREATE EXTENSION autosync;
SHOW search_path;
SELECT count(*) FROM autosync.event_log;
SELECT count(*) FROM autosync.failed_events;
SELECT DISTINCT refobjid::regproc FROM pg_depend WHERE refclassid = 'pg_proc'::regclass AND refobjid::regproc::text LIKE 'public.%';
\c :home
DROP DATABASE autosync_prepared WITH (FORCE);
DROP ROLE regress_autosync_eve;
