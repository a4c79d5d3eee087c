// What the worker knows of declarations: read when a catalog changes, else from memory.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config/sync.hpp"
#include "config/target.hpp"
#include "mapping/key.hpp"
#include "worker/budget.hpp"
#include "worker/read.hpp"

namespace autosync::worker {

/// A sync as its target's rounds use it.
struct Declared {
    config::Sync sync;
    std::vector<mapping::KeyPart> key_parts;
    std::unique_ptr<const targets::Mapping> mapping; ///< null when `problem` says why
    std::unique_ptr<Reader> reader;                  ///< made at first use
    std::string problem;                             ///< why it cannot be delivered as declared
    std::string lane;                                ///< empty: in none
    std::string held;                                ///< why nothing of it is delivered for now: its lane is paused
    [[nodiscard]] const std::string &obstacle() const { return problem.empty() ? held : problem; }
    Budget budget;                                   ///< of tokens
    std::string conditions;                          ///< what the target was prepared under, beside the sync's own options
    bool unfit = false;                              ///< `problem` is why the target cannot be prepared for it: it may be mended there
    bool prepared = false;                           ///< the target is ready for it
    bool as_before = false;                          ///< declared, and what it is made of, as when the catalogs were read the time before
    bool history = false;                            ///< it is told of every event
    bool removes = true;                             ///< the absence of a row removes: the delete operation is on
};

/// A target with all that is synced to it.
struct Destination {
    std::string name;
    bool exists = false;                        ///< the server is there
    std::shared_ptr<embed::Cache> vectors;      ///< survives loads
    std::set<Oid> forgotten;                    ///< tables some entities of which are not to be sent
    std::map<Oid, config::Target> access;       ///< by owner of the table
    std::vector<std::shared_ptr<Declared>> syncs; ///< shared with what is on its way
    std::shared_ptr<Declared> words;            ///< what applications say of entities that no table holds; null: the target does not listen
    [[nodiscard]] std::shared_ptr<Declared> find(Oid table) const;
    [[nodiscard]] const config::Target *access_of(const Declared &declared) const; ///< null: its owner may not use the target
};

/// Watches the catalogs. All of it needs a transaction with an active snapshot.
class Catalog final {
public:
    Catalog();
    /// Something that rounds rely on has changed since the last load(): nothing may be read before the next.
    [[nodiscard]] static bool stale() noexcept;
    /// Something unknown has changed: perhaps a new sync. Worth a load() soon.
    [[nodiscard]] static bool suspect() noexcept;
    static void invalidate() noexcept; ///< somebody has seen what load() has not
    /// Reads everything anew; keeps readers and preparations of syncs that stayed as they were. Notes tables that changed under us as jobs.
    /// False: something could not be written down because a session has it locked; it is suspect then.
    bool load(std::int64_t instance);
    [[nodiscard]] const std::map<std::string, Destination> &destinations() const { return destinations_; }
    [[nodiscard]] const Destination *find(const std::string &target) const;

private:
    void rely_on_tables() const;
    [[nodiscard]] std::shared_ptr<Declared> declare(std::int64_t instance, config::Sync sync, const Destination *before,
                                                    const config::Target &target) const;

    std::map<std::string, Destination> destinations_;
};

} // namespace autosync::worker
