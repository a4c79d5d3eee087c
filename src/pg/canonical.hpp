// One text per value, whatever the session's settings: what keys are compared, collapsed, parked and named by.
#pragma once

#include <cstdint>
#include <string>

#include "pg/bridge.hpp"

namespace autosync::pg {

/// How values of one type become text. Looked up once, then kept by the caller; trivially destructible, so that it may live in a pg::call.
///
/// integers and oid in decimal; bool 'true'/'false'; text as it is; char(n) without trailing blanks; numeric without trailing zeros;
/// floats shortest-precise, never '-0'; date '2024-02-29'; timestamp '2024-02-29T12:34:56.789', timestamptz the same in UTC with a Z
/// (outside years 1–9999 PostgreSQL's ISO text); bytea '\x00ff'; a domain like its base type; all else as its output function gives it
/// under pinned settings. PostgreSQL reads every one of these texts back as an equal value.
class Canonical final {
public:
    Canonical() = default;
    explicit Canonical(Oid type); ///< reads catalogs, may ereport(): inside pg::call

    /// Appends the text of a value that is not NULL. May ereport(): inside pg::call. `pinned`: the caller holds PinnedSettings already.
    void append(StringInfo out, Datum value, bool pinned = false) const;
    [[nodiscard]] bool integer() const noexcept { return form_ == Form::int2 || form_ == Form::int4 || form_ == Form::int8; }

    enum class Form : std::uint8_t {
        int2,
        int4,
        int8,
        oid,
        boolean,
        uuid,
        float4,
        float8,
        date,
        time,
        timetz,
        timestamp,
        timestamptz,
        text, ///< here begin those whose texts may be long
        name,
        blank_padded,
        numeric,
        bytes,
        steady, ///< its output function heeds no setting
        other   ///< its output function may: called with the settings pinned
    };
    [[nodiscard]] bool brief() const noexcept { return form_ < Form::text; } ///< no text needs more than 100 bytes
    [[nodiscard]] Form form() const noexcept { return form_; }
    [[nodiscard]] Oid base() const noexcept { return base_; } ///< the type below all domains

private:
    Form form_ = Form::other;
    Oid base_ = InvalidOid;
    Oid output_ = InvalidOid;
};

/// The canonical text of one value: for what is not on a hot path.
[[nodiscard]] std::string canonical_text(Datum value, Oid type);

/// Pins the settings that decide how values are written as text, until release(). Has no destructor: an error leaves it to the abort
/// of the (sub)transaction to take them back. Both halves inside pg::call.
class PinnedSettings final {
public:
    PinnedSettings();
    void release() const;

private:
    int level_;
};

} // namespace autosync::pg
