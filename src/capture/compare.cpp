#include "capture/compare.hpp"

#include <algorithm>

namespace autosync::capture {

namespace {

/// One version of a row, column by column where it lies: to take it apart first would cost twice as much.
struct Walk {
    const char *bytes;
    const bits8 *nulls;
    Size at = 0;

    explicit Walk(HeapTuple row)
        : bytes{reinterpret_cast<const char *>(row->t_data) + row->t_data->t_hoff}, nulls{HeapTupleHasNulls(row) ? row->t_data->t_bits : nullptr}
    {
    }
    [[nodiscard]] bool null(int number) const { return nulls != nullptr && att_isnull(number, nulls); }

    /// Moves to where the column begins; its size. A toast pointer is taken as it is: nothing is fetched.
    [[nodiscard]] inline Size seek(Form_pg_attribute column)
    {
        const int length = column->attlen;
        if (length == -1) {
            if (const char *const here = bytes + at; VARATT_IS_SHORT(here) && !VARATT_IS_EXTERNAL(here)) // most are, and these are not aligned
                return VARSIZE_SHORT(here);
            at = att_align_pointer(at, column->attalign, -1, bytes + at);
            return VARSIZE_ANY(bytes + at);
        }
        at = att_align_nominal(at, column->attalign);
        return length > 0 ? static_cast<Size>(length) : strlen(bytes + at) + 1;
    }
};

inline bool same(const char *left, const char *right, Size size)
{
    if (size == 4)
        return memcmp(left, right, 4) == 0;
    return size == 8 ? memcmp(left, right, 8) == 0 : memcmp(left, right, size) == 0;
}

/// Compares the next column of both and moves past it.
inline bool same_stored(Walk &before, Walk &after, int number, Form_pg_attribute column)
{
    const bool null_before = before.null(number);
    const bool null_after = after.null(number);
    const Size left = null_before ? 0 : before.seek(column);
    const Size right = null_after ? 0 : after.seek(column);
    const bool equal = null_before == null_after && left == right && same(before.bytes + before.at, after.bytes + after.at, left);
    before.at += left;
    after.at += right;
    return equal;
}

/// Of a column that was added after one of the versions was written: its default lies in the catalog in another form than in a row.
bool same_added(HeapTuple before, HeapTuple after, int number, TupleDesc shape)
{
    const Form_pg_attribute column = TupleDescAttr(shape, number);
    bool null_before = false;
    bool null_after = false;
    const Datum left = heap_getattr(before, number + 1, shape, &null_before);
    const Datum right = heap_getattr(after, number + 1, shape, &null_after);
    return null_before == null_after && (null_before || datum_image_eq(left, right, column->attbyval, column->attlen));
}

} // namespace

void compare(HeapTuple before, HeapTuple after, TupleDesc shape, StringInfo changed)
{
    const auto bytes = static_cast<std::size_t>(shape->natts + 7) / 8;
    resetStringInfo(changed);
    enlargeStringInfo(changed, static_cast<int>(bytes));
    memset(changed->data, 0, bytes);
    changed->len = static_cast<int>(bytes);
    const auto note = [changed](int number) {
        char &byte = changed->data[number / 8];
        byte = static_cast<char>(static_cast<unsigned char>(byte) | 1U << (number % 8));
    };
    const int stored = std::min<int>({HeapTupleHeaderGetNatts(before->t_data), HeapTupleHeaderGetNatts(after->t_data), shape->natts});
    Walk left{before};
    Walk right{after};
    for (int i = 0; i < stored; ++i) {
        const Form_pg_attribute column = TupleDescAttr(shape, i);
        if (!same_stored(left, right, i, column) && !column->attisdropped)
            note(i);
    }
    for (int i = stored; i < shape->natts; ++i) {
        if (!TupleDescAttr(shape, i)->attisdropped && !same_added(before, after, i, shape))
            note(i);
    }
}

} // namespace autosync::capture
