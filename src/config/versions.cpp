#include "config/versions.hpp"

#include "config/keys.hpp"
#include "config/types.hpp"
#include "pg/spi.hpp"

namespace autosync::config {

namespace {

/// numeric(18) and less, without digits behind the point.
bool whole(const Table &table, const Attribute &attribute)
{
    struct Declared {
        Oid type;
        int32 typmod;
        Oid collation;
    };
    const Oid oid = table.oid;
    const AttrNumber number = attribute.number;
    Declared declared = pg::call([oid, number] {
        Declared found{};
        get_atttypetypmodcoll(oid, number, &found.type, &found.typmod, &found.collation);
        return found;
    });
    (void)base_type(declared.type, declared.typmod);
    constexpr int most_digits = 18;
    const int32 packed = declared.typmod - static_cast<int32>(VARHDRSZ); // precision and scale, as numeric keeps them
    return packed >= 0 && (packed & 0xffff) == 0 && packed >> 16 <= most_digits;
}

} // namespace

std::string version_expression(const Table &table, const mapping::Options &options)
{
    const auto option = options.find("version");
    if (option == options.end())
        return {};
    const auto &attribute = *named_columns(table, "version", std::vector<std::string>{option->second}).front();
    const std::string column = pg::quote(table.name) + "." + pg::quote(attribute.name);
    switch (attribute.type) {
    case INT2OID:
    case INT4OID:
    case INT8OID:
        return column + "::pg_catalog.int8";
    case TIMESTAMPTZOID:
        return "CASE WHEN pg_catalog.isfinite(" + column + ") THEN (pg_catalog.extract('epoch', " + column + ") OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 END";
    case NUMERICOID:
        if (whole(table, attribute))
            return "CASE WHEN " + column + " OPERATOR(pg_catalog.<>) 'NaN'::pg_catalog.numeric THEN " + column + "::pg_catalog.int8 END";
        break;
    default:
        break;
    }
    throw pg::Failure{ERRCODE_DATATYPE_MISMATCH, "column \"" + attribute.name + "\" of option \"version\" holds no versions",
                      {},
                      "Its type must be smallint, integer, bigint, numeric without fraction and of at most 18 digits, or timestamp with time zone."};
}

} // namespace autosync::config
