"""What Qdrant has to hold for a table, worked out from the table's rows and the embedding server alone, and what it holds."""
import contextlib
import decimal
import json
import time
import uuid

import psycopg2

MODEL = "all-MiniLM-L6-v2"
TOLERANCE = 1e-4
COUNTERS = ("requests", "ok", "inputs", "tokens", "repeated")


def identifier(source, key, namespace):
    """The point of a key: a single integer as it is unless it is negative, all else a UUID that follows from where it comes from."""
    if isinstance(key, int) and key >= 0:
        return key
    return str(uuid.uuid5(namespace, "%s/%s" % (source, key)))


def close(left, right):
    """Whether two vectors point the same way, as cosine distance sees it."""
    a, b = sum(x * x for x in left) ** 0.5, sum(x * x for x in right) ** 0.5
    return all(abs(x / a - y / b) < TOLERANCE for x, y in zip(left, right, strict=True))


def plain(value):
    return float(value) if isinstance(value, decimal.Decimal) else value


def text_of(row, columns):
    return "\n".join(str(row[column]) for column in columns if row[column] not in (None, ""))


def cosine(left, right):
    a, b = sum(x * x for x in left) ** 0.5, sum(x * x for x in right) ** 0.5
    return sum(x * y for x, y in zip(left, right)) / (a * b)


class Declared:
    """A sync of a table with one unnamed vector or several named ones, as the test declared it."""

    def __init__(self, table, embed, payload, collection=None, condition=None, target="vectors", key="id"):
        self.table = table
        self.embed = embed if isinstance(embed, dict) else {"": embed}
        self.payload = payload
        self.collection = collection or table
        self.condition = condition or (lambda row: True)
        self.target = target
        self.key = key
        self.source = "public." + table


