#include "pg/row_json.hpp"

#include <algorithm>

#include "mapping/json.hpp"
#include "pg/bridge.hpp"

namespace autosync::pg {

namespace {

using Way = JsonForm::Way;

StringInfo scratch()
{
    static StringInfo buffer = nullptr;
    if (buffer == nullptr) {
        MemoryContext const home = MemoryContextSwitchTo(TopMemoryContext);
        buffer = makeStringInfo();
        MemoryContextSwitchTo(home);
    }
    constexpr int keep = 1 << 20; // one huge value must not hold memory for ever
    if (buffer->maxlen > keep) {
        pfree(buffer->data);
        MemoryContext const home = MemoryContextSwitchTo(TopMemoryContext);
        initStringInfo(buffer);
        MemoryContextSwitchTo(home);
    }
    resetStringInfo(buffer);
    return buffer;
}

std::string_view canonical_of(const JsonForm &form, Datum value, bool pinned = true)
{
    StringInfo const text = scratch();
    form.canonical.append(text, value, pinned);
    return {text->data, static_cast<std::size_t>(text->len)};
}

std::string_view bytes_of(Datum value)
{
    const struct varlena *const bytes = PG_DETOAST_DATUM_PACKED(value);
    return {VARDATA_ANY(bytes), static_cast<std::size_t>(VARSIZE_ANY_EXHDR(bytes))};
}

/// Would jsonb take it? It knows no escapes of half characters or of NUL, no endless exponents, and no endless nesting.
bool suits_jsonb(std::string_view json)
{
    constexpr int most_depth = 500;
    constexpr int most_digits = 3; // of an exponent
    int depth = 0;
    bool inside = false; // a string
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (inside) {
            if (c == '\\' && i + 1 < json.size() && json[++i] == 'u')
                return false;
            inside = c != '"';
        } else if (c == '"') {
            inside = true;
        } else if (c == '{' || c == '[') {
            if (++depth > most_depth)
                return false;
        } else if (c == '}' || c == ']') {
            --depth;
        } else if ((c == 'e' || c == 'E') && i > 0 && json[i - 1] >= '0' && json[i - 1] <= '9') {
            const auto end = json.find_first_not_of("+-0123456789", i + 1);
            if (std::min(end, json.size()) - i - 1 > most_digits)
                return false;
        }
    }
    return true;
}

/// Values are written one behind the other. PostgreSQL's functions may raise in here: nothing that is to be destroyed may stand in between.
class Pen final {
public:
    Pen(std::string &out, std::size_t most) : out_{out}, most_{most} {}

    /// False: there is no room for it.
    bool put(const JsonForm &form, Datum value)
    {
        switch (form.way) {
        case Way::number: {
            const auto text = canonical_of(form, value);
            const char last = text.empty() ? 'N' : text.back(); // of NaN and Infinity it is a letter
            append_bare(text, last < '0' || last > '9');
            break;
        }
        case Way::boolean:
            out_ += DatumGetBool(value) ? "true" : "false";
            break;
        case Way::plain:
            append_bare(canonical_of(form, value), true);
            break;
        case Way::text:
            if (!fits(value))
                return false;
            mapping::json::append_string(out_, bytes_of(value));
            break;
        case Way::output:
            if (!fits_type(form.type, value))
                return false;
            mapping::json::append_string(out_, canonical_of(form, value));
            break;
        case Way::json: {
            if (!fits(value))
                return false;
            const auto text = bytes_of(value);
            if (suits_jsonb(text))
                out_ += text;
            else
                mapping::json::append_string(out_, text);
            break;
        }
        case Way::jsonb: {
            if (!fits(value))
                return false;
            Jsonb *const json = DatumGetJsonbP(value);
            out_ += JsonbToCString(nullptr, &json->root, static_cast<int>(VARSIZE(json)));
            break;
        }
        case Way::list:
            return fits(value) && put_list(form, value);
        case Way::composite:
            return fits(value) && put_composite(form, value);
        }
        return out_.size() <= most_;
    }

    bool put_row(const JsonForm &form, const AttrNumber *numbers, const Datum *values, const bool *nulls)
    {
        for (std::size_t i = 0; i < form.parts.size(); ++i) {
            const auto at = static_cast<std::size_t>(numbers == nullptr ? static_cast<int>(i) : numbers[i] - 1);
            if (form.names[i].empty())
                continue;
            out_ += out_.back() == '{' ? "" : ", ";
            out_ += form.names[i];
            out_ += ": ";
            if (nulls[at])
                out_ += "null";
            else if (!put(form.parts[i], values[at]))
                return false;
        }
        out_ += '}';
        return out_.size() <= most_;
    }

private:
    void append_bare(std::string_view text, bool quotes)
    {
        if (quotes)
            out_ += '"';
        out_ += text;
        if (quotes)
            out_ += '"';
    }
    /// Of a type of variable length.
    [[nodiscard]] bool fits(Datum value) const { return toast_raw_datum_size(value) <= most_; }
    [[nodiscard]] bool fits_type(Oid type, Datum value) const { return get_typlen(type) != -1 || fits(value); }

