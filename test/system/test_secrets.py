"""A secret is a random word that is looked for everywhere afterwards: at targets that repeat whatever they are sent, in what they refuse, in what the server logs and shows."""
import base64
import http.server
import json
import pathlib
import secrets
import subprocess
import threading
import time

import psycopg2
import pytest


class Parrot:
    """Answers each request with an error that repeats it, headers and all; every status in turn."""

    def __init__(self):
        parrot = self
        self.heard = []
        self.lead = None  # how much it says before it repeats the credentials; None: it tells all it was sent

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                said = "you said %s %s %s" % (self.path, "; ".join("%s: %s" % header for header in self.headers.items()), body)
                parrot.heard.append(said)
                if parrot.lead is not None:
                    return self.repeat()
                status = (400, 401, 403, 404, 409, 413, 422, 429, 500, 503)[len(parrot.heard) % 10]
                text = json.dumps({"results": [], "errors": [{"code": "Neo.ClientError.Statement.ParameterMissing", "message": said}], "status": {"error": said}, "error": {"message": said}})
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.send_header("Retry-After", "0")
                self.end_headers()
                self.wfile.write(text.encode())

            def repeat(self):
                secret = self.headers.get("api-key") or self.headers["Authorization"].split()[1]
                said = "." * parrot.lead + secret + "." * 2_000
                if self.path.endswith("/points/scroll"):  # which model there is: then the embedder is asked
                    status, text = 200, json.dumps({"result": {"points": []}, "status": "ok"})
                elif parrot.lead < 400:
                    status, text = 500, said
                else:
                    status, text = 400, json.dumps({"errors": [{"code": "Neo.ClientError.Statement.ParameterMissing", "message": said}], "status": {"error": said}, "error": {"message": said}})
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            do_GET = do_PUT = do_DELETE = do_PATCH = do_POST

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = "http://127.0.0.1:%d" % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def parrot():
    parrot = Parrot()
    yield parrot
    parrot.server.shutdown()


@pytest.fixture(scope="module")
def tokens(database, parrot):
    """By where each is declared."""
    tokens = {name: secrets.token_hex(12) for name in ("neo4j", "qdrant", "openai", "file")}
    folder = pathlib.Path(database.server.environment["AUTOSYNC_DATA"]).parent / "parrot-secrets"
    folder.mkdir(exist_ok=True)
    (folder / "api-key").write_text(tokens["file"])
    subprocess.run(["chown", "-R", "--reference", database.server.environment["AUTOSYNC_DATA"], str(folder)], check=True)
    subprocess.run(["chmod", "700", str(folder)], check=True)
    subprocess.run(["chmod", "600", str(folder / "api-key")], check=True)
    database.execute("ALTER SYSTEM SET autosync.secrets_directory = %s", str(folder))
    database.server.stop()
    database.server.start()
    database.connection = None
    quick = "max_attempts '2', retry_initial_delay '100ms', retry_max_delay '200ms'"
    database.execute("CREATE SERVER nodes FOREIGN DATA WRAPPER autosync_neo4j OPTIONS (url '%s', %s)" % (parrot.url, quick))
    database.execute("CREATE USER MAPPING FOR PUBLIC SERVER nodes OPTIONS (username 'parrot', password '%s')" % tokens["neo4j"])
    database.execute("CREATE SERVER words FOREIGN DATA WRAPPER autosync_openai OPTIONS (url '%s', model 'm')" % parrot.url)
    database.execute("CREATE USER MAPPING FOR PUBLIC SERVER words OPTIONS (api_key '%s')" % tokens["openai"])
    database.execute("CREATE SERVER points FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url '%s', embedder 'words', %s)" % (parrot.url, quick))
    database.execute("CREATE USER MAPPING FOR PUBLIC SERVER points OPTIONS (api_key '%s')" % tokens["qdrant"])
    database.execute("CREATE SERVER filed FOREIGN DATA WRAPPER autosync_qdrant OPTIONS (url '%s', embedder 'words', %s)" % (parrot.url, quick))
    database.execute("CREATE USER MAPPING FOR PUBLIC SERVER filed OPTIONS (api_key_file 'api-key')")
    database.execute("SELECT autosync.adopt_database()")
    database.execute("CREATE TABLE notes (id int PRIMARY KEY, title text)")
    for target, options in (("nodes", "{}"), ("points", '{"embed": "title"}'), ("filed", '{"embed": "title"}')):
        database.execute("SELECT autosync.add_sync('notes', %s, %s)", target, options)
    yield tokens
    database.execute("ALTER SYSTEM RESET autosync.secrets_directory")
    database.server.stop()
    database.server.start()
    database.connection = None