class Scene:
    """A database with targets that live on Qdrant, and a memory of what the embedder said."""

    def __init__(self, database, qdrant, embedder):
        self.database = database
        self.qdrant = qdrant
        self.embedder = embedder
        self.memory = {}
        self.own = {}  # what the test itself has asked the embedder for
        self.namespace = None

    def target(self, name="vectors", adopt=True, **options):
        given = {"url": self.qdrant.url, "embed_url": self.embedder.url, "model": MODEL, "retry_initial_delay": "100ms", "retry_max_delay": "500ms"} | options
        secrets = {"api_key": self.qdrant.key, "embed_api_key": self.embedder.key}
        self.create_server(name, "qdrant", given)
        if "embed_url" not in given or given["embed_url"] is None:
            del secrets["embed_api_key"]
        self.map_user(name, secrets)
        if adopt:
            self.database.execute("SELECT autosync.adopt_database()")

    def create_server(self, name, kind, options):
        words = ", ".join("%s '%s'" % (option, value) for option, value in options.items() if value is not None)
        self.database.execute("CREATE SERVER %s FOREIGN DATA WRAPPER autosync_%s%s" % (name, kind, " OPTIONS (%s)" % words if words else ""))

    def map_user(self, name, secrets):
        self.database.execute("CREATE USER MAPPING FOR PUBLIC SERVER %s OPTIONS (%s)" % (name, ", ".join("%s '%s'" % pair for pair in secrets.items())))

    def sync(self, table, target="vectors", backfill=True, **options):
        self.database.execute("SELECT autosync.add_sync(%s, %s, %s, backfill => %s)", table, target, json.dumps(options), backfill)

    def arrive(self, target="vectors", timeout=180):
        self.database.wait_delivered(target, timeout)

    def status(self, target="vectors"):
        """The row of stat_targets."""
        return json.loads(self.database.value("SELECT row_to_json(t)::text FROM autosync.stat_targets t WHERE target = %s", target))

    def until(self, condition, what, timeout=60):
        deadline = time.monotonic() + timeout
        while not (found := condition()):
            assert time.monotonic() < deadline, "%s: not within %d s; %s" % (what, timeout, self.status())
            time.sleep(0.02)
        return found

    def wait_for_state(self, *states, target="vectors", timeout=60):
        return self.until(lambda: (status := self.status(target))["state"] in states and status, "state " + " or ".join(states), timeout)

    def letters(self, table):
        """Keys of the dead letters of a table, with their errors."""
        rows = self.database.execute("SELECT row_to_json(f)::text FROM autosync.failed_events f")
        found = [json.loads(row) for (row,) in rows]
        return {letter["entity_id"]: letter for letter in found if letter["source"].split(".")[-1] == table}

    @contextlib.contextmanager
    def spent(self):
        """What the embedder was asked for meanwhile."""
        before, spent = self.theirs(), {}
        yield spent
        after = self.theirs()
        spent.update({name: after[name] - before[name] for name in COUNTERS})

    def theirs(self):
        """The embedder's counters without what the test itself asked for."""
        counted = self.embedder.stats()
        return {name: counted[name] - self.own.get(name, 0) for name in COUNTERS}

    def embed(self, texts, model=MODEL, dimensions=None):
        """The vectors of these texts; each text is asked for once."""
        new = sorted({text for text in texts if (model, dimensions, text) not in self.memory})
        if new:
            more = {} if dimensions is None else {"dimensions": dimensions}
            before = self.embedder.stats()
            for text, vector in zip(new, self.embedder.embed(new, model, **more)):
                self.memory[(model, dimensions, text)] = vector
            after = self.embedder.stats()
            self.own = {name: self.own.get(name, 0) + after[name] - before[name] for name in COUNTERS}
        return [self.memory[(model, dimensions, text)] for text in texts]

    def rows(self, declared):
        with contextlib.closing(self.database.connect()) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT * FROM %s" % declared.table)
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row)) for row in cursor.fetchall()]
        return {row[declared.key]: row for row in rows if declared.condition(row) and any(text_of(row, columns) for columns in declared.embed.values())}

    def expected(self, declared, model=MODEL, dimensions=None):
        """By key: vectors by name, and payload."""
        rows = self.rows(declared)
        wanted = {(key, name): text for key, row in rows.items() for name, columns in declared.embed.items() if (text := text_of(row, columns))}
        vectors = dict(zip(wanted, self.embed(list(wanted.values()), model, dimensions)))
        return {key: ({name: vectors[(key, name)] for name in declared.embed if (key, name) in vectors},
                      {column: plain(row[column]) for column in declared.payload if row[column] is not None}) for key, row in rows.items()}

    def differences(self, declared, model=MODEL, dimensions=None):
        """Table and collection, point by point: lines that say what differs."""
        expected = {str(key): value for key, value in self.expected(declared, model, dimensions).items()}
        held, lines = {}, []
        for point in self.qdrant.points(declared.collection, {"must": [{"key": "_source", "match": {"value": declared.source}}]}, with_vector=True).values():
            key = point["payload"]["_key"]
            if key in held:
                lines.append("two points for %s" % key)
            held[key] = point
        for title, keys in (("missing", expected.keys() - held.keys()), ("extra", held.keys() - expected.keys())):
            if keys:
                lines.append("%d %s, for example %s" % (len(keys), title, sorted(keys)[:5]))
        for key in expected.keys() & held.keys():
            vectors, payload = expected[key]
            point = held[key]
            public = {name: value for name, value in point["payload"].items() if not name.startswith("_") and value is not None}
            if public != payload:
                lines.append("%s: payload %s instead of %s" % (key, public, payload))
            found = point["vector"] if isinstance(point["vector"], dict) else {"": point["vector"]}
            if found.keys() != vectors.keys() or not all(close(found[name], vectors[name]) for name in vectors):
                lines.append("%s: another vector than that of its text" % key)
            wrong = {"_source": declared.source, "_model": model}.items() - {(name, point["payload"].get(name)) for name in ("_source", "_model")}
            if wrong or not isinstance(point["payload"].get("_v"), int) or "_hash" not in point["payload"]:
                lines.append("%s: %s" % (key, {name: value for name, value in point["payload"].items() if name.startswith("_")}))
        return lines[:10]

    def nearest(self, declared, query, k, model=MODEL):
        """The k rows nearest to a text, worked out by looking at all of them."""
        question, = self.embed([query], model)
        ranked = sorted(((str(key), cosine(vectors[""], question)) for key, (vectors, _) in self.expected(declared, model).items()), key=lambda pair: -pair[1])
        return ranked[:k]

    def search(self, declared, query, k=10, chosen=None, connection=None):
        statement = "SELECT key, score FROM autosync.search(%s, %s, %s, %s, %s)"
        arguments = (declared.table, declared.target, query, k, None if chosen is None else json.dumps(chosen))
        if connection is None:
            return self.database.execute(statement, *arguments)
        with connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchall()

    def check_ranking(self, declared, query, k=10):
        """Search from SQL, Qdrant's own API and brute force agree. Equal scores may come in any order."""
        expected = self.nearest(declared, query, k)
        found = self.search(declared, query, k)
        same_ranking(found, expected)
        question, = self.embed([query])
        points = self.qdrant.nearest(declared.collection, question, k, with_payload=["_key"])
        assert len(points) == len(expected)
        assert all(abs(score - wanted) < TOLERANCE for (_, score), (_, wanted) in zip(points, expected))
        return found


def same_ranking(found, expected):
    assert len(found) == len(expected), (found, expected)
    scores = dict(expected)
    for (key, score), (_, wanted) in zip(found, expected):
        assert abs(score - wanted) < TOLERANCE, (found, expected)
        # Where two rows are equally near, the last place may go to either.
        assert abs(scores.get(key, expected[-1][1]) - score) < TOLERANCE, (key, found, expected)


def refusal(database, statement, *arguments):
    """The error of a statement that has to fail."""
    try:
        database.execute(statement, *arguments)
    except psycopg2.Error as error:
        return error
    raise AssertionError("not refused: %s" % statement)
