// on_delete as a condition: asked of a row at the moment it is deleted, as nobody can read it later.
#pragma once

#include <memory>
#include <string>
#include <type_traits>

#include "pg/postgres.hpp"

namespace autosync::capture {

/// Is an error of the transaction as a whole, not of what was evaluated in it: cancelled, no memory, a deadlock?
[[nodiscard]] bool is_of_transaction(int sqlstate);

class LastState final {
public:
    /// `table`: that declares the sync, `row_type`: of the rows that are deleted, which may be those of a partition.
    LastState(std::string condition, Oid table, Oid row_type) : condition_{std::move(condition)}, table_{table}, row_type_{row_type} {}

    /// Is the condition true of this row? Evaluated with the rights of the table's owner, in a subtransaction: where it raises, the row's
    /// deletion does not fail for it, a WARNING tells, and what the target holds stays.
    [[nodiscard]] bool holds(HeapTuple row, TupleDesc shape);

private:
    struct Free {
        void operator()(SPIPlanPtr plan) const noexcept { SPI_freeplan(plan); }
    };
    void prepare();

    std::string condition_;
    Oid table_;
    Oid row_type_;
    std::unique_ptr<std::remove_pointer_t<SPIPlanPtr>, Free> plan_;
};

} // namespace autosync::capture
