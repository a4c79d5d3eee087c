// Prepared statements that run with the rights of a table's owner, planned to walk the key's index.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pg/spi.hpp"
#include "worker/time_limit.hpp"

namespace autosync::worker {

class Plan final {
public:
    Plan(std::string sql, std::vector<Oid> parameters) : sql_{std::move(sql)}, parameters_{std::move(parameters)} {}

    /// Parses and plans, where that is still to do or has become stale. Inside as_owner().
    void prepare();
    /// The result under the active snapshot; it lives as long as the SPI connection. Inside as_owner(), after prepare(). Throws SyncTrouble
    /// when the result columns are no longer of these types.
    [[nodiscard]] std::span<const HeapTuple> run(std::span<const Datum> values, std::span<const Oid> types, TupleDesc *shape);

private:
    struct Free {
        void operator()(SPIPlanPtr plan) const noexcept { SPI_freeplan(plan); }
    };
    std::string sql_;
    std::vector<Oid> parameters_;
    std::unique_ptr<std::remove_pointer_t<SPIPlanPtr>, Free> plan_;
};

/// Runs `body` in a subtransaction with SPI connected, as `owner` in a restricted context, where row security raises instead of filtering.
/// Throws SyncTrouble when it takes longer than `limit`.
template <typename Body> void as_owner(Oid owner, std::chrono::milliseconds limit, Body &&body)
{
    const TimeLimit time{limit};
    try {
        pg::subtransaction([&] {
            const pg::ActingAs acting{owner};
            pg::call([] {
                (void)set_config_option("row_security", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
                pg::connect_spi();
            });
            body();
            pg::call([] { SPI_finish(); });
        });
    } catch (const pg::Error &error) {
        time.judge(error);
        throw;
    }
}

} // namespace autosync::worker
