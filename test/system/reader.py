"""A reader who types what README and docs/ show, into a database of their own, and compares what comes back with what is shown."""
import contextlib
import itertools
import json
import re

import psycopg2.extensions

from servers import Database

TABLES = """
CREATE TABLE customers (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers);
CREATE TABLE products (id int PRIMARY KEY, name text, description text, price numeric(10, 2), category_id int);
INSERT INTO customers VALUES (1, 'Ada');
INSERT INTO orders VALUES (7, 1);
INSERT INTO products VALUES (1, 'Scarf', 'woollen, for cold days', 20, 1), (2, 'Sun hat', 'straw, for hot days at the beach', 15, 1), (3, 'Spade', 'for digging', 30, 2)
"""
MARKS = {"sql": "--", "cypher": "//"}
# Everything as text, the way psql shows it.
AS_TEXT = psycopg2.extensions.new_type((16, 17, 19, 20, 21, 23, 25, 114, 700, 701, 1002, 1003, 1009, 1082, 1114, 1184, 1186, 1700, 2205, 3802), "AS_TEXT",
                                       lambda value, _: value or "")


def text_of(value):
    return "" if value is None else value if isinstance(value, str) else json.dumps(value)


def statements(block, mark="--"):
    """Each statement of a block with the rows that the comments `--> a | b` (in Cypher `//> a | b`) behind it show; None: it shows none."""
    found, text = [], ""
    for piece in re.findall(r"%s[^\n]*|;|'(?:[^']|'')*'|\"[^\"]*\"|\$\$.*?\$\$|[^;'\"$/-]+|." % mark, block, re.S):
        if piece.startswith(mark + ">"):
            assert not text.strip(), "%r stands inside a statement" % piece
            found[-1][1] = (found[-1][1] or []) + [piece[len(mark) + 1:].strip()]
        elif piece == ";":
            found.append([text.strip(), None])
            text = ""
        elif not piece.startswith(mark):
            text += piece
    assert not text.strip(), "a statement without an end: %r" % text
    return found


def blocks(page, languages="sql"):
    """The code of a page: a list of statements for each block."""
    found = re.findall(r"^```(%s)\n(.*?)^```" % languages, page.read_text(encoding="utf-8"), re.S | re.M)
    return [[(language, *statement) for statement in statements(block, MARKS[language])] for language, block in found]


class Reader:
    """One database, with the addresses and passwords of this machine in place of those that are shown."""

    def __init__(self, server, name, places):
        self.server = server
        self.database = Database(server, name)
        self.database.execute(TABLES)
        self.places = places
        self.roles = self.all_roles()

    def all_roles(self):
        return {name for (name,) in self.database.execute("SELECT rolname FROM pg_roles")}

    def type(self, statement):
        for shown, here in self.places.items():
            statement = statement.replace(shown, here)
        statement = re.sub(r"(wait_delivered\('\w+')\)", r"\1, '180s')", statement)  # this machine may be busy
        statement = re.sub(r"(wait_delivered\('\w+'), '2s'\)", r"\1, '10s')", statement)
        return None if statement == "CREATE EXTENSION autosync" else self.database.execute(statement)

    def follow(self, page, graph=None):
        """Types a whole page; returns in how many places it was told what comes back."""
        psycopg2.extensions.register_type(AS_TEXT, self.database.connection)
        compared = 0
        for language, statement, shown in itertools.chain(*blocks(page, "sql|cypher")):
            try:
                rows = self.type(statement) if language == "sql" else graph.rows(statement)
                here = [" | ".join(map(text_of, row)).strip() for row in rows or []] or ["(no rows)"]
            except psycopg2.Error as error:
                if shown is None or not shown[0].startswith("ERROR"):
                    raise AssertionError("%s: %s\n%s" % (page.name, statement, error)) from error
                here = ["ERROR: " + error.diag.message_primary]
            if shown is not None and here != shown:
                trouble = self.database.execute("SELECT source, entity_id, last_error FROM autosync.failed_events")
                raise AssertionError("%s: %s\nshown: %s\nhere:  %s\ndead letters: %s" % (page.name, statement, shown, here, trouble))
            compared += shown is not None
        return compared

    def leave(self):
        """What was made outside of the database goes, too."""
        made = self.all_roles() - self.roles
        self.database.connection.close()
        with contextlib.closing(self.server.connect("postgres")) as connection, connection.cursor() as cursor:
            cursor.execute('DROP DATABASE "%s" WITH (FORCE)' % self.database.name)
            for role in made:
                cursor.execute('DROP ROLE "%s"' % role)
