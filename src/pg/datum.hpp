// PostgreSQL's values -> typed values of a row.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "mapping/value.hpp"
#include "pg/canonical.hpp"

namespace autosync::pg {

/// A value that cannot leave the database as it is (bytes that are not UTF-8 in an SQL_ASCII database): only its row is parked.
class Unreadable final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Turns values of one column into mapping values. Looked up once, then kept. The caller holds PinnedSettings around read() when it
/// reads many values, and says so.
class Decoder final {
public:
    /// `declared`: the column's type. Raises when `type` does not suit it. Reads catalogs.
    Decoder(std::string column, const mapping::Type &type, Oid declared);

    /// A value that is not NULL. Throws Unreadable; may raise (then the subtransaction must be aborted).
    [[nodiscard]] mapping::Value read(Datum value, bool pinned = false) const;

private:
    enum class Way : std::uint8_t { boolean, integer, float4, float8, raw, bytes, printed, list };

    /// How the elements of a list lie in the array.
    struct Stored {
        Oid type = InvalidOid;
        int16 length = 0;
        bool by_value = false;
        char alignment = 0;
    };

    template <typename Out> [[nodiscard]] Out scalar(Datum value, bool pinned) const;
    [[nodiscard]] mapping::List list(Datum value, bool pinned) const;
    [[nodiscard]] std::string raw(Datum value) const;
    [[nodiscard]] std::string printed(Datum value, bool pinned) const;
    [[nodiscard]] static Way way_of(const mapping::Type &type, const Canonical &canonical);

    std::string column_;
    Canonical canonical_;
    Way way_ = Way::printed;
    std::unique_ptr<const Decoder> element_; ///< of a list
    Stored stored_;
};

/// From the database's encoding. Throws Unreadable, with `column` in its message, when there is no such text in UTF-8; may raise.
[[nodiscard]] std::string to_utf8(std::string text, std::string_view column);

} // namespace autosync::pg
