// Result rows of a sync's statements -> rows as targets see them.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pg/datum.hpp"
#include "worker/read.hpp"
#include "worker/statement.hpp"

namespace autosync::worker {

/// How the result columns are read, looked up once per reader.
class RowDecoder final {
public:
    RowDecoder(const config::Sync &sync, const Statement &statement);

    [[nodiscard]] std::span<const pg::Canonical> key() const noexcept { return key_; }
    /// A row that exists. Adds about its size to `bytes`. May raise.
    [[nodiscard]] ReadRow read(const Datum *values, const bool *nulls, std::size_t *bytes) const;

private:
    [[nodiscard]] mapping::Value masked(std::size_t column, Datum value) const;
    void read_links(const Datum *values, const bool *nulls, ReadRow &row) const;

    const Statement &statement_;
    bool keep_filtered_;
    bool keep_deleted_;
    std::optional<std::size_t> decides_; ///< the place in a row of what is NULL when the row does not match
    std::vector<std::string> names_;
    std::vector<pg::Canonical> key_;
    std::vector<pg::Decoder> columns_; ///< sent and computed
    std::vector<config::Mask> masks_;  ///< per column sent
    std::map<std::size_t, pg::Canonical> hashed_; ///< of these: how their values are written before they are hashed
    std::vector<pg::Canonical> links_; ///< per result column behind the columns sent
};

/// The rows of one result with their keys as text. Lives as long as the result.
class Rows final {
public:
    Rows(std::span<const pg::Canonical> key, std::span<const HeapTuple> tuples, TupleDesc shape);

    [[nodiscard]] std::size_t size() const noexcept { return count_; }
    /// The key columns' texts, each with a NUL behind it.
    [[nodiscard]] std::string_view key(std::size_t row) const;
    [[nodiscard]] std::vector<std::string> key_columns(std::size_t row) const;
    [[nodiscard]] const Datum *values(std::size_t row) const { return values_ + row * width_; }
    [[nodiscard]] const bool *nulls(std::size_t row) const { return nulls_ + row * width_; }

private:
    std::size_t count_;
    std::size_t width_;
    Datum *values_; // all in the result's memory context
    bool *nulls_;
    char *text_;
    int *ends_; ///< per row, in text_
};

/// The same form for a key that is looked for.
void join(std::span<const std::string> columns, std::string &text);

} // namespace autosync::worker
