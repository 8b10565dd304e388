#pragma once

// The wire layout of protocol versions 1 and 2 between proxy and target, all of it, on one screen.
// Every struct is an active-message header or a row of a list in the message's data. Little-endian,
// fixed width, no implicit padding; reserved fields are sent as zero and refused otherwise.
// UCX hands headers at unaligned addresses: decode with memcpy only (see decode.h).
// clang-format off: laid out by hand, as a table of fields and what each guards against

#include <bit>
#include <cstdint>
#include <type_traits>

namespace protocol {

static_assert(std::endian::native == std::endian::little, "the codec copies structs as they are");

inline constexpr uint16_t kVersionMin = 1;  // its proofs cover no features, and know one secret
inline constexpr uint16_t kVersionMax = 2;
inline constexpr uint32_t kMagic = 0x31415253;  // "SRA1": garbage on the port is refused at HELLO

/// Active message ids; one handler each.
enum class MessageId : uint16_t {
  hello = 1, challenge = 2, proof = 3, welcome = 4, volumes = 5,
  read = 6, read_reply = 7, validate = 8, changed = 9, validate_reply = 10,
  ping = 11, pong = 12, goodbye = 13, refuse = 14,
};

/// HELLO offers, CHALLENGE names what of it the target agrees to; unknown bits are ignored.
enum Feature : uint64_t { kLeases = 1 };  // lease_ms, kLeased and CHANGED

inline constexpr uint32_t kNonceBytes = 32;
inline constexpr uint32_t kMacBytes = 32;
inline constexpr uint32_t kSecretsMax = 2;          // two while they are being changed
inline constexpr uint32_t kValidateItemsMax = 1024;
inline constexpr uint32_t kChangedIdsMax = 4096;    // more changes than this: "flush"
inline constexpr uint32_t kVolumesPerPageMax = 1024;
inline constexpr uint32_t kLeaseMsMax = 60'000;     // a longer lease is refused
inline constexpr uint64_t kNeedleBytesMax = 1ull << 32;
inline constexpr uint32_t kMetadataBytesMax = 255 + 255 + 65535;  // name, mime, pairs

struct Hello {             // proxy → target
  uint32_t magic;          // else: not a proxy
  uint16_t version_min;    // the range this proxy speaks
  uint16_t version_max;
  uint64_t features;       // Feature bits that this proxy knows
  uint8_t nonce[kNonceBytes];
};
static_assert(sizeof(Hello) == 48);

struct Challenge {         // target → proxy; from version 2 on the data is the MACs with the target's other secrets
  uint32_t magic;
  uint16_t version;        // chosen
  uint16_t reserved;
  uint64_t features;       // those of HELLO that this target knows
  uint8_t nonce[kNonceBytes];
  uint8_t mac[kMacBytes];  // HMAC-SHA256(secret, "target" ‖ client nonce ‖ server nonce ‖ version_min ‖ version_max ‖ version
                           //   ‖ features of HELLO ‖ features of CHALLENGE, from version 2 on)
};
static_assert(sizeof(Challenge) == 80);

struct Proof {             // proxy → target
  uint8_t mac[kMacBytes];  // the same with "proxy", and the secret that both know
};
static_assert(sizeof(Proof) == 32);

struct Welcome {           // target → proxy
  uint64_t session_id;
  uint32_t requests_max;   // in flight per session
  uint32_t validate_items_max;
  uint64_t needle_bytes_max;
};
static_assert(sizeof(Welcome) == 24);

struct Refuse {            // either side, before the session exists; the endpoint is closed after it
  uint16_t status;         // unsupported_version | unauthorized | overload | bad_request
  uint16_t version_min;
  uint16_t version_max;
  uint16_t reserved;
};
static_assert(sizeof(Refuse) == 8);

struct Volumes {           // target → proxy; the data is rows of VolumeRow
  uint64_t generation;     // counts changes of the list; all pages of one list carry the same
  uint32_t page;           // 0 starts a new list and forgets an unfinished one
  uint32_t pages;
  uint32_t row_count;      // rows in this page
  uint32_t reserved;
};
static_assert(sizeof(Volumes) == 24);

struct VolumeRow {         // the whole list is sent on every change: added and removed follow by comparison
  uint32_t volume_id;
  uint8_t version;         // 1, 2, 3; 0: not loaded (yet)
  uint8_t flags;           // 1 = confirmed
  uint16_t collection_bytes;  // length of the name that follows this row
};
static_assert(sizeof(VolumeRow) == 8);

enum ReadFlag : uint16_t { kMetadataOnly = 1 };

struct Read {              // proxy → target, header only
  uint64_t request_id;     // chosen by the proxy, never 0, not reused while a late answer may come
  uint64_t needle_id;
  uint32_t volume_id;
  uint32_t cookie;
  uint64_t offset;         // first byte wanted of the stored data
  uint64_t length;         // bytes wanted from there; past the end is cut, not an error
  uint64_t whole_bytes_max;  // a needle whose stored data is at most this long is sent whole instead
  uint64_t budget_bytes;   // the answer's data is refused (too_large) over this
  uint64_t timeout_ns;     // relative to arrival; 0 is refused
  uint16_t flags;          // ReadFlag
  uint16_t reserved16;
  uint32_t reserved32;
};
static_assert(sizeof(Read) == 72);

enum ReplyFlag : uint16_t { kWhole = 1, kStream = 2, kHasTtl = 4 };

struct ReadReply {         // target → proxy; data = [stored bytes][name][mime][pairs]
  uint64_t request_id;
  uint64_t epoch;          // volume generation the answer was read at
  uint64_t position;       // applied .idx bytes
  uint64_t append_at_ns;   // version 3; else 0
  uint64_t ttl_left_ns;    // by the target's clock, valid with kHasTtl
  uint64_t last_modified_s;
  uint64_t data_bytes_total;  // stored data size of the needle
  uint64_t data_offset;    // where in it the sent slice begins
  uint64_t data_length;    // sent bytes of it
  uint32_t index_bytes;    // size in the .idx row
  uint32_t checksum;       // as stored; without kWhole and kStream the computed one, which the ETag shows
  uint32_t data_crc32c;    // of the sent slice; for kWhole the proxy compares with checksum instead
  uint32_t pairs_bytes;
  uint16_t status;
  uint16_t reply_flags;    // ReplyFlag
  uint8_t needle_flags;    // the record's flag byte
  uint8_t name_bytes;
  uint8_t mime_bytes;
  uint8_t volume_version;
};
static_assert(sizeof(ReadReply) == 96);

struct Validate {          // proxy → target; the data is rows of ValidateItem
  uint64_t request_id;
  uint64_t timeout_ns;
  uint32_t item_count;
  uint32_t lease_ms;       // asks for a lease of each volume, from arrival; 0: none. Without kLeases refused
};
static_assert(sizeof(Validate) == 24);

struct ValidateItem {
  uint64_t epoch;
  uint64_t position;
  uint32_t volume_id;
  uint32_t reserved;
};
static_assert(sizeof(ValidateItem) == 24);

struct ValidateReply {     // target → proxy; the data is rows of ValidateRow, each followed by its ids (u64)
  uint64_t request_id;
  uint32_t row_count;
  uint16_t status;
  uint16_t reserved;
};
static_assert(sizeof(ValidateReply) == 16);

enum RowFlag : uint16_t { kLeased = 1 };

enum class Verdict : uint16_t { changed = 0, flush = 1, gone = 2, unconfirmed = 3 };

struct ValidateRow {
  uint64_t epoch;          // now
  uint64_t position;       // now
  uint32_t volume_id;
  uint32_t id_count;       // ids changed since; only with Verdict::changed
  uint16_t verdict;
  uint16_t flags;          // RowFlag; only with Verdict::changed and flush
  uint32_t reserved32;
};
static_assert(sizeof(ValidateRow) == 32);

struct Changed {           // target → proxy, to the holder of a lease; the data is the changed ids (u64)
  uint64_t epoch;          // now; 0 with Verdict::gone and unconfirmed
  uint64_t from;           // what the target takes this proxy to know; ids changed after it are told
  uint64_t to;             // now; past `from` with Verdict::changed
  uint32_t volume_id;
  uint32_t id_count;       // only with Verdict::changed
  uint16_t verdict;        // everything but Verdict::changed ends the lease
  uint16_t reserved16;
  uint32_t reserved32;
};
static_assert(sizeof(Changed) == 40);

struct Ping { uint64_t request_id; uint64_t sent_ns; };
static_assert(sizeof(Ping) == 16);

struct Pong {
  uint64_t request_id;
  uint64_t sent_ns;        // returned as received
  uint64_t arena_bytes;
  uint64_t arena_bytes_used;
  uint32_t requests_in_flight;
  uint32_t sessions;
};
static_assert(sizeof(Pong) == 40);

struct Goodbye { uint16_t status; uint16_t reserved16; uint32_t reserved32; };
static_assert(sizeof(Goodbye) == 8);

}  // namespace protocol
