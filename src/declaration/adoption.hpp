// This database delivers: it is not (any more) a copy of another one.
#pragma once

namespace autosync::declaration {

/// Makes autosync.instance name this cluster, database and installation. That a database known as another one is no copy (any more)
/// only its owner decides: for anybody else a NOTICE says so.
void adopt();
/// Whether the caller does.
[[nodiscard]] bool owns_database();
/// Says in a NOTICE that nothing is captured and delivered before adopt_database(), if so.
void notice_unless_adopted();

} // namespace autosync::declaration
