#include "worker/early_rows.hpp"

#include "config/options.hpp"
#include "mapping/identity.hpp"
#include "mapping/key.hpp"
#include "mapping/wire.hpp"
#include "worker/shape.hpp"

namespace autosync::worker {

namespace {

using mapping::pack;
using mapping::unpack_number;
using mapping::unpack_text;

std::vector<mapping::KeyPart> key_parts(const config::Sync &sync)
{
    std::vector<mapping::KeyPart> parts;
    for (const auto &column : sync.key)
        parts.push_back({column.name, column.type == INT2OID || column.type == INT4OID || column.type == INT8OID});
    return parts;
}

void pack_flag(std::string &out, bool flag) { pack(out, std::int64_t{flag}); }
bool unpack_flag(std::string_view &bytes) { return unpack_number(bytes) != 0; }

void pack_row(std::string &out, const Wanted &wanted, const EarlyKey &key, const ReadRow &row)
{
    pack(out, std::string_view{wanted.key});
    pack(out, static_cast<std::int64_t>(key.columns.size()));
    for (const auto &column : key.columns)
        pack(out, std::string_view{column});
    pack(out, static_cast<std::int64_t>(key.operation));
    pack_flag(out, key.rekeyed);
    pack(out, row.change);
    pack(out, std::string_view{row.problem});
    for (const bool flag : {row.unnamed, row.filtered, row.deleted, row.skip, row.version.has_value()})
        pack_flag(out, flag);
    pack(out, row.version.value_or(0));
}

EarlyRow unpack_row(std::string_view &bytes)
{
    EarlyRow row;
    row.wanted.key = unpack_text(bytes);
    for (auto left = unpack_number(bytes); left > 0; --left)
        row.wanted.columns.push_back(unpack_text(bytes));
    row.operation = static_cast<outbox::Operation>(unpack_number(bytes));
    row.rekeyed = unpack_flag(bytes);
    row.row.change = mapping::unpack(bytes);
    row.row.problem = unpack_text(bytes);
    row.row.unnamed = unpack_flag(bytes);
    row.row.filtered = unpack_flag(bytes);
    row.row.deleted = unpack_flag(bytes);
    row.row.skip = unpack_flag(bytes);
    const bool versioned = unpack_flag(bytes);
    const auto version = unpack_number(bytes);
    if (versioned)
        row.row.version = version;
    return row;
}

} // namespace

std::string print_of(const config::Sync &sync)
{
    std::string print = shape(sync) + "\n" + config::options_to_json(sync.options) + "\n" + std::to_string(sync.owner);
    for (const auto *const list : {&sync.source.columns, &sync.source.computed})
        for (const auto &column : *list)
            print += "\n" + column.name + " " + std::to_string(static_cast<int>(column.type.kind)) + " " + std::to_string(static_cast<int>(column.type.element));
    return print;
}

bool pack_early(const config::Sync &sync, const std::vector<EarlyKey> &keys, std::size_t most, std::string &bytes)
{
    const auto parts = key_parts(sync);
    std::vector<Wanted> wanted;
    for (const auto &key : keys) {
        if (key.columns.size() != parts.size())
            return false;
        wanted.push_back({mapping::key_text(parts, key.columns), key.columns});
    }
    std::vector<ReadRow> rows;
    try {
        Reader reader{sync};
        std::size_t done = 0;
        rows = reader.read_keys(wanted, most, &done);
    } catch (const SyncTrouble &) {
        return false; // the worker meets with it, too, and says so
    }
    if (rows.size() != wanted.size())
        return false;
    pack(bytes, std::int64_t{sync.table});
    pack(bytes, std::string_view{print_of(sync)});
    pack(bytes, static_cast<std::int64_t>(rows.size()));
    for (std::size_t i = 0; i < rows.size(); ++i)
        pack_row(bytes, wanted[i], keys[i], rows[i]);
    return bytes.size() <= most;
}

std::vector<EarlyTable> unpack_early(std::string_view bytes)
{
    std::vector<EarlyTable> tables;
    while (!bytes.empty()) {
        auto &table = tables.emplace_back();
        table.table = static_cast<Oid>(unpack_number(bytes));
        table.print = unpack_text(bytes);
        for (auto left = unpack_number(bytes); left > 0; --left)
            table.rows.push_back(unpack_row(bytes));
    }
    return tables;
}

} // namespace autosync::worker
