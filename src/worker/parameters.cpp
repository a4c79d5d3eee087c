#include "worker/parameters.hpp"

#include "pg/canonical.hpp"

namespace autosync::worker {

namespace {

/// The values that these texts stand for, under pinned settings.
Datum *read_texts(Oid type, const char *const *texts, std::size_t count)
{
    return pg::call([=] {
        const pg::PinnedSettings settings;
        Oid input = InvalidOid;
        Oid parameter = InvalidOid;
        FmgrInfo function;
        getTypeInputInfo(type, &input, &parameter);
        fmgr_info(input, &function);
        auto *const values = static_cast<Datum *>(palloc((count + 1) * sizeof(Datum)));
        for (std::size_t i = 0; i < count; ++i)
            values[i] = InputFunctionCall(&function, const_cast<char *>(texts[i]), parameter, -1);
        settings.release();
        return values;
    });
}

} // namespace

std::vector<Datum> key_arrays(const Statement &statement, std::span<const Wanted> wanted)
{
    std::vector<Datum> arrays;
    std::vector<const char *> texts(wanted.size());
    for (std::size_t column = 0; column < statement.key.size(); ++column) {
        for (std::size_t i = 0; i < wanted.size(); ++i)
            texts[i] = wanted[i].columns.at(column).c_str();
        const Oid type = statement.key[column].type;
        Datum *const values = read_texts(type, texts.data(), texts.size());
        const int count = static_cast<int>(wanted.size());
        arrays.push_back(pg::call([=] {
            int16 length = 0;
            bool by_value = false;
            char alignment = 0;
            get_typlenbyvalalign(type, &length, &by_value, &alignment);
            return PointerGetDatum(construct_array(values, count, type, length, by_value, alignment));
        }));
    }
    return arrays;
}

std::vector<Datum> key_values(const Statement &statement, std::span<const std::string> columns)
{
    std::vector<Datum> values;
    for (std::size_t column = 0; column < statement.key.size(); ++column) {
        const char *const text = columns[column].c_str();
        values.push_back(*read_texts(statement.key[column].type, &text, 1));
    }
    return values;
}

} // namespace autosync::worker
