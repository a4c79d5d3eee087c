// Secrets in what a server says: it may repeat whatever it was sent.
#pragma once

#include <initializer_list>
#include <string>

#include "http/message.hpp"

namespace autosync::http {

/// The text with the secrets of these accesses, as they were sent, replaced by '***'. Those that are null are left out.
[[nodiscard]] std::string without_secrets(std::string text, std::initializer_list<const Access *> accesses);

} // namespace autosync::http
