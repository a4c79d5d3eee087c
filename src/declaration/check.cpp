#include "declaration/check.hpp"

#include <stdexcept>

#include "config/target.hpp"
#include "declaration/vectors.hpp"
#include "operate/access.hpp"
#include "pg/expression.hpp"
#include "pg/spi.hpp"
#include "targets/target.hpp"

namespace autosync::declaration {

void check_options(const std::string &kind, config::Level level, const config::Options &options, bool hide_statement)
{
    for (const auto &[name, value] : options)
        if (const auto error = config::check_option(kind, level, name, value))
            throw pg::Failure{
                error->unknown ? ERRCODE_FDW_INVALID_OPTION_NAME : ERRCODE_INVALID_PARAMETER_VALUE, error->message, {}, error->hint, hide_statement};
}

namespace {

/// Only parsed and analysed, never run. As a condition, so that it can hold no aggregates and give no sets.
void analyse(const config::Sync &sync, const std::string &condition)
{
    const std::string statement = "SELECT 1 FROM " + pg::quote_qualified(sync.schema, sync.name) + " WHERE " + condition;
    const char *const text = statement.c_str();
    const pg::ActingAs owner{sync.owner};
    pg::call([text] {
        pg::connect_spi();
        if (SPI_prepare(text, 0, nullptr) == nullptr)
            pg::fail_spi("SPI_prepare", SPI_result);
        SPI_finish();
    });
}

} // namespace

void check_filter(const config::Sync &sync, const std::string &filter)
{
    if (!pg::is_one_expression(filter))
        throw pg::Failure{ERRCODE_SYNTAX_ERROR, "option \"filter\" must be one condition", "It is: " + filter,
                          "Write what would stand behind WHERE, without the word itself."};
    analyse(sync, "(" + filter + "\n)");
}

void check_text(const config::Sync &sync, const std::string &expression)
{
    if (!pg::is_one_expression(expression))
        throw pg::Failure{ERRCODE_SYNTAX_ERROR, "option \"embed_expression\" must be one expression", "It is: " + expression,
                          "Write what would stand behind SELECT, without the word itself, for example: name || ' ' || description"};
    analyse(sync, "((" + expression + "\n)::pg_catalog.text) IS NULL");
}

Checked check_sync(Oid table, const std::string &target, const config::Options &options)
{
    const auto kind = config::kind_of_server(operate::require_target(target));
    check_options(kind, config::Level::sync, options);
    Checked checked{config::describe_sync(table, target, options), {}};
    if (const auto filter = options.find("filter"); filter != options.end())
        check_filter(checked.sync, filter->second);
    if (config::find_option(kind, config::Level::sync, "embed") != nullptr)
        check_vectors(checked.sync);
    const auto *const target_kind = targets::find(kind);
    const auto mapping = target_kind->compile(checked.sync.source);
    checked.description = target_kind->describe(checked.sync.source, *mapping);
    return checked;
}

} // namespace autosync::declaration
