#include "targets/atproto_request.hpp"

#include "mapping/json.hpp"

namespace autosync::targets::atproto {
namespace {

namespace json = mapping::json;

http::Request post(const std::string &pds, const char *method, std::string body)
{
    return {"POST", pds + "/xrpc/com.atproto.repo." + method, {{"Content-Type", "application/json"}}, std::move(body)};
}

std::string key_of(const Address &at)
{
    std::string body = R"({"repo":)";
    json::append_string(body, at.did);
    body += R"(,"collection":)";
    json::append_string(body, at.collection);
    body += R"(,"rkey":)";
    json::append_string(body, at.rkey);
    return body;
}

std::string swapping(const Swap &swap)
{
    if (!swap)
        return {};
    std::string body = R"(,"swapRecord":)";
    if (swap->empty())
        return body + "null";
    json::append_string(body, *swap);
    return body;
}

} // namespace

http::Request put_record(const std::string &pds, const Address &at, std::string_view record, const Swap &swap)
{
    return post(pds, "putRecord", (key_of(at) + R"(,"record":)").append(record) + swapping(swap) + "}");
}

/// A record that is not there cannot be removed: nothing needs to be compared.
http::Request delete_record(const std::string &pds, const Address &at, const Swap &swap)
{
    return post(pds, "deleteRecord", key_of(at) + (swap && swap->empty() ? "" : swapping(swap)) + "}");
}

http::Request upload_blob(const std::string &pds, const autosync::atproto::Blob &blob)
{
    auto request = post(pds, "uploadBlob", blob.bytes);
    request.headers = {{"Content-Type", blob.type}};
    return request;
}

http::Request get_record(const std::string &pds, const Address &at)
{
    // All three are made of characters that a query carries as they are, but for the percent sign of a DID.
    std::string did;
    for (const char c : at.did)
        did += c == '%' ? std::string{"%25"} : std::string(1, c);
    return {"GET", pds + "/xrpc/com.atproto.repo.getRecord?repo=" + did + "&collection=" + at.collection + "&rkey=" + at.rkey, {}, {}};
}

Writes::Writes(const std::string &did)
{
    body_ = R"({"repo":)";
    json::append_string(body_, did);
    body_ += R"(,"writes":[)";
}

void Writes::add(std::string_view verb, const Intent &intent)
{
    body_ += count_++ == 0 ? "" : ",";
    (body_ += R"({"$type":"com.atproto.repo.applyWrites#)").append(verb) += R"(","collection":)";
    json::append_string(body_, intent.at.collection);
    body_ += R"(,"rkey":)";
    json::append_string(body_, intent.at.rkey);
    if (verb != "delete")
        (body_ += R"(,"value":)") += intent.record;
    body_ += '}';
}

http::Request Writes::request(const std::string &pds) const { return post(pds, "applyWrites", body_ + "]}"); }

} // namespace autosync::targets::atproto
