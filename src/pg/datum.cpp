#include "pg/datum.hpp"

#include <charconv>
#include <cmath>

namespace autosync::pg {

namespace {

using mapping::Kind;
using Form = Canonical::Form;

/// A varlena's bytes in one piece; `copy` when they had to be fetched or unpacked.
struct Flat {
    const struct varlena *data;
    bool copy;
};

Flat flatten(Datum value)
{
    auto *const stored = reinterpret_cast<struct varlena *>(DatumGetPointer(value));
    if (!VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored))
        return {stored, false};
    return {call([stored] { return pg_detoast_datum_packed(stored); }), true};
}

std::string take(const Flat &flat)
{
    std::string text{VARDATA_ANY(flat.data), VARSIZE_ANY_EXHDR(flat.data)};
    if (flat.copy)
        pfree(const_cast<struct varlena *>(flat.data));
    return text;
}

/// What SELECT shows, as a double: 0.1 stays 0.1.
double widen(float4 value)
{
    double wide = value;
    char text[FLOAT_SHORTEST_DECIMAL_LEN];
    if (std::isfinite(value)) // from_chars: a third of strtod's time, and vectors have hundreds of numbers
        (void)std::from_chars(text, text + float_to_shortest_decimal_buf(value, text), wide);
    return wide;
}

[[noreturn]] void unsuitable(const std::string &column)
{
    throw Failure{ERRCODE_DATATYPE_MISMATCH, "the type of column \"" + column + "\" has changed"};
}

} // namespace

Decoder::Way Decoder::way_of(const mapping::Type &type, const Canonical &canonical)
{
    switch (type.kind) {
    case Kind::boolean:
        return Way::boolean;
    case Kind::integer:
        return Way::integer;
    case Kind::real:
        return canonical.form() == Form::float4 ? Way::float4 : Way::float8;
    case Kind::bytes:
        return Way::bytes;
    case Kind::list:
        return Way::list;
    case Kind::text:
        // As SELECT shows it, so char(n) with its blanks.
        return canonical.form() == Form::text || canonical.form() == Form::blank_padded ? Way::raw : Way::printed;
    case Kind::json:
        return canonical.base() == JSONOID ? Way::raw : Way::printed;
    default:
        return Way::printed;
    }
}

Decoder::Decoder(std::string column, const mapping::Type &type, Oid declared) : column_{std::move(column)}
{
    canonical_ = call([declared] { return Canonical{declared}; });
    way_ = way_of(type, canonical_);
    const Form form = canonical_.form();
    const bool number = form == Form::int2 || form == Form::int4 || form == Form::int8 || form == Form::oid;
    if ((way_ == Way::boolean && form != Form::boolean) || (way_ == Way::integer && !number) || (way_ == Way::float8 && form != Form::float8) ||
        (way_ == Way::bytes && form != Form::bytes))
        unsuitable(column_);
    if (way_ != Way::list)
        return;
    const Oid base = canonical_.base();
    stored_ = call([base] {
        Stored found;
        found.type = get_element_type(base);
        if (OidIsValid(found.type))
            get_typlenbyvalalign(found.type, &found.length, &found.by_value, &found.alignment);
        return found;
    });
    if (!OidIsValid(stored_.type))
        unsuitable(column_);
    element_ = std::make_unique<Decoder>(column_, mapping::Type{.kind = type.element, .fits_double = type.fits_double}, stored_.type);
}

mapping::Value Decoder::read(Datum value, bool pinned) const
{
    if (way_ == Way::list)
        return list(value, pinned);
    return scalar<mapping::Value>(value, pinned);
}

template <typename Out> Out Decoder::scalar(Datum value, bool pinned) const
{
    switch (way_) {
    case Way::boolean:
        return DatumGetBool(value);
    case Way::integer:
        switch (canonical_.form()) {
        case Form::int2:
            return std::int64_t{DatumGetInt16(value)};
        case Form::int4:
            return std::int64_t{DatumGetInt32(value)};
        case Form::oid:
            return std::int64_t{DatumGetObjectId(value)};
        default:
            return std::int64_t{DatumGetInt64(value)};
        }
    case Way::float4:
        return widen(DatumGetFloat4(value));
    case Way::float8:
        return double{DatumGetFloat8(value)};
    case Way::raw:
        return raw(value);
    case Way::bytes:
        return take(flatten(value));
    default:
        return printed(value, pinned);
    }
}

mapping::List Decoder::list(Datum value, bool pinned) const
{
    struct Parts {
        Datum *items;
        bool *nulls;
        int count;
        int dimensions;
        int extents[MAXDIM];
    };
    const auto stored = stored_;
    const Parts parts = call([=] {
        Parts found{};
        ArrayType *const array = DatumGetArrayTypeP(value);
        found.dimensions = ARR_NDIM(array);
        for (int i = 0; i < found.dimensions; ++i)
            found.extents[i] = ARR_DIMS(array)[i];
        deconstruct_array(array, stored.type, stored.length, stored.by_value, stored.alignment, &found.items, &found.nulls, &found.count);
        return found;
    });
    mapping::List list;
    list.extents.assign(parts.extents, parts.extents + parts.dimensions);
    list.items.reserve(static_cast<std::size_t>(parts.count));
    for (int i = 0; i < parts.count; ++i)
        list.items.push_back(parts.nulls[i] ? mapping::Scalar{} : element_->scalar<mapping::Scalar>(parts.items[i], pinned));
    return list;
}

std::string Decoder::raw(Datum value) const { return to_utf8(take(flatten(value)), column_); }

std::string Decoder::printed(Datum value, bool pinned) const
{
    char space[128];
    const Canonical canonical = canonical_;
    char *const start = space;
    const StringInfoData text = call([=] {
        StringInfoData out{start, 0, sizeof(space), 0};
        if (!canonical.brief())
            initStringInfo(&out);
        canonical.append(&out, value, pinned);
        return out;
    });
    std::string result{text.data, static_cast<std::size_t>(text.len)};
    if (text.data != start)
        pfree(text.data);
    return to_utf8(std::move(result), column_);
}

std::string to_utf8(std::string text, std::string_view column)
{
    const int encoding = GetDatabaseEncoding();
    if (encoding == PG_UTF8)
        return text;
    const char *const data = text.data();
    const int size = static_cast<int>(text.size());
    if (encoding == PG_SQL_ASCII) {
        if (!pg_verify_mbstr(PG_UTF8, data, size, true))
            throw Unreadable{"column \"" + std::string{column} + "\" holds bytes that are not UTF-8, in a database with encoding SQL_ASCII"};
        return text;
    }
    const char *const converted = call([=] { return pg_server_to_any(data, size, PG_UTF8); });
    return converted == data ? std::move(text) : std::string{converted};
}

} // namespace autosync::pg
