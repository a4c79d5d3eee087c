// A worker's place in the slot of its database: taken, shown, and given back however the process ends.
#pragma once

#include <chrono>

#include "worker/slots.hpp"

namespace autosync::worker {

class Tenure final {
public:
    /// Takes the place; false when there is none to take: the database is forgotten, served already, or needed by somebody for itself.
    [[nodiscard]] bool begin(Oid database);

    /// Somebody wants this worker to end now.
    [[nodiscard]] bool revoked();
    /// Whether a commit has asked for a look since the last question. Looking must come after asking.
    [[nodiscard]] bool asked() noexcept;
    void report_extension(bool installed);
    /// Leaves for want of work, unless somebody has asked for a look meanwhile.
    [[nodiscard]] bool retire();
    /// Leaves when other databases wait for a worker and this one is idle, or has had its share.
    [[nodiscard]] bool give_way(bool idle);
    /// How long until give_way() is worth another question.
    [[nodiscard]] std::chrono::milliseconds patience() const;

private:
    enum class Ending : std::uint8_t { failed, again, retired };
    static void end(int code, Datum argument);
    [[nodiscard]] bool leave_idle(bool for_another);
    [[nodiscard]] std::chrono::milliseconds age() const;

    DatabaseSlot *slot_ = nullptr;
    Ending ending_ = Ending::failed;
};

} // namespace autosync::worker
