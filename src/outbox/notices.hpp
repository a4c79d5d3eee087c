// Notifications on the channel autosync, for syncs that ask for them. They tell keys, no row data: every role may listen.
#pragma once

#include <string>

namespace autosync::outbox {

/// To be put behind a WITH clause: notifies of each row of `rows`, where its source is among the oids of parameter `telling`. `event`: an
/// SQL expression over the row; `members`: more members of the object, as json_build_object() takes them. A notification that would be too
/// long for PostgreSQL is left out, and so are all while the queue is half full because somebody does not listen: no delivery fails for them.
[[nodiscard]] std::string tell(const std::string &rows, const std::string &event, const std::string &members, const std::string &telling);

} // namespace autosync::outbox
