#include "worker/key_type.hpp"

#include "pg/spi.hpp"
#include "worker/read.hpp"

namespace autosync::worker {

namespace {

std::string operator_name(Oid number)
{
    struct Name {
        NameData schema;
        NameData name;
        bool found;
    };
    const Name found = pg::call([number] {
        Name result{};
        const HeapTuple tuple = SearchSysCache1(OPEROID, ObjectIdGetDatum(number));
        if (!HeapTupleIsValid(tuple))
            return result;
        const auto *const form = reinterpret_cast<Form_pg_operator>(GETSTRUCT(tuple));
        const char *const schema = get_namespace_name(form->oprnamespace);
        result.found = schema != nullptr;
        result.name = form->oprname;
        if (schema != nullptr)
            namestrcpy(&result.schema, schema);
        ReleaseSysCache(tuple);
        return result;
    });
    if (!found.found)
        throw SyncTrouble{ERRCODE_UNDEFINED_FUNCTION, "the key has a type without ordering"};
    return "OPERATOR(" + pg::quote(NameStr(found.schema)) + "." + NameStr(found.name) + ")";
}

} // namespace

KeyType key_type(Oid declared)
{
    struct Found {
        Oid type, array, equal, greater;
    };
    const Found found = pg::call([declared] {
        const Oid base = getBaseType(declared);
        const TypeCacheEntry *const type = lookup_type_cache(base, TYPECACHE_EQ_OPR | TYPECACHE_GT_OPR);
        return Found{base, get_array_type(base), type->eq_opr, type->gt_opr};
    });
    return {.type = found.type, .array = found.array, .equal = operator_name(found.equal), .greater = operator_name(found.greater)};
}

Oid column_type(Oid table, const std::string &column)
{
    const char *const text = column.c_str();
    const Oid type = pg::call([=] {
        const AttrNumber number = get_attnum(table, text);
        return number == InvalidAttrNumber ? InvalidOid : get_atttype(table, number);
    });
    if (!OidIsValid(type))
        throw SyncTrouble{ERRCODE_UNDEFINED_COLUMN, "column \"" + column + "\" does not exist"};
    return type;
}

} // namespace autosync::worker
