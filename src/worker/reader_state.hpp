// What a Reader keeps between reads; seen by read*.cpp only.
#pragma once

#include <optional>

#include "pg/canonical.hpp"
#include "worker/plan.hpp"
#include "worker/read.hpp"
#include "worker/rows.hpp"
#include "worker/statement.hpp"

namespace autosync::worker {

/// What a statement was doing when it failed.
enum class Step : std::uint8_t { planning, parameters, running };

/// Decides whose trouble an error is: throws SyncTrouble when it tells something of the sync as a whole, or of the server and this moment
/// (no space, no memory, a cancel), and returns when it may be that of a row.
void blame(const pg::Error &error, Step step);

/// Pinned settings for as long as values are turned into text.
class Pinned final {
public:
    Pinned()
    {
        auto *const settings = &settings_;
        pg::call([settings] { settings->emplace(); });
    }
    ~Pinned()
    {
        if (std::uncaught_exceptions() == 0) // else the abort takes them back
            settings_->release();
    }
    Pinned(const Pinned &) = delete;
    Pinned &operator=(const Pinned &) = delete;

private:
    std::optional<pg::PinnedSettings> settings_;
};

struct Reader::State {
    explicit State(const config::Sync &sync);

    /// The state of some keys, halving until a row that raises stands alone.
    void read_batch(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows);
    void try_batch(std::span<const Wanted> wanted, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows, Step *step);
    void read_texts(std::span<const std::string *const> payloads, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows);
    [[nodiscard]] ReadRow absent() const;
    void name(ReadRow &row, const std::string &key) const; ///< in UTF-8, or says why not

    /// Up to `count` rows behind the piece's position; `seen` tells how many.
    void scan(std::size_t count, std::size_t byte_budget, std::size_t *bytes, BackfillPiece *piece, std::size_t *seen);
    void try_scan(std::size_t count, std::size_t byte_budget, std::size_t *bytes, BackfillPiece *piece, std::size_t *seen, Step *step);
    /// The very next row raises: it is passed by its key.
    void park_next(const std::string &problem, BackfillPiece *piece);
    void use_condition(const std::string &where_clause);
    [[nodiscard]] Plan &plan_after(bool from_position, bool keys_only);
    [[nodiscard]] std::vector<Datum> parameters_after(const std::string &position, std::size_t count) const;

    Oid owner;
    std::chrono::milliseconds limit{0}; ///< of one statement; 0: none
    bool keep_filtered;
    bool keep_deleted;
    std::vector<mapping::Column> columns;
    std::vector<config::Mask> masks;
    Statement statement;
    RowDecoder decoder;
    Plan by_keys;
    std::optional<Plan> by_payloads;
    std::string where; ///< of the plans below
    std::optional<Plan> first;
    std::optional<Plan> next;
    std::optional<Plan> first_key;
    std::optional<Plan> next_key;
};

} // namespace autosync::worker
