// Secrets that live in files, so that neither dumps nor logs carry them.
#pragma once

#include <string>

namespace autosync::config {

struct Secret {
    std::string value;
    std::string problem; ///< why it cannot be read; never holds any of its content
};

/// Reads a secret from a file below `directory`; without a directory an absolute path, and only when `trusted`
/// (the server belongs to a superuser, who may read files anyhow).
[[nodiscard]] Secret read_secret(const std::string &directory, const std::string &path, bool trusted);

} // namespace autosync::config
