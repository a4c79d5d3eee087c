// This database delivers: it is not (any more) a copy of another one.
#pragma once

namespace autosync::declaration {

/// Makes autosync.instance name this cluster, database and installation. A database that is known as another one may be adopted
/// by its owner only; else a NOTICE says so when `lenient`, or 42501 is raised.
void adopt(bool lenient);
/// Says in a NOTICE that nothing is captured and delivered before adopt_database(), if so.
void notice_unless_adopted();

} // namespace autosync::declaration
