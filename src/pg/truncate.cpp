#include "pg/truncate.hpp"

#include <array>

#include "pg/bridge.hpp"

extern "C" {
#include "access/xloginsert.h"
#include "catalog/pg_control.h"
#include "catalog/storage.h"
#include "storage/bufmgr.h"
#include "storage/sinval.h"
}

namespace autosync::pg {

namespace {

constexpr BlockNumber tail = 2; // where outbox::append() looks for the end of an index's entries

/// Others keep where the root was. Both ways: whoever locks the table after this learns of it however this transaction ends, and standbys
/// learn of it from what it commits.
void tell_others(Relation index)
{
    SharedInvalidationMessage message{};
    message.rc.id = SHAREDINVALRELCACHE_ID;
    message.rc.dbId = MyDatabaseId;
    message.rc.relId = RelationGetRelid(index);
    SendSharedInvalidMessages(&message, 1);
    CacheInvalidateRelcache(index);
}

/// Takes the root and the last pages out of a btree in one record of the log: a crash leaves it as it was, or as one that has no entries. A
/// file that is cut off and built anew would be neither for a moment, and after a crash in that every commit that enters something would fail.
void empty_index(Relation index, BlockNumber pages)
{
    std::array<Buffer, 1 + tail> buffers{};
    std::uint8_t count = 0;
    const auto take = [&](BlockNumber block) {
        buffers[count] = ReadBuffer(index, block);
        LockBuffer(buffers[count++], BUFFER_LOCK_EXCLUSIVE);
    };
    take(BTREE_METAPAGE);
    for (BlockNumber block = pages - 1; block > BTREE_METAPAGE && block + tail >= pages; --block)
        take(block);
    tell_others(index);

    START_CRIT_SECTION();
    Page const meta = BufferGetPage(buffers[0]);
    _bt_initmetapage(meta, P_NONE, 0, BTPageGetMeta(meta)->btm_allequalimage);
    for (std::uint8_t i = 1; i < count; ++i)
        _bt_pageinit(BufferGetPage(buffers[i]), BufferGetPageSize(buffers[i])); // no leaf, and nobody's
    XLogBeginInsert();
    for (std::uint8_t i = 0; i < count; ++i) {
        MarkBufferDirty(buffers[i]);
        XLogRegisterBuffer(i, buffers[i], REGBUF_FORCE_IMAGE | REGBUF_STANDARD);
    }
    const XLogRecPtr noted = XLogInsert(RM_XLOG_ID, XLOG_FPI);
    for (std::uint8_t i = 0; i < count; ++i)
        PageSetLSN(BufferGetPage(buffers[i]), noted);
    END_CRIT_SECTION();
    for (std::uint8_t i = 0; i < count; ++i)
        UnlockReleaseBuffer(buffers[i]);
    // The file is cut off at once, and no crash undoes that: what makes it right has to be on disk first.
    XLogFlush(noted);
}

} // namespace

void truncate(Oid table)
{
    call([table] {
        Relation const relation = table_open(table, NoLock);
        List *const indexes = RelationGetIndexList(relation);
        ListCell *cell = nullptr;
        foreach (cell, indexes) { // the entries before what they point to
            Relation const index = index_open(lfirst_oid(cell), AccessExclusiveLock);
            if (const BlockNumber pages = RelationGetNumberOfBlocks(index); pages > BTREE_METAPAGE + 1) {
                empty_index(index, pages);
                RelationTruncate(index, BTREE_METAPAGE + 1);
            }
            index_close(index, NoLock);
        }
        list_free(indexes);
        if (RelationGetNumberOfBlocks(relation) > 0)
            table_relation_nontransactional_truncate(relation);
        table_close(relation, NoLock);
    });
}

} // namespace autosync::pg
