#include "declaration/check.hpp"

#include <stdexcept>

#include "config/refresh.hpp"
#include "config/target.hpp"
#include "config/words.hpp"
#include "declaration/vectors.hpp"
#include "operate/access.hpp"
#include "pg/expression.hpp"
#include "pg/spi.hpp"
#include "targets/history.hpp"
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

/// Only parsed and analysed, never run.
void analyse(const config::Sync &sync, const std::string &statement)
{
    const char *const text = statement.c_str();
    const pg::ActingAs owner{sync.owner};
    pg::call([text] {
        pg::connect_spi();
        if (SPI_prepare(text, 0, nullptr) == nullptr)
            pg::fail_spi("SPI_prepare", SPI_result);
        SPI_finish();
    });
}

/// As a condition, so that it can hold no aggregates and give no sets.
void analyse_condition(const config::Sync &sync, const std::string &condition)
{
    analyse(sync, "SELECT 1 FROM " + pg::quote_qualified(sync.schema, sync.name) + " WHERE " + condition);
}

} // namespace

void check_condition(const config::Sync &sync, const char *option, const std::string &condition)
{
    if (!pg::is_one_expression(condition))
        throw pg::Failure{ERRCODE_SYNTAX_ERROR, "option \"" + std::string{option} + "\" must be one condition", "It is: " + condition,
                          "Write what would stand behind WHERE, without the word itself."};
    analyse_condition(sync, "(" + condition + "\n)");
}

void check_text(const config::Sync &sync, const std::string &expression)
{
    if (!pg::is_one_expression(expression))
        throw pg::Failure{ERRCODE_SYNTAX_ERROR, "option \"embed_expression\" must be one expression", "It is: " + expression,
                          "Write what would stand behind SELECT, without the word itself, for example: name || ' ' || description"};
    analyse_condition(sync, "((" + expression + "\n)::pg_catalog.text) IS NULL");
}

namespace {

/// A deleted row is no row of the table any more: what holds only for those, as ctid, does not.
void check_last_state(const config::Sync &sync)
{
    check_condition(sync, "on_delete", sync.removes);
    const std::string type = pg::quote_qualified(sync.schema, sync.name);
    analyse(sync, pg::condition_on_value(sync.removes, "NULL::" + type, sync.name));
}

constexpr std::string_view name_characters = "abcdefghijklmnopqrstuvwxyz0123456789_$";

/// As a name of its own, in any case.
bool mentions(std::string_view expression, std::string_view name)
{
    const std::string text = config::lower(expression);
    const std::string wanted = config::lower(name);
    const auto ends_name = [&](std::size_t at) { return at >= text.size() || name_characters.find(text[at]) == std::string_view::npos; };
    for (auto at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1))
        if ((at == 0 || ends_name(at - 1)) && ends_name(at + wanted.size()))
            return true;
    return false;
}

/// An expression reads the row as it is: what it gives would tell what is masked.
void check_masks(const config::Sync &sync)
{
    const auto masks = sync.options.find("mask");
    if (masks == sync.options.end())
        return;
    if (sync.options.contains("transform"))
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "options \"transform\" and \"mask\" exclude each other", "A transform sees the row as it is.",
                          "Leave out of its result what is to be masked."};
    for (const auto *const option : {"embed_expression", "did_expression"}) {
        const auto expression = sync.options.find(option);
        if (expression == sync.options.end())
            continue;
        for (const auto &[column, mask] : config::parse_masks(masks->second))
            if (mentions(expression->second, column) || mentions(expression->second, sync.name))
                throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "option \"" + std::string{option} + "\" reads column \"" + column + "\", which is masked",
                                  "Expressions see the row as it is.", "Leave the column out of the expression or of the option \"mask\"."};
    }
}

/// Events of all syncs of a target are told in one sequence.
void check_history(std::string_view kind, const config::Options &options)
{
    if (!targets::keeps_history(kind, options))
        return;
    for (const auto *const option : {"lane", "max_in_flight", "rate_limit", "request_timeout"})
        if (options.contains(option))
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "option \"" + std::string{option} + "\" is not for a sync whose events are told one by one",
                              "The events of all syncs of a target are told in the order in which they came about.", "Set it for the server, or give the sync a target of its own."};
    for (const auto &[option, reason] : {std::pair{"debounce", "Each of them is told, and none stands for another."}, std::pair{"refresh_on", "What happens to rows of other tables is no event of its own rows."}})
        if (options.contains(option))
            throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "option \"" + std::string{option} + "\" is not for a sync whose events are told one by one", reason};
}

void check_delivery(const config::Options &options)
{
    const auto delivery = options.find("delivery");
    const auto debounce = options.find("debounce");
    if (delivery != options.end() && delivery->second != "async" && debounce != options.end() && config::parse_duration(debounce->second).count() > 0)
        throw pg::Failure{ERRCODE_INVALID_PARAMETER_VALUE, "options \"delivery\" and \"debounce\" exclude each other",
                          "A commit that waits for its delivery would wait for others' changes as well.", "Deliver at once, or do not wait."};
}

} // namespace

Checked check_sync(Oid table, const std::string &target, const config::Options &options)
{
    const auto kind = config::kind_of_server(operate::require_target(target));
    check_options(kind, config::Level::sync, options);
    Checked checked{config::describe_sync(table, target, options), {}};
    if (const auto filter = options.find("filter"); filter != options.end())
        check_condition(checked.sync, "filter", filter->second);
    if (!checked.sync.deleted.empty())
        check_condition(checked.sync, "soft_delete", checked.sync.deleted);
    if (!checked.sync.removes.empty())
        check_last_state(checked.sync);
    check_masks(checked.sync);
    config::Catalog catalog;
    (void) config::checked_refreshes(catalog, *catalog.table(table), checked.sync.key, options);
    check_delivery(options);
    check_history(kind, options);
    if (config::find_option(kind, config::Level::sync, "embed") != nullptr)
        check_vectors(checked.sync);
    const auto *const target_kind = targets::find(kind);
    const auto mapping = target_kind->compile(checked.sync.source);
    checked.description = target_kind->describe(checked.sync.source, *mapping);
    return checked;
}

} // namespace autosync::declaration
