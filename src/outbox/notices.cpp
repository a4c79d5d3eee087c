#include "outbox/notices.hpp"

namespace autosync::outbox {

std::string tell(const std::string &rows, const std::string &event, const std::string &members, const std::string &telling)
{
    return " SELECT pg_notify('autosync', n.text) FROM (SELECT json_build_object('event', " + event + ", 'target', r.target, 'source', r.source::regclass::text, 'key', r.key" +
           members + ")::text AS text FROM " + rows + " AS r WHERE r.source::oid = ANY (" + telling + "::oid[]) AND " + event +
           " IS NOT NULL) AS n WHERE octet_length(n.text) < 8000 AND (SELECT pg_notification_queue_usage()) < 0.5";
}

} // namespace autosync::outbox