def shown(database, statement):
    """What a statement shows, or with what it fails."""
    try:
        return str(database.execute(statement))
    except psycopg2.Error as error:
        return str(error)


def test_no_secret_is_anywhere(database, parrot, tokens):
    database.execute("INSERT INTO notes SELECT i, 'note ' || i FROM generate_series(1, 20) i")
    basic = base64.b64encode(("parrot:" + tokens["neo4j"]).encode()).decode()

    def all_sent():
        said = "\n".join(parrot.heard)
        return basic in said and tokens["qdrant"] in said and tokens["file"] in said

    deadline = time.monotonic() + 60
    while (len(parrot.heard) <= 60 or not all_sent()) and time.monotonic() < deadline:  # each target has refused, throttled and thrown out what it was sent
        database.execute("UPDATE notes SET title = title || '.' WHERE id <= 3")
        for target in ("nodes", "points", "filed"):
            shown(database, "SELECT autosync.resume('%s')" % target)
            shown(database, "SELECT autosync.wait_delivered('%s', '200 ms')" % target)
    assert all_sent(), "all were sent, else: %s" % shown(database, "SELECT \"check\", detail FROM autosync.health() WHERE status <> 'ok'")
    texts = {"statement that fails": shown(database, "ALTER USER MAPPING FOR PUBLIC SERVER nodes OPTIONS (SET password '%s', ADD nonsense 'x')" % tokens["neo4j"]),
             "URL with a password": shown(database, "SELECT autosync.add_target('other', 'neo4j://parrot:%s@localhost', '{\"nonsense\": 1}')" % tokens["neo4j"])}
    for target in ("nodes", "points", "filed"):
        for function in ("check_target('%s')", "preview('notes', '1', '%s')", "why('notes', '1', '%s')", "diff('notes', '1', '%s')", "search('notes', '%s', 'x')", "estimate('notes', '%s')"):
            texts[function % target] = shown(database, "SELECT * FROM autosync." + function % target)
    relations = database.execute("SELECT c.oid::regclass::text FROM pg_class c WHERE relnamespace = 'autosync'::regnamespace AND relkind IN ('r', 'v') ORDER BY 1")
    for (relation,) in relations:
        texts[relation] = shown(database, "SELECT t::text FROM %s t" % relation)
    texts["health()"] = shown(database, "SELECT * FROM autosync.health()")
    texts["pg_stat_activity"] = shown(database, "SELECT a::text FROM pg_stat_activity a WHERE pid <> pg_backend_pid()")
    texts["server log"] = (pathlib.Path(database.server.environment["PGHOST"]) / "server.log").read_text(encoding="utf-8", errors="replace")
    hits = [(where, name) for where, text in texts.items() for name, token in [*tokens.items(), ("basic", basic)] if token in text]
    assert hits == []
    assert any("you said" in texts[where] and "***" in texts[where] for where in texts), "what the targets said is shown, without them"


def test_a_message_that_is_cut_inside_a_secret_shows_no_half_of_it(database, parrot, tokens):
    asked = ("diff('notes', '1', 'nodes')", "diff('notes', '1', 'points')", "search('notes', 'points', 'x')", "rebuild('notes', 'points')")
    for target in ("nodes", "points", "filed"):
        database.execute("SELECT autosync.pause(%s)", target)
    basic = base64.b64encode(("parrot:" + tokens["neo4j"]).encode()).decode()
    texts = []
    try:
        for parrot.lead in [*range(100, 220, 10), *range(600, 1020, 10)]:  # some of it ends where messages are cut
            texts += [shown(database, "SELECT * FROM autosync." + function) for function in asked]
    finally:
        parrot.lead = None
    assert all("....." in text for text in texts), [text for text in texts if "....." not in text][:3]
    assert any("***" in text for text in texts)
    assert [text for text in texts for secret in (*tokens.values(), basic) if secret[:12] in text] == []
