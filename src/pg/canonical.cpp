#include "pg/canonical.hpp"

#include <cmath>

namespace autosync::pg {

namespace {

using Form = Canonical::Form;

Form form_of(Oid type, Oid output)
{
    switch (type) {
    case INT2OID:
        return Form::int2;
    case INT4OID:
        return Form::int4;
    case INT8OID:
        return Form::int8;
    case OIDOID:
        return Form::oid;
    case BOOLOID:
        return Form::boolean;
    case TEXTOID:
    case VARCHAROID:
        return Form::text;
    case NAMEOID:
        return Form::name;
    case BPCHAROID:
        return Form::blank_padded;
    case UUIDOID:
        return Form::uuid;
    case NUMERICOID:
        return Form::numeric;
    case FLOAT4OID:
        return Form::float4;
    case FLOAT8OID:
        return Form::float8;
    case DATEOID:
        return Form::date;
    case TIMEOID:
        return Form::time;
    case TIMETZOID:
        return Form::timetz;
    case TIMESTAMPOID:
        return Form::timestamp;
    case TIMESTAMPTZOID:
        return Form::timestamptz;
    case BYTEAOID:
        return Form::bytes;
    case CHAROID:
    case JSONOID:
    case JSONBOID:
    case INETOID:
    case CIDROID:
    case MACADDROID:
    case MACADDR8OID:
    case BITOID:
    case VARBITOID:
    case XIDOID:
    case XID8OID:
        return Form::steady;
    default:
        break;
    }
    if (type_is_enum(type))
        return Form::steady;
    FmgrInfo function;
    fmgr_info(output, &function);
    return function.fn_addr == textout ? Form::text : Form::other; // citext and its like
}

void append_signed(StringInfo out, int64 value)
{
    enlargeStringInfo(out, 24);
    out->len += pg_lltoa(value, out->data + out->len);
}

void append_uuid(StringInfo out, const pg_uuid_t *uuid)
{
    static constexpr char digits[] = "0123456789abcdef";
    enlargeStringInfo(out, 40);
    for (int i = 0; i < UUID_LEN; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out->data[out->len++] = '-';
        out->data[out->len++] = digits[uuid->data[i] >> 4];
        out->data[out->len++] = digits[uuid->data[i] & 0x0F];
    }
    out->data[out->len] = '\0';
}

void append_hex(StringInfo out, Datum value)
{
    struct varlena *const bytes = PG_DETOAST_DATUM_PACKED(value);
    const std::size_t size = VARSIZE_ANY_EXHDR(bytes);
    if (size > MaxAllocSize / 2 - 8)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED), errmsg("value of type bytea is too long for a key")));
    enlargeStringInfo(out, static_cast<int>(2 * size + 3));
    appendBinaryStringInfo(out, "\\x", 2);
    out->len += static_cast<int>(hex_encode(VARDATA_ANY(bytes), size, out->data + out->len));
    out->data[out->len] = '\0';
}

void append_bytes(StringInfo out, Datum value)
{
    struct varlena *const text = PG_DETOAST_DATUM_PACKED(value);
    appendBinaryStringInfo(out, VARDATA_ANY(text), static_cast<int>(VARSIZE_ANY_EXHDR(text)));
}

void append_padded(StringInfo out, Datum value)
{
    struct varlena *const text = PG_DETOAST_DATUM_PACKED(value);
    appendBinaryStringInfo(out, VARDATA_ANY(text), bpchartruelen(VARDATA_ANY(text), static_cast<int>(VARSIZE_ANY_EXHDR(text))));
}

[[nodiscard]] bool ordinary(int year) { return year >= 1 && year <= 9999; }

void append_date(StringInfo out, DateADT date)
{
    if (DATE_NOT_FINITE(date)) {
        appendStringInfoString(out, DATE_IS_NOBEGIN(date) ? "-infinity" : "infinity");
        return;
    }
    struct pg_tm parts = {};
    char text[MAXDATELEN + 1];
    j2date(date + POSTGRES_EPOCH_JDATE, &parts.tm_year, &parts.tm_mon, &parts.tm_mday);
    EncodeDateOnly(&parts, USE_ISO_DATES, text);
    appendStringInfoString(out, text);
}

