#include "operate/rows.hpp"

#include <exception>

namespace autosync::operate {

namespace {

/// What BuildTupleFromCStrings takes; it only reads the texts.
std::vector<char *> raw_texts(const std::vector<pg::Cell> &cells, int columns)
{
    if (cells.size() != static_cast<std::size_t>(columns))
        throw std::logic_error{"a row does not have the columns that the function declares"};
    std::vector<char *> texts;
    texts.reserve(cells.size());
    for (const auto &cell : cells)
        texts.push_back(cell ? const_cast<char *>(cell->c_str()) : nullptr);
    return texts;
}

} // namespace

Rows::Rows(FunctionCallInfo fcinfo)
    : result_{reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo)}, shape_{nullptr}, scratch_{nullptr}
{
    pg::call([fcinfo] { InitMaterializedSRF(fcinfo, 0); });
    TupleDesc const columns = result_->setDesc;
    shape_ = pg::call([columns] { return TupleDescGetAttInMetadata(columns); });
    scratch_ = pg::call([] { return AllocSetContextCreate(CurrentMemoryContext, "autosync result row", ALLOCSET_DEFAULT_SIZES); });
}

Rows::~Rows()
{
    // When an error is on its way, the context goes with its parent.
    if (std::uncaught_exceptions() == 0)
        MemoryContextDelete(scratch_);
}

void Rows::add(const std::vector<pg::Cell> &cells)
{
    auto texts = raw_texts(cells, shape_->tupdesc->natts);
    char **const values = texts.data();
    pg::call([store = result_->setResult, shape = shape_, scratch = scratch_, values] {
        MemoryContext const home = MemoryContextSwitchTo(scratch);
        tuplestore_puttuple(store, BuildTupleFromCStrings(shape, values));
        MemoryContextSwitchTo(home);
        MemoryContextReset(scratch);
    });
}

Datum one_row(FunctionCallInfo fcinfo, const std::vector<pg::Cell> &cells)
{
    TupleDesc const columns = pg::call([fcinfo] {
        TupleDesc shape = nullptr;
        return get_call_result_type(fcinfo, nullptr, &shape) == TYPEFUNC_COMPOSITE ? BlessTupleDesc(shape) : nullptr;
    });
    if (columns == nullptr)
        throw std::logic_error{"the function does not declare a composite result"};
    auto texts = raw_texts(cells, columns->natts);
    char **const values = texts.data();
    return pg::call([columns, values] { return HeapTupleGetDatum(BuildTupleFromCStrings(TupleDescGetAttInMetadata(columns), values)); });
}

std::string array_text(const std::vector<std::string> &items)
{
    std::string text = "{";
    for (const auto &item : items) {
        text += text.size() > 1 ? ",\"" : "\"";
        for (const char c : item) {
            if (c == '"' || c == '\\')
                text += '\\';
            text += c;
        }
        text += '"';
    }
    return text + "}";
}

std::string boolean_text(bool value) { return value ? "t" : "f"; }

pg::Cell time_text(TimestampTz time)
{
    if (time == 0)
        return {};
    return std::string{pg::call([time] { return DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(time))); })};
}

pg::Cell text_or_null(std::string_view text) { return text.empty() ? pg::Cell{} : pg::Cell{text}; }

std::string from_utf8(const std::string &text)
{
    const char *const raw = text.c_str();
    const auto size = static_cast<int>(text.size());
    return pg::call([raw, size] { return pg_any_to_server(raw, size, PG_UTF8); });
}

} // namespace autosync::operate
