// Text that is to stand in a statement of ours.
#pragma once

#include <string>

namespace autosync::pg {

/// Whether the text, as it stands, is one expression: nothing else that a SELECT may have, and no parenthesis that ends somebody else's, as in
/// "a) OR (b", though that fits between parentheses. An error that parsing raises points into the text.
[[nodiscard]] bool is_one_expression(const std::string &text);

/// The statement that says whether a condition on the columns of a table holds for one value of its row type, an expression.
[[nodiscard]] std::string condition_on_value(const std::string &condition, const std::string &value, const std::string &table);

} // namespace autosync::pg
