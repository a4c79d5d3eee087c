// Small SQL from C++: text in, text out. For whatever is not on a hot path.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/bridge.hpp"

namespace autosync::pg {

using Cell = std::optional<std::string>; ///< nullopt is NULL
using Rows = std::vector<std::vector<Cell>>;

/// Runs one statement; every parameter is passed as text ($1::int8 casts it). Connects to SPI by itself. Needs a transaction.
Rows execute(const std::string &sql, const std::vector<Cell> &parameters = {}, bool read_only = false);
/// The only cell of the only row; nullopt also when there is no row.
Cell execute_one(const std::string &sql, const std::vector<Cell> &parameters = {}, bool read_only = false);

/// Acts as another role for a scope, with a restricted security context and a pinned search_path ("pg_catalog, pg_temp").
class ActingAs final {
public:
    explicit ActingAs(Oid role, bool restricted = true);
    ~ActingAs();
    ActingAs(const ActingAs &) = delete;
    ActingAs &operator=(const ActingAs &) = delete;

private:
    Oid role_;
    int context_;
    int nest_level_;
};

[[nodiscard]] Oid extension_owner(); ///< raises when the extension is not installed
[[nodiscard]] std::string quote(std::string_view identifier);
[[nodiscard]] std::string quote_qualified(std::string_view schema, std::string_view name);
[[nodiscard]] std::string quote_string(std::string_view text);
[[nodiscard]] std::string text_argument(FunctionCallInfo fcinfo, int index); ///< text or name
/// An interval of at most a year, not below zero; a month is 30 days.
[[nodiscard]] std::chrono::milliseconds duration_argument(FunctionCallInfo fcinfo, int index);
[[nodiscard]] std::string name_argument(FunctionCallInfo fcinfo, int index);
[[nodiscard]] Datum text_datum(std::string_view text); ///< palloc'd text

/// One transaction of a worker: committed when `body` returns, aborted (and rethrown) when it throws.
/// `repeatable`: one snapshot for all of it, taken at its first use.
template <typename Body>
void transaction(Body &&body, bool repeatable = false)
{
    call([repeatable] {
        SetCurrentStatementStartTimestamp();
        StartTransactionCommand();
        if (repeatable)
            XactIsoLevel = XACT_REPEATABLE_READ;
    });
    try {
        body();
        call([] { CommitTransactionCommand(); });
    } catch (...) {
        call([] { AbortCurrentTransaction(); });
        throw;
    }
}

/// An active snapshot for a scope: that of the transaction when it is repeatable, else a new one.
class ActiveSnapshot final {
public:
    ActiveSnapshot() { call([] { PushActiveSnapshot(GetTransactionSnapshot()); }); }
    ~ActiveSnapshot();
    ActiveSnapshot(const ActiveSnapshot &) = delete;
    ActiveSnapshot &operator=(const ActiveSnapshot &) = delete;
};

} // namespace autosync::pg
