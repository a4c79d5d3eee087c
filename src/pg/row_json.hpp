// A row as JSON text, written where it is captured: whatever the session's settings, and whatever the row holds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "pg/canonical.hpp"

namespace autosync::pg {

/// How values of one type are written. Numbers are numbers, arrays and composites are arrays and objects, json and jsonb stand as they are
/// unless jsonb could not hold them (then their text), everything else is its canonical text: json_populate_record() reads all of it back.
struct JsonForm {
    enum class Way : std::uint8_t { number, boolean, plain, text, output, json, jsonb, list, composite };
    Way way = Way::output;
    Canonical canonical;
    Oid type = InvalidOid;            ///< of the elements of a list, else the type itself
    int16 length = 0;                 ///< of the elements
    bool by_value = false;            ///< likewise
    char alignment = 0;               ///< likewise
    std::vector<JsonForm> parts{};    ///< the element of a list, the columns of a composite
    std::vector<std::string> names{}; ///< of the columns, as they are written
};

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