void append_timestamp(StringInfo out, Timestamp stamp, bool zoned)
{
    if (TIMESTAMP_NOT_FINITE(stamp)) {
        appendStringInfoString(out, TIMESTAMP_IS_NOBEGIN(stamp) ? "-infinity" : "infinity");
        return;
    }
    struct pg_tm parts = {};
    fsec_t fraction = 0;
    char text[MAXDATELEN + 1];
    if (timestamp2tm(stamp, nullptr, &parts, &fraction, nullptr, nullptr) != 0)
        ereport(ERROR, (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
    const bool iso = ordinary(parts.tm_year);
    parts.tm_isdst = zoned && !iso ? 0 : -1;
    EncodeDateTime(&parts, fraction, zoned && !iso, 0, nullptr, iso ? USE_XSD_DATES : USE_ISO_DATES, text);
    appendStringInfoString(out, text);
    if (zoned && iso)
        appendStringInfoChar(out, 'Z');
}

void append_time(StringInfo out, TimeADT time)
{
    struct pg_tm parts = {};
    fsec_t fraction = 0;
    char text[MAXDATELEN + 1];
    time2tm(time, &parts, &fraction);
    EncodeTimeOnly(&parts, fraction, false, 0, USE_ISO_DATES, text);
    appendStringInfoString(out, text);
}

void append_timetz(StringInfo out, TimeTzADT *time)
{
    struct pg_tm parts = {};
    fsec_t fraction = 0;
    int zone = 0;
    char text[MAXDATELEN + 1];
    timetz2tm(time, &parts, &fraction, &zone);
    EncodeTimeOnly(&parts, fraction, true, zone, USE_XSD_DATES, text);
    appendStringInfoString(out, text);
}

void append_float8(StringInfo out, float8 value)
{
    char text[DOUBLE_SHORTEST_DECIMAL_LEN];
    (void)double_to_shortest_decimal_buf(value == 0 ? 0.0 : value, text);
    appendStringInfoString(out, text);
}

void append_float4(StringInfo out, float4 value)
{
    char text[FLOAT_SHORTEST_DECIMAL_LEN];
    (void)float_to_shortest_decimal_buf(value == 0 ? 0.0F : value, text);
    appendStringInfoString(out, text);
}

void append_output(StringInfo out, Oid output, Datum value)
{
    char *const text = OidOutputFunctionCall(output, value);
    appendStringInfoString(out, text);
    pfree(text);
}

void pin(const char *name, const char *value) { (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false); }

} // namespace

PinnedSettings::PinnedSettings() : level_{NewGUCNestLevel()}
{
    pin("DateStyle", "ISO, MDY");
    pin("IntervalStyle", "postgres");
    pin("TimeZone", "UTC");
    pin("bytea_output", "hex");
    pin("extra_float_digits", "1");
    pin("quote_all_identifiers", "off");
    pin("search_path", "pg_catalog, pg_temp");
    pin("xmlbinary", "base64");
    pin("xmloption", "content");
    pin("lc_monetary", "C");
}

void PinnedSettings::release() const { AtEOXact_GUC(true, level_); }

Canonical::Canonical(Oid type) : base_{getBaseType(type)}
{
    bool varlena = false;
    getTypeOutputInfo(base_, &output_, &varlena);
    form_ = form_of(base_, output_);
}

void Canonical::append(StringInfo out, Datum value, bool pinned) const
{
    switch (form_) {
    case Form::int2:
        return append_signed(out, DatumGetInt16(value));
    case Form::int4:
        return append_signed(out, DatumGetInt32(value));
    case Form::int8:
        return append_signed(out, DatumGetInt64(value));
    case Form::oid:
        return append_signed(out, DatumGetObjectId(value));
    case Form::boolean:
        return appendStringInfoString(out, DatumGetBool(value) ? "true" : "false");
    case Form::text:
        return append_bytes(out, value);
    case Form::name:
        return appendStringInfoString(out, NameStr(*DatumGetName(value)));
    case Form::blank_padded:
        return append_padded(out, value);
    case Form::uuid:
        return append_uuid(out, DatumGetUUIDP(value));
    case Form::numeric:
        return appendStringInfoString(out, numeric_normalize(DatumGetNumeric(value)));
    case Form::float4:
        return append_float4(out, DatumGetFloat4(value));
    case Form::float8:
        return append_float8(out, DatumGetFloat8(value));
    case Form::date:
        return append_date(out, DatumGetDateADT(value));
    case Form::time:
        return append_time(out, DatumGetTimeADT(value));
    case Form::timetz:
        return append_timetz(out, DatumGetTimeTzADTP(value));
    case Form::timestamp:
        return append_timestamp(out, DatumGetTimestamp(value), false);
    case Form::timestamptz:
        return append_timestamp(out, DatumGetTimestampTz(value), true);
    case Form::bytes:
        return append_hex(out, value);
    case Form::steady:
        return append_output(out, output_, value);
    case Form::other:
        break;
    }
    if (pinned)
        return append_output(out, output_, value);
    const PinnedSettings settings;
    append_output(out, output_, value);
    settings.release();
}

std::string canonical_text(Datum value, Oid type)
{
    const StringInfoData text = call([=] {
        StringInfoData out;
        initStringInfo(&out);
        Canonical{type}.append(&out, value);
        return out;
    });
    std::string result{text.data, static_cast<std::size_t>(text.len)};
    pfree(text.data);
    return result;
}

} // namespace autosync::pg
