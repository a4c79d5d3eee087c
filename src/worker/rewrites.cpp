#include "worker/rewrites.hpp"

#include <map>
#include <sstream>

#include "pg/spi.hpp"

namespace autosync::worker {

namespace {

constexpr std::string_view file_line = "file ";

/// Table to file.
std::map<std::string, std::string> files_of(const std::string &signature)
{
    std::map<std::string, std::string> files;
    std::istringstream lines{signature};
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(file_line))
            continue;
        std::istringstream words{line.substr(file_line.size())};
        std::string table;
        words >> table >> files[table];
    }
    return files;
}

/// Back from the file there is to the one that was known, or to one that began empty. Each step is one that is noted: whatever else has
/// given the table a new file in between breaks the chain.
bool leads_back(const std::string &table, const std::string &target, std::string file, const std::string &known)
{
    std::map<std::string, pg::Cell> former;
    for (const auto &row : pg::execute("SELECT file, former FROM autosync.rewrites WHERE source = $1::oid AND coalesce(target, $2::name) = $2::name"
                                       " ORDER BY former NULLS LAST",
                                       {table, target}))
        former[row[0].value_or("")] = row[1];
    while (file != known) {
        const auto step = former.extract(file);
        if (step.empty())
            return false;
        if (!step.mapped())
            return true;
        file = *step.mapped();
    }
    return true;
}

} // namespace

std::vector<std::string> noted_rewrites()
{
    std::vector<std::string> noted;
    for (const auto &row : pg::execute("SELECT ctid FROM autosync.rewrites"))
        noted.push_back(row[0].value_or(""));
    return noted;
}

void forget_rewrites(const std::vector<std::string> &noted)
{
    for (const auto &row : noted)
        pg::execute("DELETE FROM autosync.rewrites WHERE ctid = $1::tid", {row});
}

std::string explained(const std::string &before, const std::string &now, const std::string &target)
{
    std::string text = before;
    const auto files = files_of(now);
    for (const auto &[table, known] : files_of(before)) {
        const auto found = files.find(table);
        if (found == files.end() || found->second == known || !leads_back(table, target, found->second, known))
            continue;
        const std::string head = std::string{file_line} + table + " ";
        text.replace(text.find(head + known + "\n"), head.size() + known.size(), head + found->second);
    }
    return text;
}

} // namespace autosync::worker
