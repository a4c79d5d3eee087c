#include "pg/spi.hpp"

#include <algorithm>
#include <exception>

namespace autosync::pg {

namespace {

constexpr int most_parameters = 16;

Cell cell(HeapTuple tuple, TupleDesc shape, int column)
{
    const char *const text = call([=] { return SPI_getvalue(tuple, shape, column); });
    return text == nullptr ? Cell{} : Cell{text};
}

} // namespace

Rows execute(const std::string &sql, const std::vector<Cell> &parameters, bool read_only)
{
    const auto count = static_cast<int>(parameters.size());
    if (count > most_parameters)
        throw std::logic_error{"too many parameters"};
    Datum values[most_parameters];
    Oid types[most_parameters];
    char nulls[most_parameters];
    const char *texts[most_parameters];
    for (int i = 0; i < count; ++i) {
        const auto &parameter = parameters[static_cast<std::size_t>(i)];
        types[i] = TEXTOID;
        nulls[i] = parameter ? ' ' : 'n';
        texts[i] = parameter ? parameter->c_str() : nullptr;
    }
    const char *const statement = sql.c_str();
    Datum *const data = values;
    call([=, &types, &nulls, &texts] {
        connect_spi();
        for (int i = 0; i < count; ++i)
            data[i] = texts[i] == nullptr ? Datum{0} : CStringGetTextDatum(texts[i]);
        const int code = SPI_execute_with_args(statement, count, types, data, nulls, read_only, 0);
        if (code < 0)
            fail_spi("SPI_execute_with_args", code);
    });
    Rows rows;
    if (SPI_tuptable != nullptr) {
        const auto *const table = SPI_tuptable;
        const int width = table->tupdesc->natts;
        rows.reserve(SPI_processed);
        for (uint64 i = 0; i < table->numvals; ++i) {
            auto &row = rows.emplace_back();
            row.reserve(static_cast<std::size_t>(width));
            for (int column = 1; column <= width; ++column)
                row.push_back(cell(table->vals[i], table->tupdesc, column));
        }
    }
    call([] { SPI_finish(); });
    return rows;
}

Cell execute_one(const std::string &sql, const std::vector<Cell> &parameters, bool read_only)
{
    const Rows rows = execute(sql, parameters, read_only);
    return rows.empty() || rows.front().empty() ? Cell{} : rows.front().front();
}

ActingAs::ActingAs(Oid role, bool restricted) : role_{InvalidOid}, context_{0}, nest_level_{0}
{
    GetUserIdAndSecContext(&role_, &context_);
    nest_level_ = call([] { return NewGUCNestLevel(); });
    call([] { (void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false); });
    SetUserIdAndSecContext(role, context_ | SECURITY_LOCAL_USERID_CHANGE | (restricted ? SECURITY_RESTRICTED_OPERATION : 0));
}

ActingAs::~ActingAs()
{
    SetUserIdAndSecContext(role_, context_);
    // When an error is on its way, the abort of the (sub)transaction takes the settings back itself.
    if (std::uncaught_exceptions() == 0)
        AtEOXact_GUC(true, nest_level_);
}

ActiveSnapshot::~ActiveSnapshot()
{
    if (std::uncaught_exceptions() == 0)
        PopActiveSnapshot();
}

Oid extension_owner()
{
    return call([] {
        const Oid extension = get_extension_oid("autosync", false);
        ScanKeyData key;
        Relation const catalog = table_open(ExtensionRelationId, AccessShareLock);
        ScanKeyInit(&key, Anum_pg_extension_oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(extension));
        SysScanDesc const scan = systable_beginscan(catalog, ExtensionOidIndexId, true, nullptr, 1, &key);
        HeapTuple const tuple = systable_getnext(scan);
        const Oid owner = HeapTupleIsValid(tuple) ? reinterpret_cast<Form_pg_extension>(GETSTRUCT(tuple))->extowner : InvalidOid;
        systable_endscan(scan);
        table_close(catalog, AccessShareLock);
        return owner;
    });
}

std::string quote(std::string_view identifier)
{
    const std::string plain{identifier};
    const char *const text = plain.c_str();
    return call([text] { return quote_identifier(text); });
}

std::string quote_qualified(std::string_view schema, std::string_view name) { return quote(schema) + "." + quote(name); }

std::string quote_string(std::string_view text)
{
    const std::string plain{text};
    const char *const raw = plain.c_str();
    return call([raw] { return quote_literal_cstr(raw); });
}

std::string text_argument(FunctionCallInfo fcinfo, int index)
{
    return call([=] { return text_to_cstring(DatumGetTextPP(fcinfo->args[index].value)); });
}

std::chrono::milliseconds duration_argument(FunctionCallInfo fcinfo, int index)
{
    constexpr std::int64_t day = 86'400'000;
    const auto *const interval = DatumGetIntervalP(fcinfo->args[index].value);
    const auto days = std::int64_t{interval->day} + std::int64_t{interval->month} * 30;
    return std::chrono::milliseconds{std::clamp<std::int64_t>(interval->time / 1000 + days * day, 0, 365 * day)};
}

std::string name_argument(FunctionCallInfo fcinfo, int index) { return NameStr(*DatumGetName(fcinfo->args[index].value)); }

Datum text_datum(std::string_view text)
{
    const char *const data = text.data();
    const auto size = static_cast<int>(text.size());
    return call([=] { return PointerGetDatum(cstring_to_text_with_len(data, size)); });
}

} // namespace autosync::pg
