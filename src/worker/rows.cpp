#include "worker/rows.hpp"

#include "embed/hash.hpp"
#include "mapping/object.hpp"

namespace autosync::worker {

namespace {

std::size_t size_of(const mapping::Value &value)
{
    constexpr std::size_t fixed = 8;
    if (const auto *const text = std::get_if<std::string>(&value))
        return fixed + text->size();
    if (const auto *const list = std::get_if<mapping::List>(&value)) {
        std::size_t size = fixed;
        for (const auto &item : list->items)
            size += fixed + (std::holds_alternative<std::string>(item) ? std::get<std::string>(item).size() : 0);
        return size;
    }
    return fixed;
}

/// The canonical texts of some values in a row, one after the other, each with a NUL behind it.
struct Texts {
    const char *data;
    int size;
};

Texts texts_of(const pg::Canonical *forms, const Datum *values, std::size_t count)
{
    return pg::call([=] {
        StringInfoData out;
        initStringInfo(&out);
        for (std::size_t i = 0; i < count; ++i) {
            forms[i].append(&out, values[i], true);
            appendStringInfoChar(&out, '\0');
        }
        return Texts{out.data, out.len};
    });
}

std::vector<std::string> split(std::string_view texts)
{
    std::vector<std::string> parts;
    while (!texts.empty()) {
        const auto end = texts.find('\0');
        parts.emplace_back(texts.substr(0, end));
        texts.remove_prefix(end + 1);
    }
    return parts;
}

} // namespace

RowDecoder::RowDecoder(const config::Sync &sync, const Statement &statement) : statement_{statement}, masks_{sync.masks}
{
    const auto keeps = [&](const char *name) {
        const auto option = sync.options.find(name);
        return option != sync.options.end() && option->second != "remove";
    };
    keep_filtered_ = keeps("on_filtered");
    keep_deleted_ = keeps("on_delete");
    if (sync.transform_filters)
        decides_ = mapping::transform_place(sync.source);
    const auto canonical = [](Oid type) { return pg::call([type] { return pg::Canonical{type}; }); };
    for (std::size_t i = 0; i < statement.key.size(); ++i)
        key_.push_back(canonical(statement.types[i]));
    for (std::size_t i = 0; i < sync.source.columns.size(); ++i) {
        const auto &column = sync.source.columns[i];
        columns_.emplace_back(column.name, column.type, sync.column_types[i]);
        if (masks_[i].way == config::Mask::Way::hash)
            hashed_.emplace(i, canonical(sync.column_types[i]));
    }
    masks_.resize(masks_.size() + sync.source.computed.size()); // nothing stands for what an expression gives
    for (const auto &column : sync.source.computed)
        columns_.emplace_back(column.name, column.type, TEXTOID);
    for (std::size_t i = statement.columns() + columns_.size(); i < statement.types.size(); ++i)
        links_.push_back(canonical(statement.types[i]));
    for (const auto &link : sync.source.links)
        names_.push_back(link.name);
}

ReadRow RowDecoder::read(const Datum *values, const bool *nulls, std::size_t *bytes) const
{
    ReadRow row;
    *bytes += sizeof(ReadRow);
    if (const auto at = statement_.version_column(); !statement_.version.empty() && !nulls[at])
        row.version = DatumGetInt64(values[at]);
    if (!statement_.deleted.empty() && DatumGetBool(values[statement_.gone()])) {
        row.change.removed = true;
        row.deleted = true;
        row.skip = statement_.removes.empty() ? keep_deleted_ : !DatumGetBool(values[statement_.removable()]);
        return row;
    }
    if (!DatumGetBool(values[statement_.match()])) {
        row.change.removed = true;
        row.filtered = true;
        row.skip = keep_filtered_;
        return row;
    }
    if (decides_ && nulls[statement_.columns() + *decides_]) {
        row.change.removed = true;
        row.filtered = true;
        row.skip = keep_filtered_;
        return row;
    }
    try {
        row.change.row.reserve(columns_.size());
        for (std::size_t i = 0, at = statement_.columns(); i < columns_.size(); ++i, ++at) {
            row.change.row.push_back(nulls[at] ? mapping::Value{} : masks_[i].way == config::Mask::Way::none ? columns_[i].read(values[at], true) : masked(i, values[at]));
            *bytes += size_of(row.change.row.back());
        }
        read_links(values, nulls, row);
    } catch (const pg::Unreadable &reason) {
        row.change.row.clear();
        row.change.links.clear();
        row.problem = reason.what();
    }
    return row;
}

mapping::Value RowDecoder::masked(std::size_t column, Datum value) const
{
    if (masks_[column].way == config::Mask::Way::null)
        return {};
    if (masks_[column].way == config::Mask::Way::text)
        return masks_[column].text;
    const Texts text = texts_of(&hashed_.at(column), &value, 1);
    auto hash = embed::sha256({text.data, static_cast<std::size_t>(text.size - 1)});
    pfree(const_cast<char *>(text.data));
    return hash;
}

void RowDecoder::read_links(const Datum *values, const bool *nulls, ReadRow &row) const
{
    const std::size_t behind = statement_.columns() + columns_.size();
    row.change.links.reserve(statement_.links.size());
    for (std::size_t i = 0; i < statement_.links.size(); ++i) {
        const auto &link = statement_.links[i];
        auto &key = row.change.links.emplace_back();
        bool complete = true;
        for (std::size_t part = 0; part < link.parts.size(); ++part)
            complete = complete && !nulls[link.first + part];
        if (!complete)
            continue;
        const Texts texts = texts_of(links_.data() + (link.first - behind), values + link.first, link.parts.size());
        const std::string_view all{texts.data, static_cast<std::size_t>(texts.size)};
        key = pg::to_utf8(link.parts.size() == 1 ? std::string{all.substr(0, all.size() - 1)} : mapping::key_text(link.parts, split(all)), names_[i]);
        pfree(const_cast<char *>(texts.data));
    }
}

Rows::Rows(std::span<const pg::Canonical> key, std::span<const HeapTuple> tuples, TupleDesc shape)
    : count_{tuples.size()}, width_{static_cast<std::size_t>(shape->natts)}
{
    const pg::Canonical *const forms = key.data();
    const std::size_t columns = key.size();
    const HeapTuple *const all = tuples.data();
    const std::size_t count = count_;
    const std::size_t width = width_;
    struct Parts {
        Datum *values;
        bool *nulls;
        char *text;
        int *ends;
    };
    const Parts parts = pg::call([=] {
        Parts made{};
        made.values = static_cast<Datum *>(MemoryContextAllocHuge(CurrentMemoryContext, (count * width + 1) * sizeof(Datum)));
        made.nulls = static_cast<bool *>(MemoryContextAllocHuge(CurrentMemoryContext, count * width + 1));
        made.ends = static_cast<int *>(palloc((count + 1) * sizeof(int)));
        StringInfoData text;
        initStringInfo(&text);
        for (std::size_t row = 0; row < count; ++row) {
            Datum *const values = made.values + row * width;
            heap_deform_tuple(all[row], shape, values, made.nulls + row * width);
            for (std::size_t i = 0; i < columns; ++i) {
                forms[i].append(&text, values[i], true);
                appendStringInfoChar(&text, '\0');
            }
            made.ends[row] = text.len;
        }
        made.text = text.data;
        return made;
    });
    values_ = parts.values;
    nulls_ = parts.nulls;
    text_ = parts.text;
    ends_ = parts.ends;
}

std::string_view Rows::key(std::size_t row) const
{
    const int begin = row == 0 ? 0 : ends_[row - 1];
    return {text_ + begin, static_cast<std::size_t>(ends_[row] - begin)};
}

std::vector<std::string> Rows::key_columns(std::size_t row) const { return split(key(row)); }

void join(std::span<const std::string> columns, std::string &text)
{
    text.clear();
    for (const auto &column : columns) {
        text += column;
        text += '\0';
    }
}

} // namespace autosync::worker
