// Who may see and do what: tables belong to their owner, targets to the owner of their server.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "pg/spi.hpp"

namespace autosync::operate {

[[nodiscard]] bool owns_table(Oid table);
/// Raises 42501 with the table's name. A table that is gone raises 42P01.
void require_table(Oid table);
/// The server's oid. Raises 42704 for an unknown target or one of another wrapper.
[[nodiscard]] Oid require_target(const std::string &name);
[[nodiscard]] Oid require_target_usage(const std::string &name); ///< else 42501
void require_server_usage(const std::string &name); ///< of a target or a service beside them, likewise
[[nodiscard]] Oid require_target_owner(const std::string &name); ///< else 42501

/// For the caller to act on the internal tables with: the adopted instance's id as text.
/// Raises 55000 when the database is not adopted.
[[nodiscard]] std::string require_instance();
/// The same, and it must not be a copy.
[[nodiscard]] std::string require_adopted();

[[nodiscard]] std::optional<std::string> optional_name(FunctionCallInfo fcinfo, int index);
[[nodiscard]] std::optional<std::string> optional_text(FunctionCallInfo fcinfo, int index);
[[nodiscard]] std::optional<Oid> optional_oid(FunctionCallInfo fcinfo, int index);
/// Raises 22004 naming the argument.
void require_arguments(FunctionCallInfo fcinfo, const std::vector<const char *> &names);

/// 'schema.table', as targets know it; the oid as text when the table is gone.
[[nodiscard]] std::string source_name(Oid table);

/// The targets to which this table is synced; the one that is asked for, if so. Raises 42704 when there is none.
[[nodiscard]] std::vector<std::string> targets_of_source(Oid table, const std::optional<std::string> &target);

} // namespace autosync::operate
