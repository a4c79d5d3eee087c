"""The private server and its processes: connections, CPU time, WAL, and the server that answers at once."""
import contextlib
import os
import subprocess
import time

import psycopg2

ROW_BYTES = 300


def connect(database="bench"):
    connection = psycopg2.connect(dbname=database)
    connection.autocommit = True
    return connection


def session(database="bench"):
    """For a with statement; psycopg2's own would make it a transaction."""
    return contextlib.closing(connect(database))


def one(connection, sql, *parameters):
    """The only cell of a statement's only row."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchone()[0] if cursor.description else None


def cpu(pid):
    """CPU time of a process so far, in seconds, to the nanosecond."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0]) / 1e9


def cpu_of_threads(pid):
    """The same of all threads of a process, to the hundredth of a second."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def worker(connection):
    for _ in range(100):
        pid = one(connection, "SELECT max(pid) FROM pg_stat_activity WHERE backend_type = 'autosync worker' AND datname = current_database()")
        if pid:
            return pid
        time.sleep(0.1)
    raise RuntimeError("no autosync worker came up")


def wal(connection):
    return one(connection, "SELECT pg_current_wal_insert_lsn() - '0/0'")


def server_command(*arguments):
    """scripts/postgres with these arguments."""
    subprocess.run(["scripts/postgres", *arguments], check=True, stdout=subprocess.DEVNULL)


class InstantServer:
    """The HTTP server that answers at once, and its log of arrivals; `most`: requests a second that it takes, 0 for any number."""

    def __init__(self, program, port, most=0):
        self.program, self.port = program, port
        self.url = f"http://127.0.0.1:{port}"
        self.log = os.path.join(os.environ["PGHOST"], f"arrivals-{port}")
        self.process = subprocess.Popen([program, str(port), self.log, str(most)])
        time.sleep(0.2)
        if self.process.poll() is not None:
            raise RuntimeError("the HTTP server did not start")

    def arrivals(self):
        """(time in seconds, rows, keys) per request so far."""
        with open(self.log, encoding="utf-8") as file:
            lines = [line.split() for line in file if line.endswith("\n")]
        return [(int(line[0]) / 1e6, int(line[1]), line[2:]) for line in lines]

    def since(self, before, rows):
        """The arrivals beyond the first `before`, once they are so many rows; and rows a second, by a clock that the first of them starts."""
        arrivals = self.arrivals()[before:]
        arrived = sum(arrival[1] for arrival in arrivals)
        if arrived != rows:
            raise RuntimeError(f"{arrived} rows arrived instead of {rows}")
        return arrivals, (rows - arrivals[0][1]) / (arrivals[-1][0] - arrivals[0][0])

    def stop(self):
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def held_snapshot():
    """A transaction elsewhere that keeps its snapshot all the while."""
    holder = connect()
    holder.autocommit = False
    holder.set_session(isolation_level="REPEATABLE READ")
    one(holder, "SELECT count(*) FROM pg_class")
    try:
        yield
    finally:
        holder.rollback()
        holder.close()


def make_table(connection, name):
    """Rows of about ROW_BYTES bytes."""
    one(connection, f"CREATE TABLE {name} (id int PRIMARY KEY, customer_id int NOT NULL, status text NOT NULL, amount numeric(12,2) NOT NULL,"
                    " changed timestamptz NOT NULL DEFAULT now(), note text)")


def row_values(number):
    return f"{number}, {number} % 1000, 'open', {number} % 500 + 0.25, now(), repeat('x', {ROW_BYTES - 70})"


def fill(connection, name, rows, per_transaction=1000):
    """So many rows, in transactions of so many."""
    for start in range(1, rows + 1, per_transaction):
        end = min(start + per_transaction - 1, rows)
        one(connection, f"INSERT INTO {name} SELECT {row_values('i')} FROM generate_series({start}, {end}) AS i")


def add_sync(connection, table, target, options="{}"):
    one(connection, "SELECT autosync.add_sync(%s, %s, %s, backfill => false)", table, target, options)


def wait_delivered(connection, target, timeout="300s"):
    if not one(connection, "SELECT autosync.wait_delivered(%s, %s)", target, timeout):
        raise RuntimeError(f"nothing arrived at target {target} within {timeout}")
