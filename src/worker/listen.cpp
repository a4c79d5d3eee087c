#include "worker/listen.hpp"

#include "outbox/word.hpp"
#include "targets/history.hpp"

namespace autosync::worker {

void listen(Destination &destination)
{
    auto target = config::load_target(destination.name, InvalidOid);
    if (!target || !targets::may_keep_history(target->kind->kind()))
        return;
    const auto words = std::make_shared<Declared>();
    words->history = true;
    words->problem = target->problem;
    words->key_parts = {{"entity_type"}, {"entity_id"}};
    words->sync.table = words->sync.owner = outbox::words_source;
    words->sync.target = destination.name;
    words->mapping = target->kind->compile(words->sync.source);
    destination.access[words->sync.owner] = std::move(*target);
    destination.words = words;
}

} // namespace autosync::worker
