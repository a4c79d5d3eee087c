#include "pg/json_form.hpp"

#include "mapping/json.hpp"
#include "pg/bridge.hpp"

namespace autosync::pg {

namespace {

using Way = JsonForm::Way;

constexpr int deepest = 32; // of types within types; what lies below is written as text

/// What a type is, as the catalogs say.
struct Facts {
    Oid base;
    Oid element; ///< of an array
    Oid output;
    bool composite;
    int16 length;
    bool by_value;
    char alignment;
};

Facts facts_of(Oid type)
{
    return call([type] {
        Facts facts{};
        facts.base = getBaseType(type);
        facts.element = get_element_type(facts.base);
        facts.composite = get_typtype(facts.base) == TYPTYPE_COMPOSITE;
        if (OidIsValid(facts.element))
            get_typlenbyvalalign(facts.element, &facts.length, &facts.by_value, &facts.alignment);
        bool varlena = false;
        getTypeOutputInfo(facts.base, &facts.output, &varlena);
        return facts;
    });
}

Way way_of(const Canonical &canonical)
{
    using Form = Canonical::Form;
    switch (canonical.form()) {
    case Form::int2:
    case Form::int4:
    case Form::int8:
    case Form::oid:
    case Form::float4:
    case Form::float8:
    case Form::numeric:
        return Way::number;
    case Form::boolean:
        return Way::boolean;
    case Form::text:
        return Way::text;
    case Form::date:
    case Form::time:
    case Form::timetz:
    case Form::timestamp:
    case Form::timestamptz:
    case Form::uuid:
        return Way::plain;
    default:
        return canonical.base() == JSONOID ? Way::json : canonical.base() == JSONBOID ? Way::jsonb : Way::output;
    }
}

JsonForm form_of(Oid type, int depth, JsonNeeds &needs);

void add_columns(JsonForm &form, Oid type, int depth, JsonNeeds &needs)
{
    const TupleDesc shape = call([type] { return lookup_rowtype_tupdesc(type, -1); });
    for (int i = 0; i < shape->natts; ++i) {
        const auto *const column = TupleDescAttr(shape, i);
        form.names.push_back(column->attisdropped ? std::string{} : member_name(NameStr(column->attname)));
        form.parts.push_back(column->attisdropped ? JsonForm{} : form_of(column->atttypid, depth + 1, needs));
    }
    call([shape] { ReleaseTupleDesc(shape); });
}

JsonForm form_of(Oid type, int depth, JsonNeeds &needs)
{
    const Facts facts = facts_of(type);
    JsonForm form;
    form.type = facts.base;
    Canonical *const canonical = &form.canonical;
    call([canonical, type] { *canonical = Canonical{type}; });
    form.way = way_of(form.canonical);
    if (depth < deepest && OidIsValid(facts.element)) {
        form.way = Way::list;
        form.type = facts.element;
        form.length = facts.length;
        form.by_value = facts.by_value;
        form.alignment = facts.alignment;
        form.parts.push_back(form_of(facts.element, depth + 1, needs));
    } else if (depth < deepest && facts.composite) {
        form.way = Way::composite;
        add_columns(form, facts.base, depth, needs);
    } else if (form.canonical.form() == Canonical::Form::other) {
        needs.pinned = true;
        needs.risky = needs.risky || facts.output >= FirstNormalObjectId || facts.base >= FirstNormalObjectId; // or of a range's bounds
    }
    return form;
}

} // namespace

JsonForm form_of(Oid type, JsonNeeds &needs) { return form_of(type, 0, needs); }

std::string member_name(const char *name)
{
    std::string text;
    mapping::json::append_string(text, name);
    return text;
}

} // namespace autosync::pg
