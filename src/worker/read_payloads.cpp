// Rows as events carry them: what conditions and options say of them is asked as of a row of the table.

#include "worker/reader_state.hpp"

namespace autosync::worker {

namespace {

/// The texts as one array, in the caller's memory.
Datum array_of(std::span<const std::string *const> texts)
{
    const auto *const all = texts.data();
    const std::size_t count = texts.size();
    return pg::call([=] {
        auto *const items = static_cast<Datum *>(palloc((count + 1) * sizeof(Datum)));
        for (std::size_t i = 0; i < count; ++i)
            items[i] = PointerGetDatum(cstring_to_text_with_len(all[i]->data(), static_cast<int>(all[i]->size())));
        return PointerGetDatum(construct_array(items, static_cast<int>(count), TEXTOID, -1, false, TYPALIGN_INT));
    });
}

/// In these the rows were written: an interval, an amount of money reads as something else in others.
void pin_forms()
{
    for (const auto &[name, value] : {std::pair{"IntervalStyle", "postgres"}, std::pair{"lc_monetary", "C"}})
        (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

} // namespace

void Reader::State::read_texts(std::span<const std::string *const> payloads, std::size_t byte_budget, std::size_t *bytes, std::vector<ReadRow> *rows)
{
    Step step = Step::planning;
    const std::size_t before = *bytes;
    const std::size_t had = rows->size();
    try {
        as_owner(owner, limit, [&] {
            step = Step::planning;
            if (!by_payloads)
                by_payloads.emplace(statement.by_payloads(), std::vector<Oid>{TEXTARRAYOID});
            by_payloads->prepare();
            step = Step::running;
            pg::call(pin_forms);
            const Datum texts = array_of(payloads);
            TupleDesc shape = nullptr;
            const auto tuples = by_payloads->run({&texts, 1}, statement.types, &shape);
            const Pinned pinned;
            const Rows found{{}, tuples, shape};
            for (std::size_t i = 0; i < found.size(); ++i)
                rows->push_back(decoder.read(found.values(i), found.nulls(i), bytes));
        });
        return;
    } catch (const pg::Error &error) {
        *bytes = before;
        rows->resize(had);
        blame(error, step);
        if (payloads.size() == 1) {
            rows->push_back(ReadRow{.change = {}, .problem = error.what(), .unnamed = false, .version = {}, .filtered = false, .deleted = false, .skip = false});
            *bytes += sizeof(ReadRow);
            return;
        }
    }
    const std::size_t half = payloads.size() / 2;
    read_texts(payloads.first(half), byte_budget, bytes, rows);
    if (*bytes < byte_budget)
        read_texts(payloads.subspan(half), byte_budget, bytes, rows);
}

std::vector<ReadRow> Reader::read_payloads(std::span<const std::string *const> payloads, std::size_t byte_budget)
{
    std::vector<ReadRow> rows;
    std::size_t bytes = 0;
    if (!payloads.empty())
        state_->read_texts(payloads, byte_budget, &bytes, &rows);
    return rows;
}

} // namespace autosync::worker
