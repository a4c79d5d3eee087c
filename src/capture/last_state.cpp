#include "capture/last_state.hpp"

#include "pg/expression.hpp"
#include "pg/spi.hpp"

namespace autosync::capture {

bool is_of_transaction(int sqlstate)
{
    switch (ERRCODE_TO_CATEGORY(sqlstate)) {
    case ERRCODE_OPERATOR_INTERVENTION:
    case ERRCODE_INSUFFICIENT_RESOURCES:
    case ERRCODE_TRANSACTION_ROLLBACK:
    case ERRCODE_SYSTEM_ERROR:
    case ERRCODE_INTERNAL_ERROR:
        return true;
    default:
        return false;
    }
}

void LastState::prepare()
{
    if (plan_ != nullptr)
        return;
    struct Names {
        char *schema;
        char *table;
    };
    const Oid table = table_;
    const Names names = pg::call([table] { return Names{get_namespace_name(get_rel_namespace(table)), get_rel_name(table)}; });
    if (names.schema == nullptr || names.table == nullptr)
        throw pg::Failure{ERRCODE_UNDEFINED_TABLE, "the table that declares the sync does not exist"};
    const std::string sql = pg::condition_on_value(condition_, "$1::" + pg::quote_qualified(names.schema, names.table), names.table);
    const char *const text = sql.c_str();
    Oid *const types = &row_type_;
    plan_.reset(pg::call([=] {
        SPIPlanPtr const made = SPI_prepare(text, 1, types);
        if (made == nullptr)
            pg::fail_spi("SPI_prepare", SPI_result);
        SPI_keepplan(made);
        return made;
    }));
}

bool LastState::holds(HeapTuple row, TupleDesc shape)
{
    const Oid table = table_;
    const Oid owner = pg::call([table] {
        HeapTuple const entry = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
        const Oid found = HeapTupleIsValid(entry) ? reinterpret_cast<Form_pg_class>(GETSTRUCT(entry))->relowner : InvalidOid;
        if (HeapTupleIsValid(entry))
            ReleaseSysCache(entry);
        return found;
    });
    bool result = false;
    bool *const out = &result;
    try {
        pg::subtransaction([&] {
            const pg::ActingAs acting{owner};
            pg::call([] { pg::connect_spi(); });
            prepare();
            SPIPlanPtr const plan = plan_.get();
            pg::call([=] {
                Datum value = heap_copy_tuple_as_datum(row, shape);
                const int code = SPI_execute_plan(plan, &value, nullptr, true, 1);
                if (code != SPI_OK_SELECT)
                    pg::fail_spi("SPI_execute_plan", code);
                bool null = false;
                *out = SPI_processed == 1 && DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &null)) && !null;
                SPI_finish();
            });
        });
    } catch (const pg::Error &error) {
        if (is_of_transaction(error.sqlstate()))
            throw;
        pg::report(WARNING, error.sqlstate(), "the condition of on_delete cannot be evaluated for a deleted row, which stays at its target: " + std::string{error.what()},
                   error.detail(), "Correct the option with autosync.alter_sync(); autosync.unpublish() removes the entity.");
        return false;
    }
    return result;
}

} // namespace autosync::capture
