"""Random changes to the tables of a schema: inserts, updates, moved foreign keys, key changes, swaps, deletes, re-inserts, in transactions
with savepoints of which some are rolled back. Seeded: the same seed draws the same changes (what concurrent writers make of them may differ)."""
import itertools
import random
import string
import threading
import time

import psycopg2
from psycopg2 import sql

from model import quoted, tables_of

fresh = itertools.count(1_000_000)


def fresh_key(kind):
    """A key that no row has had before."""
    return next(fresh) if kind in ("integer", "bigint", "smallint") else "k%d" % next(fresh)


def defer_foreign_keys(database, tables):
    """Lets a transaction change a key and what points at it in any order."""
    for table in tables.values():
        for link in table.foreign_keys:
            database.execute("ALTER TABLE %s ALTER CONSTRAINT %s DEFERRABLE INITIALLY DEFERRED" % (quoted(table.name), quoted(link.name)))


class Writer(threading.Thread):
    """One session; ends when `changes` of its changes have committed, or when it is told to stop."""

    def __init__(self, database, seed, changes, truncates=(), session="", pause=0):
        super().__init__(daemon=True)
        self.database = database
        self.tables = tables_of(database)
        self.random = random.Random(seed)
        self.changes = changes
        self.truncates = truncates
        self.session = session
        self.pause = pause  # seconds between transactions
        self.keys = {}
        self.committed = self.rolled_back = self.refused = 0
        self.error = None
        self.stopping = threading.Event()
        self.cursor = None

    def run(self):
        connection = None
        try:
            connection = self.database.connect()
            connection.autocommit = True
            self.cursor = connection.cursor()
            if self.session:
                self.cursor.execute(self.session)
            self.write()
        except Exception as error:  # told to whoever joins
            self.error = error
        finally:
            # Also after an error: its locks would hold up the others for ever.
            if connection is not None:
                connection.close()

    def finish(self):
        self.join()
        if self.error is not None:
            raise self.error
        return self

    def write(self):
        for number in itertools.count():
            if self.committed >= self.changes or self.stopping.is_set():
                return
            if number % 50 == 0:
                self.keys.clear()
            self.transaction(self.random.choice((1, 1, 1, 2, 3, 5, 8, 20)))
            time.sleep(self.pause)

    def transaction(self, size):
        fate = self.random.random()
        try:
            self.cursor.execute("BEGIN")
            for _ in range(size):
                inner = self.random.random()
                if inner < 0.3:
                    self.cursor.execute("SAVEPOINT s")
                    try:
                        self.change()
                        self.cursor.execute("ROLLBACK TO s" if inner < 0.1 else "RELEASE s")
                    except psycopg2.IntegrityError:
                        self.cursor.execute("ROLLBACK TO s")
                else:
                    self.change()
            if fate < 0.15:
                self.cursor.execute("ROLLBACK")
                self.rolled_back += size
            else:
                self.cursor.execute("COMMIT")
                self.committed += size
        except (psycopg2.IntegrityError, psycopg2.extensions.TransactionRollbackError, psycopg2.errors.ObjectInUse):
            # A key that is taken or gone, a deadlock, TRUNCATE with checks outstanding: PostgreSQL has refused it, so it never happened.
            self.cursor.execute("ROLLBACK")
            self.refused += size

    def execute(self, template, *arguments, **names):
        def quoted(value):
            return sql.Identifier(value) if isinstance(value, str) else value
        self.cursor.execute(sql.SQL(template).format(**{name: quoted(value) for name, value in names.items()}), arguments)

    def known_keys(self, table):
        if table.name not in self.keys:
            self.execute("SELECT {columns} FROM {table}", table=table.name, columns=columns_list(table.key))
            self.keys[table.name] = self.cursor.fetchall()
        return self.keys[table.name]

    def some_key(self, table):
        keys = self.known_keys(table)
        return self.random.choice(keys) if keys else None

    def change(self):
        table = self.random.choice(list(self.tables.values()))
        if self.truncates and self.random.random() < 0.01:
            self.execute("TRUNCATE {table}", table=self.random.choice(self.truncates))
            return
        acts = [self.insert, self.insert, self.delete, self.update, self.update, self.move]
        if not table.is_join:
            acts += [self.change_key, self.swap, self.insert_again]
        self.random.choice(acts)(table)

    def random_value(self, kind):
        draw = self.random
        if kind in ("integer", "bigint", "smallint"):
            return draw.randrange(-3000, 3000)
        if kind.startswith("numeric") or kind in ("double precision", "real"):
            return "%d.%02d" % (draw.randrange(100), draw.randrange(100))
        if kind == "boolean":
            return draw.random() < 0.5
        if kind == "date":
            return "20%02d-%02d-%02d" % (draw.randrange(10, 30), draw.randrange(1, 13), draw.randrange(1, 29))
        if kind.startswith("timestamp"):
            return "20%02d-%02d-%02d %02d:%02d:00" % (draw.randrange(10, 30), draw.randrange(1, 13), draw.randrange(1, 29), draw.randrange(24), draw.randrange(60))
        return "".join(draw.choice(string.ascii_letters + "äß漢'\\\"`") for _ in range(draw.randrange(1, 10)))

    def random_row(self, table):
        row = {}
        for link in table.foreign_keys:
            key = self.some_key(self.tables[link.parent])
            if key is None:
                return None
            row.update(zip(link.columns, key))
        for column, kind in table.columns:
            if column not in row:
                row[column] = fresh_key(kind) if column in table.key else self.random_value(kind)
        return row

    def insert(self, table):
        row = self.random_row(table)
        if row is not None:
            self.insert_row(table, row)

    def insert_row(self, table, row):
        self.execute("INSERT INTO {table} ({columns}) VALUES ({values}) ON CONFLICT DO NOTHING", *row.values(), table=table.name,
                     columns=columns_list(row), values=sql.SQL(", ").join([sql.Placeholder()] * len(row)))
        self.keys.get(table.name, []).append(tuple(row[column] for column in table.key))

    def delete(self, table):
        """A row with what points at it, unless that is much: the tables are to last until the storm is over."""
        key = self.some_key(table)
        if key is None:
            return
        doomed = []
        if self.gather(table, key, doomed):
            for victim, victim_key in reversed(doomed):
                self.execute("DELETE FROM {table} WHERE {where}", *victim_key, table=victim.name, where=condition(victim.key))

    def gather(self, table, key, doomed):
        if (table, key) in doomed:
            return True
        doomed.append((table, key))
        for child in self.tables.values():
            for link in child.foreign_keys:
                if link.parent == table.name:
                    self.execute("SELECT {columns} FROM {table} WHERE {where} LIMIT 10", *key, table=child.name, columns=columns_list(child.key),
                                 where=condition(link.columns))
                    for child_key in self.cursor.fetchall():
                        if not self.gather(child, child_key, doomed):
                            return False
        return len(doomed) < 10

    def update(self, table):
        linked = {column for link in table.foreign_keys for column in link.columns}
        plain = [column for column in table.columns if column[0] not in linked and column[0] not in table.key]
        key = self.some_key(table)
        if plain and key is not None:
            column, kind = self.random.choice(plain)
            self.execute("UPDATE {table} SET {column} = %s WHERE {where}", self.random_value(kind), *key, table=table.name, column=column,
                         where=condition(table.key))

    def move(self, table):
        key = self.some_key(table)
        if key is None or not table.foreign_keys:
            return
        link = self.random.choice(table.foreign_keys)
        parent = self.some_key(self.tables[link.parent])
        if parent is None:
            return
        assignments = sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in link.columns)
        self.execute("UPDATE {table} SET {assignments} WHERE {where}", *parent, *key, table=table.name, assignments=assignments, where=condition(table.key))

    def rename(self, table, old, new):
        self.execute("UPDATE {table} SET {column} = %s WHERE {where}", new, *old, table=table.name, column=table.key[0], where=condition(table.key))

    def change_key(self, table):
        """A new key; what points at the old one follows."""
        key = self.some_key(table)
        if key is None or len(key) != 1:
            return
        new = fresh_key(dict(table.columns)[table.key[0]])
        self.rename(table, key, new)
        for child in self.tables.values():
            for link in child.foreign_keys:
                if link.parent == table.name and link.referenced == table.key:
                    self.execute("UPDATE {table} SET {column} = %s WHERE {where}", new, *key, table=child.name, column=link.columns[0], where=condition(link.columns))
        self.keys.get(table.name, []).append((new,))

    def swap(self, table):
        """Two rows exchange their keys; what points at a key now points at the other row."""
        one, other = self.some_key(table), self.some_key(table)
        if one is None or one == other or len(one) != 1:
            return
        aside = fresh_key(dict(table.columns)[table.key[0]])
        self.rename(table, one, aside)
        self.rename(table, other, one[0])
        self.rename(table, (aside,), other[0])

    def insert_again(self, table):
        """The same key, deleted and inserted with other values in one transaction."""
        key = self.some_key(table)
        row = self.random_row(table)
        if key is None or row is None:
            return
        self.execute("DELETE FROM {table} WHERE {where}", *key, table=table.name, where=condition(table.key))
        if self.cursor.rowcount:
            row.update(zip(table.key, key))
            self.insert_row(table, row)


def columns_list(columns):
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def condition(columns):
    return sql.SQL(" AND ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in columns)
