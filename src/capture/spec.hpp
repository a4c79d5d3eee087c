// What a capture trigger has to know of its table, looked up once per session and kept until a catalog changes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "capture/buffer.hpp"
#include "capture/last_state.hpp"
#include "config/options.hpp"
#include "config/settings.hpp"
#include "pg/canonical.hpp"
#include "pg/row_json.hpp"
#include "pg/postgres.hpp"

namespace autosync::capture {

struct KeyPart {
    AttrNumber number = 0;
    pg::Canonical form;
};

/// How a sync's changes are delivered, as far as a commit has to know.
struct Manner {
    std::int8_t delivery = -1; ///< what the commit does: 0 nothing, config::wait_for_delivery, config::deliver_before, -1 what the session says
    std::int8_t gathers = -1; ///< whether changes are gathered for a while (debounce), likewise: then no commit waits for them

    [[nodiscard]] int now() const
    {
        const bool gathered = gathers < 0 ? config::settings.debounce != 0 : gathers != 0;
        return gathered ? 0 : delivery < 0 ? config::settings.delivery : delivery;
    }
};
[[nodiscard]] Manner manner_of(const std::string &target, const config::Options &options);
/// Neither the sync nor its server is switched off.
[[nodiscard]] bool is_enabled(const std::string &target, const config::Options &options);

struct Spec {
    bool active = false;           ///< false: nothing to note (switched off, or broken as declared: the worker and health() say so)
    Oid table = InvalidOid;        ///< that declares the sync: for a partition its partitioned table
    std::string target;
    Manner manner;
    unsigned operations = 0;       ///< bits 1 << outbox::Operation
    std::vector<KeyPart> key;
    std::shared_ptr<LastState> removes; ///< asked of a row that is deleted; null: the option on_delete is a word
    outbox::Carries carries = outbox::Carries::keys;
    std::shared_ptr<const pg::RowJson> row; ///< how a row is written that its events carry
    std::string used;              ///< bitmap of the attributes that the sync reads (bit n-1 = attribute n)

    // The topic of this sync's events in the current transaction, while epoch and session settings stay the same.
    Buffer::TopicId topic = 0;
    std::uint64_t epoch = 0;
};

/// InvalidAttrNumber: no (undropped) column of this name.
[[nodiscard]] AttrNumber attribute(TupleDesc shape, std::string_view name);
/// The table that declares a trigger: those on partitions are clones of the partitioned table's.
[[nodiscard]] Oid declaring_table(Oid trigger, Oid relation);
/// The spec of a trigger that is firing; built at its first use. Never raises for what was declared.
[[nodiscard]] Spec &spec_of(const TriggerData &trigger);

} // namespace autosync::capture
