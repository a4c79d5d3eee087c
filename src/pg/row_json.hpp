// A row as JSON text, written where it is captured: whatever the session's settings, and whatever the row holds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pg/json_form.hpp"

namespace autosync::pg {

class RowJson final {
public:
    /// Of the columns in the bitmap `used` (bit n-1 = attribute n). Reads catalogs.
    RowJson(TupleDesc shape, std::string_view used);

    /// Writes the row into `out`; false: it would take more than `most` bytes. Raises only for what a type's own output function raises, and
    /// only if risky().
    [[nodiscard]] bool write(HeapTuple row, TupleDesc shape, std::size_t most, std::string &out) const;
    /// Some type's output function is not one of PostgreSQL's own.
    [[nodiscard]] bool risky() const noexcept { return risky_; }

private:
    std::vector<AttrNumber> numbers_;
    JsonForm row_; ///< a composite of the columns
    bool pinned_ = false;
    bool risky_ = false;
};

} // namespace autosync::pg
