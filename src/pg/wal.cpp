#include "pg/wal.hpp"

#include "pg/bridge.hpp"

namespace autosync::pg {

namespace {

/// The insert position may stand right behind a page header that no record has followed yet: the page as such is not there to be
/// flushed, and XLogFlush() would complain. The end of the last record is before the header.
XLogRecPtr end_of_last_record()
{
    const XLogRecPtr at = GetXLogInsertRecPtr();
    const bool first_page = XLogSegmentOffset(at, wal_segment_size) < XLOG_BLCKSZ;
    const XLogRecPtr header = first_page ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;
    return at % XLOG_BLCKSZ == header ? at - header : at;
}

} // namespace

XLogRecPtr flush_wal()
{
    return call([] {
        const XLogRecPtr place = end_of_last_record();
        XLogFlush(place);
        return place;
    });
}

bool confirmed_by_standbys(XLogRecPtr place)
{
    if (!SyncRepRequested() || SyncRepStandbyNames == nullptr || *SyncRepStandbyNames == '\0')
        return true;
    return call([place] {
        LWLockAcquire(SyncRepLock, LW_SHARED);
        const bool confirmed = WalSndCtl->lsn[SYNC_REP_WAIT_FLUSH] >= place;
        LWLockRelease(SyncRepLock);
        return confirmed;
    });
}

} // namespace autosync::pg