    bool put_composite(const JsonForm &form, Datum value)
    {
        HeapTupleHeader const header = DatumGetHeapTupleHeader(value);
        const TupleDesc shape = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header), HeapTupleHeaderGetTypMod(header));
        HeapTupleData tuple{};
        tuple.t_len = HeapTupleHeaderGetDatumLength(header);
        tuple.t_data = header;
        const auto count = static_cast<std::size_t>(shape->natts);
        auto *const values = static_cast<Datum *>(palloc(count * sizeof(Datum)));
        auto *const nulls = static_cast<bool *>(palloc(count));
        heap_deform_tuple(&tuple, shape, values, nulls);
        ReleaseTupleDesc(shape);
        if (count < form.parts.size())
            return false;
        out_ += '{';
        return put_row(form, nullptr, values, nulls);
    }

    bool put_list(const JsonForm &form, Datum value)
    {
        ArrayType *const array = DatumGetArrayTypeP(value);
        const int dimensions = ARR_NDIM(array);
        for (int i = 0; i < dimensions; ++i) {
            if (ARR_LBOUND(array)[i] != 1) { // JSON's arrays begin where they begin
                mapping::json::append_string(out_, canonical_of(form, value, false));
                return out_.size() <= most_;
            }
        }
        Datum *items = nullptr;
        bool *nulls = nullptr;
        int count = 0;
        deconstruct_array(array, form.type, form.length, form.by_value, form.alignment, &items, &nulls, &count);
        int next = 0;
        if (dimensions == 0)
            out_ += "[]";
        return dimensions == 0 || put_dimension(form.parts.front(), array, 0, items, nulls, next);
    }

    bool put_dimension(const JsonForm &element, ArrayType *array, int dimension, const Datum *items, const bool *nulls, int &next)
    {
        out_ += '[';
        for (int i = 0; i < ARR_DIMS(array)[dimension]; ++i) {
            if (i > 0)
                out_ += ", ";
            if (dimension + 1 < ARR_NDIM(array)) {
                if (!put_dimension(element, array, dimension + 1, items, nulls, next))
                    return false;
                continue;
            }
            const int at = next++;
            if (nulls[at])
                out_ += "null";
            else if (!put(element, items[at]))
                return false;
        }
        out_ += ']';
        return out_.size() <= most_;
    }

    std::string &out_;
    std::size_t most_;
};

} // namespace

RowJson::RowJson(TupleDesc shape, std::string_view used)
{
    JsonNeeds needs;
    row_.way = Way::composite;
    for (int i = 0; i < shape->natts; ++i) {
        const auto *const column = TupleDescAttr(shape, i);
        const auto bit = static_cast<std::size_t>(i);
        if (column->attisdropped || bit / 8 >= used.size() || (static_cast<unsigned char>(used[bit / 8]) >> (bit % 8) & 1U) == 0)
            continue;
        numbers_.push_back(column->attnum);
        row_.names.push_back(member_name(NameStr(column->attname)));
        row_.parts.push_back(form_of(column->atttypid, needs));
    }
    pinned_ = needs.pinned;
    risky_ = needs.risky;
}

bool RowJson::write(HeapTuple row, TupleDesc shape, std::size_t most, std::string &out) const
{
    out.assign(1, '{');
    const bool pin = pinned_;
    const JsonForm *const form = &row_;
    const AttrNumber *const numbers = numbers_.data();
    std::string *const to = &out;
    return call([=] {
        const auto count = static_cast<std::size_t>(shape->natts);
        auto *const values = static_cast<Datum *>(palloc(count * sizeof(Datum)));
        auto *const nulls = static_cast<bool *>(palloc(count));
        heap_deform_tuple(row, shape, values, nulls);
        Pen pen{*to, most};
        bool written = false;
        if (pin) {
            const PinnedSettings settings;
            written = pen.put_row(*form, numbers, values, nulls);
            settings.release();
        } else {
            written = pen.put_row(*form, numbers, values, nulls);
        }
        pfree(values);
        pfree(nulls);
        return written;
    });
}

} // namespace autosync::pg
