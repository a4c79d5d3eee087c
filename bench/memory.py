"""Whether memory stays what it is: of one session over very many transactions, of the worker over very many events."""
from machine import add_sync, one, session, wait_delivered, worker

TRANSACTIONS = 1_000_000
EVENTS = 5_000_000
PIECES = 10
ROWS = 50_000

SMALL = """
CREATE PROCEDURE small_transactions(number int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. number LOOP
        UPDATE remembered SET v = v + 1 WHERE id = i % 1000 + 1;
        COMMIT;
    END LOOP;
END $$;
"""


def resident(pid):
    """kB of a process that are its own."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon:"))


def told(samples):
    return f"{samples[0]:,} … {samples[-1]:,} kB ({samples[-1] - samples[0]:+,})"


def measure(report, server):
    with session() as connection:
        one(connection, "SELECT autosync.add_target('memory', %s)", server.url)
        one(connection, f"CREATE TABLE remembered (id int PRIMARY KEY, v int) WITH (fillfactor = 50);"
                        f" INSERT INTO remembered SELECT i, 0 FROM generate_series(1, {ROWS}) AS i")
        add_sync(connection, "remembered", "memory")
        one(connection, SMALL)
        one(connection, "SET synchronous_commit = off")
        pid, worker_pid = one(connection, "SELECT pg_backend_pid()"), worker(connection)
        ours = []
        for _ in range(PIECES):
            one(connection, f"CALL small_transactions({TRANSACTIONS // PIECES})")
            ours.append(resident(pid))
        wait_delivered(connection, "memory")
        theirs = []
        for _ in range(PIECES):
            for _ in range(EVENTS // PIECES // ROWS):
                one(connection, "UPDATE remembered SET v = v + 1")
                wait_delivered(connection, "memory")
            theirs.append(resident(worker_pid))
        if worker(connection) != worker_pid:
            raise RuntimeError("the worker is not the one it was")
    report.add(f"resident memory of a session, after a tenth and after all of {TRANSACTIONS:,} transactions", "flat", {"autosync": told(ours)})
    report.add(f"— of the worker, after a tenth and after all of {EVENTS:,} events", "flat", {"autosync": told(theirs)})
