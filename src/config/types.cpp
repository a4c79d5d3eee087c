#include "config/types.hpp"

#include "pg/bridge.hpp"

namespace autosync::config {

namespace {

mapping::Kind kind_of(Oid type)
{
    using enum mapping::Kind;
    switch (type) {
    case BOOLOID:
        return boolean;
    case INT2OID:
    case INT4OID:
    case INT8OID:
        return integer;
    case FLOAT4OID:
    case FLOAT8OID:
        return real;
    case NUMERICOID:
        return decimal;
    case JSONOID:
    case JSONBOID:
        return json;
    case DATEOID:
        return date;
    case TIMEOID:
        return time;
    case TIMETZOID:
        return timetz;
    case TIMESTAMPOID:
        return timestamp;
    case TIMESTAMPTZOID:
        return timestamptz;
    case BYTEAOID:
        return bytes;
    default:
        return text;
    }
}

/// Does a float64 carry every value of numeric(p, s) exactly (as its shortest text)?
bool fits_double(int32 typmod)
{
    if (typmod < static_cast<int32>(VARHDRSZ))
        return false;
    const int32 packed = typmod - static_cast<int32>(VARHDRSZ);
    const int32 precision = (packed >> 16) & 0xFFFF;
    const int32 scale = ((packed & 0x7FF) ^ 1024) - 1024;
    return precision <= 15 && scale > -290 && scale < 290;
}

} // namespace

Oid base_type(Oid type, int32 &typmod)
{
    int32 *const out = &typmod;
    return pg::call([=] { return getBaseTypeAndTypmod(type, out); });
}

mapping::Type type_of(Oid type, int32 typmod)
{
    mapping::Type result;
    const Oid element = pg::call([type] { return get_element_type(type); });
    if (!OidIsValid(element)) {
        result.kind = kind_of(type);
        result.fits_double = type == NUMERICOID && fits_double(typmod);
        return result;
    }
    const Oid base = base_type(element, typmod);
    result.kind = mapping::Kind::list;
    result.element = kind_of(base);
    result.fits_double = base == NUMERICOID && fits_double(typmod);
    return result;
}

std::string type_name(Oid type)
{
    // With "typmod given" as -1, bpchar and bit keep their names: "character" would mean one letter.
    return pg::call([type] { return format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY); });
}

} // namespace autosync::config
