// How values of each type are written as JSON.
#pragma once

#include <string>
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

/// What is found on the way down.
struct JsonNeeds {
    bool pinned = false; ///< the settings, while values are written
    bool risky = false;  ///< some type's output function is not one of PostgreSQL's own
};

/// Reads catalogs. `needs` is added to.
[[nodiscard]] JsonForm form_of(Oid type, JsonNeeds &needs);
/// As the member of an object.
[[nodiscard]] std::string member_name(const char *name);

} // namespace autosync::pg
