#include "capture/word.hpp"

#include "capture/attend.hpp"
#include "capture/transaction.hpp"
#include "config/settings.hpp"
#include "outbox/event_id.hpp"
#include "pg/bridge.hpp"

namespace autosync::capture {

Call next_call()
{
    const auto serial = next_serial();
    return {serial, outbox::event_id(pg::call([] { return U64FromFullTransactionId(GetTopFullTransactionId()); }), 0, 0, serial)};
}

void note_word(const outbox::Word &word, const Call &call, const std::vector<const Listener *> &targets, const std::string &correlation_id)
{
    std::map<Oid, std::vector<std::string>> by_table;
    for (const auto *const listener : targets) {
        const auto held = listener->tables.find(word.entity_type);
        const Oid table = held == listener->tables.end() ? Oid{outbox::words_source} : held->second;
        by_table[table].push_back(listener->target);
        attend(listener->manner, listener->target, table, false);
    }
    Buffer &changes = buffer();
    std::string key;
    outbox::pack_text(key, word.entity_type);
    outbox::pack_text(key, word.entity_id);
    outbox::PackedEvent event{outbox::Operation::update, false, 2, key, {}};
    const std::string text = outbox::to_text(word);
    event.payload = text;
    event.serial = call.serial;
    for (auto &[table, names] : by_table) {
        const auto topic = changes.intern({table, std::move(names), correlation_id, config::settings.origin, false, outbox::Carries::words});
        changes.add_word(GetCurrentTransactionNestLevel(), topic, event);
    }
    noted_rows();
}

} // namespace autosync::capture
