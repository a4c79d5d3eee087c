#include "pg/watch.hpp"

#include <algorithm>
#include <utility>

#include "pg/bridge.hpp"

namespace autosync::pg {

void RelationWatch::changed(Datum self, Oid relation)
{
    auto *const watch = reinterpret_cast<RelationWatch *>(DatumGetPointer(self));
    if (relation == InvalidOid || std::find(watch->relations_.begin(), watch->relations_.end(), relation) != watch->relations_.end())
        watch->valid_ = false;
}

bool RelationWatch::holds()
{
    if (!watching_) {
        call([this] { CacheRegisterRelcacheCallback(changed, PointerGetDatum(this)); });
        watching_ = true;
    }
    return valid_;
}

void RelationWatch::remember(std::vector<Oid> relations)
{
    relations_ = std::move(relations);
    valid_ = true;
}

} // namespace autosync::pg
