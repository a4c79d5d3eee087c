// The result of a set-returning function, written row by row as text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pg/spi.hpp"

namespace autosync::operate {

/// Collects the rows of one set-returning function; each cell goes through the input function of its column's type.
class Rows final {
public:
    explicit Rows(FunctionCallInfo fcinfo);
    ~Rows();
    Rows(const Rows &) = delete;
    Rows &operator=(const Rows &) = delete;

    void add(const std::vector<pg::Cell> &cells);

private:
    ReturnSetInfo *result_;
    AttInMetadata *shape_;
    MemoryContext scratch_; ///< of one row; emptied for the next
};

/// The result of a function that returns one composite value.
[[nodiscard]] Datum one_row(FunctionCallInfo fcinfo, const std::vector<pg::Cell> &cells);

/// {"a","b"}: the text form of an array.
[[nodiscard]] std::string array_text(const std::vector<std::string> &items);
[[nodiscard]] std::string boolean_text(bool value);
/// NULL for 0 (never) and text in the session's DateStyle and TimeZone else, as timestamptz reads it back.
[[nodiscard]] pg::Cell time_text(TimestampTz time);
/// NULL for an empty text.
[[nodiscard]] pg::Cell text_or_null(std::string_view text);
/// From UTF-8, in which targets are spoken to, to the database's encoding.
[[nodiscard]] std::string from_utf8(const std::string &text);

} // namespace autosync::operate
