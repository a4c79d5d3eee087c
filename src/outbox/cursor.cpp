#include "outbox/cursor.hpp"

#include <algorithm>
#include <iterator>

#include "outbox/truncate.hpp"
#include "pg/spi.hpp"

namespace autosync::outbox {

namespace {

constexpr const char *merged = "(merged)"; // the reason of a record that ends a lagging table's cursor

std::int64_t last_seq = 0; // of this worker; a record of an earlier one is never higher than the clock
int journal = 0;           // which of the two tables is appended to

/// Rises over restarts: the wall clock, or one more than the last.
std::int64_t next_seq()
{
    const auto now = static_cast<std::int64_t>(GetCurrentTimestamp());
    last_seq = now > last_seq ? now : last_seq + 1;
    return last_seq;
}

std::string table(int which) { return which == 0 ? "autosync.cursor_0" : "autosync.cursor_1"; }

Cursor read(const std::vector<pg::Cell> &row)
{
    Cursor cursor;
    cursor.target = row[0].value_or("");
    cursor.source = static_cast<Oid>(std::stoul(row[1].value_or("0")));
    cursor.passed = Horizon::parse(row[2].value_or("1:1:"));
    if (row[3])
        cursor.upto = Horizon::parse(*row[3]);
    if (row[4] && row[5])
        cursor.position = Position{std::stoull(*row[4]), std::stoi(*row[5])};
    cursor.reason = row[6].value_or("");
    return cursor;
}

void append(std::int64_t instance, const Cursor &cursor, const std::string &reason)
{
    pg::execute("INSERT INTO " + table(journal) +
                    " (instance, target, source, seq, passed, upto, position_xid, position_seq, reason, noted_at)"
                    " VALUES ($1::int8, $2::name, $3::oid, $4::int8, $5::pg_snapshot, $6::pg_snapshot, $7::xid8, $8::int4, nullif($9, ''), clock_timestamp())",
                {std::to_string(instance), cursor.target, std::to_string(cursor.source), std::to_string(next_seq()), cursor.passed.text(),
                 cursor.upto ? pg::Cell{cursor.upto->text()} : pg::Cell{}, cursor.position ? pg::Cell{std::to_string(cursor.position->xid)} : pg::Cell{},
                 cursor.position ? pg::Cell{std::to_string(cursor.position->seq)} : pg::Cell{}, reason});
}

/// In-place truncation obeys no snapshot: lock first, then look with a new one.
void lock_journal()
{
    pg::execute("LOCK TABLE autosync.cursor_0, autosync.cursor_1 IN ACCESS SHARE MODE");
}

/// As the active snapshot sees them; `merged` ones too.
std::vector<Cursor> newest_records(std::int64_t instance)
{
    const auto rows = pg::execute("SELECT DISTINCT ON (target, source) target, source, passed, upto, position_xid, position_seq, reason"
                                  " FROM (SELECT * FROM autosync.cursor_0 UNION ALL SELECT * FROM autosync.cursor_1) AS j"
                                  " WHERE instance = $1::int8 ORDER BY target, source, seq DESC",
                                  {std::to_string(instance)}, true);
    std::vector<Cursor> cursors;
    std::ranges::transform(rows, std::back_inserter(cursors), read);
    return cursors;
}

std::vector<Cursor> newest_records_now(std::int64_t instance)
{
    pg::call([] { PushActiveSnapshot(GetLatestSnapshot()); });
    auto cursors = newest_records(instance);
    pg::call([] { PopActiveSnapshot(); });
    return cursors;
}

std::vector<Cursor> live(std::vector<Cursor> cursors)
{
    std::erase_if(cursors, [](const Cursor &cursor) { return cursor.reason == merged; });
    return cursors;
}

} // namespace

std::vector<Cursor> load_cursors(std::int64_t instance)
{
    lock_journal();
    return live(newest_records_now(instance));
}

std::vector<Cursor> load_cursors_seen(std::int64_t instance)
{
    lock_journal();
    auto cursors = newest_records(instance);
    return live(cursors.empty() ? newest_records_now(instance) : std::move(cursors));
}

void save_cursor(std::int64_t instance, const Cursor &cursor) { append(instance, cursor, cursor.reason); }

void drop_cursor(std::int64_t instance, const Cursor &cursor) { append(instance, cursor, merged); }

void compact_cursors(std::int64_t instance)
{
    const int old = journal;
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        const auto cursors = load_cursors(instance);
        journal = 1 - old;
        for (const auto &cursor : cursors)
            append(instance, cursor, cursor.reason);
    });
    pg::transaction([&] {
        const pg::ActiveSnapshot snapshot;
        (void) truncate_in_place(table(old), [] { return true; });
    });
}

} // namespace autosync::outbox
