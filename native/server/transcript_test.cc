#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/decode.h"
#include "server/lists.h"
#include "ucx/session_proof.h"

// Protocol version 1 as released proxies and targets speak it, message by message: a new build of
// one side meets an old build of the other during every upgrade. A change of a message is a new
// version with a transcript of its own; this one stays.
namespace server {
namespace {

using protocol::MessageId;

constexpr std::string_view kSecret = "sesame";

std::string Hex(std::span<const std::byte> bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<size_t>(byte >> 4)];
    text += kDigits[std::to_integer<size_t>(byte & std::byte{15})];
  }
  return text;
}

std::vector<std::byte> Unhex(std::string_view text) {
  std::vector<std::byte> bytes;
  for (size_t at = 0; at + 1 < text.size(); at += 2) {
    uint8_t byte = 0;
    std::from_chars(text.data() + at, text.data() + at + 2, byte, 16);
    bytes.push_back(std::byte{byte});
  }
  return bytes;
}

/// Gives a line of the transcript: number, name, header and, where it has one, list.
template <typename Header>
std::string Line(MessageId id, std::string_view name, const Header& header,
                 std::span<const std::byte> list = {}) {
  std::ostringstream line;
  line << static_cast<unsigned>(id) << ' ' << name << ' '
       << Hex(std::as_bytes(std::span(&header, 1)));
  if (!list.empty()) line << ' ' << Hex(list);
  return line.str();
}

ucx::HandshakeFacts Facts() {
  ucx::HandshakeFacts facts{};
  std::iota(facts.client_nonce.begin(), facts.client_nonce.end(), uint8_t{0x10});
  std::iota(facts.server_nonce.begin(), facts.server_nonce.end(), uint8_t{0x80});
  facts.version_min = facts.version_max = facts.version = 1;
  return facts;
}

std::vector<std::string> Handshake() {
  const ucx::HandshakeFacts facts = Facts();
  protocol::Hello hello{.magic = protocol::kMagic,
                        .version_min = facts.version_min,
                        .version_max = facts.version_max,
                        .features = protocol::kLeases,
                        .nonce = {}};
  std::ranges::copy(facts.client_nonce, hello.nonce);
  protocol::Challenge challenge{.magic = protocol::kMagic,
                                .version = facts.version,
                                .reserved = 0,
                                .features = protocol::kLeases,
                                .nonce = {},
                                .mac = {}};
  std::ranges::copy(facts.server_nonce, challenge.nonce);
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kTarget, kSecret, facts), challenge.mac);
  protocol::Proof proof{};
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kProxy, kSecret, facts), proof.mac);
  const protocol::Welcome welcome{.session_id = 0x0102030405060708,
                                  .requests_max = 256,
                                  .validate_items_max = protocol::kValidateItemsMax,
                                  .needle_bytes_max = protocol::kNeedleBytesMax};
  return {Line(MessageId::hello, "hello", hello),
          Line(MessageId::challenge, "challenge", challenge),
          Line(MessageId::proof, "proof", proof), Line(MessageId::welcome, "welcome", welcome)};
}

std::vector<std::string> Ends() {
  const protocol::Refuse refuse{.status = static_cast<uint16_t>(protocol::Status::unauthorized),
                                .version_min = 1,
                                .version_max = 1,
                                .reserved = 0};
  const protocol::Goodbye goodbye{.status = static_cast<uint16_t>(protocol::Status::overload),
                                  .reserved16 = 0,
                                  .reserved32 = 0};
  return {Line(MessageId::refuse, "refuse", refuse), Line(MessageId::goodbye, "goodbye", goodbye)};
}

std::string VolumeList() {
  const std::vector<engine::AnnouncedVolume> volumes = {
      {.volume_id = 3, .version = 3, .confirmed = true, .collection = ""},
      {.volume_id = 0x01020304, .version = 2, .confirmed = false, .collection = "pictures"}};
  const std::vector<VolumePage> pages = MakeVolumePages(0x1112131415161718, volumes);
  return Line(MessageId::volumes, "volumes", pages[0].header, *pages[0].rows);
}

std::vector<std::string> Reads() {
  const protocol::Read read{.request_id = 0x2122232425262728,
                            .needle_id = 0x3132333435363738,
                            .volume_id = 0x41424344,
                            .cookie = 0x51525354,
                            .offset = 0x6162636465666768,
                            .length = 0x7172737475767778,
                            .whole_bytes_max = 0x8182838485868788,
                            .budget_bytes = 0x9192939495969798,
                            .timeout_ns = 0xa1a2a3a4a5a6a7a8,
                            .flags = protocol::kMetadataOnly,
                            .reserved16 = 0,
                            .reserved32 = 0};
  const protocol::ReadReply reply{
      .request_id = 0x2122232425262728,
      .epoch = 0x3132333435363738,
      .position = 0x4142434445464748,
      .append_at_ns = 0x5152535455565758,
      .ttl_left_ns = 0x6162636465666768,
      .last_modified_s = 0x7172737475767778,
      .data_bytes_total = 0x8182838485868788,
      .data_offset = 0x9192939495969798,
      .data_length = 0xa1a2a3a4a5a6a7a8,
      .index_bytes = 0xb1b2b3b4,
      .checksum = 0xc1c2c3c4,
      .data_crc32c = 0xd1d2d3d4,
      .pairs_bytes = 0xe1e2e3e4,
      .status = static_cast<uint16_t>(protocol::Status::cookie_mismatch),
      .reply_flags = protocol::kWhole | protocol::kStream | protocol::kHasTtl,
      .needle_flags = 0xf1,
      .name_bytes = 0xf2,
      .mime_bytes = 0xf3,
      .volume_version = 3};
  return {Line(MessageId::read, "read", read), Line(MessageId::read_reply, "read_reply", reply)};
}

std::string Validate() {
  const protocol::Validate validate{.request_id = 0x2122232425262728,
                                    .timeout_ns = 0x3132333435363738,
                                    .item_count = 1,
                                    .lease_ms = 1000};
  std::vector<std::byte> items;
  protocol::AppendRow(items, protocol::ValidateItem{.epoch = 0x4142434445464748,
                                                    .position = 0x5152535455565758,
                                                    .volume_id = 0x61626364,
                                                    .reserved = 0});
  return Line(MessageId::validate, "validate", validate, items);
}

engine::ValidateResult Row(protocol::Verdict verdict, uint16_t flags, std::vector<uint64_t> ids) {
  protocol::ValidateRow row{.epoch = 0x4142434445464748,
                            .position = 0x5152535455565758,
                            .volume_id = 0x61626364,
                            .id_count = static_cast<uint32_t>(ids.size()),
                            .verdict = static_cast<uint16_t>(verdict),
                            .flags = flags,
                            .reserved32 = 0};
  return {.row = row, .ids = std::move(ids)};
}

std::string ValidateReply() {
  using protocol::Verdict;
  const protocol::ValidateReply reply{.request_id = 0x2122232425262728,
                                      .row_count = 4,
                                      .status = static_cast<uint16_t>(protocol::Status::ok),
                                      .reserved = 0};
  std::vector<std::byte> rows;
  AppendValidateRow(rows, Row(Verdict::changed, protocol::kLeased, {0x7172737475767778, 9}));
  AppendValidateRow(rows, Row(Verdict::flush, 0, {}));
  AppendValidateRow(rows, Row(Verdict::gone, 0, {}));
  AppendValidateRow(rows, Row(Verdict::unconfirmed, 0, {}));
  return Line(MessageId::validate_reply, "validate_reply", reply, rows);
}

std::string Changed() {
  const protocol::Changed changed{.epoch = 0x2122232425262728,
                                  .from = 0x3132333435363738,
                                  .to = 0x4142434445464748,
                                  .volume_id = 0x51525354,
                                  .id_count = 1,
                                  .verdict = static_cast<uint16_t>(protocol::Verdict::changed),
                                  .reserved16 = 0,
                                  .reserved32 = 0};
  std::vector<std::byte> ids;
  protocol::AppendRow(ids, uint64_t{0x6162636465666768});
  return Line(MessageId::changed, "changed", changed, ids);
}

std::vector<std::string> Pings() {
  const protocol::Ping ping{.request_id = 0x2122232425262728, .sent_ns = 0x3132333435363738};
  const protocol::Pong pong{.request_id = 0x2122232425262728,
                            .sent_ns = 0x3132333435363738,
                            .arena_bytes = 0x4142434445464748,
                            .arena_bytes_used = 0x5152535455565758,
                            .requests_in_flight = 0x61626364,
                            .sessions = 0x71727374};
  return {Line(MessageId::ping, "ping", ping), Line(MessageId::pong, "pong", pong)};
}

std::vector<std::string> SaidToday() {
  std::vector<std::string> lines = Handshake();
  const auto add = [&](const std::vector<std::string>& more) {
    lines.insert(lines.end(), more.begin(), more.end());
  };
  add({VolumeList()});
  add(Reads());
  add({Validate(), ValidateReply(), Changed()});
  add(Pings());
  add(Ends());
  return lines;
}

/// The transcript's lines of one kind; the others begin with another word.
std::vector<std::string> Recorded(bool is_status, std::string_view name = "wire-v1.txt") {
  std::ifstream file(SEAWEED_FIXTURES "/" + std::string(name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    if (line.starts_with("status ") == is_status) lines.push_back(line);
  }
  return lines;
}

/// A message is taken when its header decodes and its list is as long as the header says.
using Taker = bool (*)(std::span<const std::byte> header, protocol::ListReader& list);

template <typename Header>
bool TakeBare(std::span<const std::byte> header, protocol::ListReader&) {
  return protocol::Decode<Header>(header).has_value();
}

bool TakeVolumes(std::span<const std::byte> header, protocol::ListReader& list) {
  const auto volumes = protocol::Decode<protocol::Volumes>(header);
  for (uint32_t i = 0; volumes && i < volumes->row_count; ++i) {
    const auto row = list.Take<protocol::VolumeRow>();
    if (!row || !list.TakeText(row->collection_bytes)) return false;
  }
  return volumes.has_value();
}

bool TakeValidate(std::span<const std::byte> header, protocol::ListReader& list) {
  const auto validate = protocol::Decode<protocol::Validate>(header);
  for (uint32_t i = 0; validate && i < validate->item_count; ++i) {
    if (!list.Take<protocol::ValidateItem>()) return false;
  }
  return validate.has_value();
}

bool TakeValidateReply(std::span<const std::byte> header, protocol::ListReader& list) {
  const auto reply = protocol::Decode<protocol::ValidateReply>(header);
  for (uint32_t i = 0; reply && i < reply->row_count; ++i) {
    const auto row = list.Take<protocol::ValidateRow>();
    if (!row || !list.TakeIds(row->id_count)) return false;
  }
  return reply.has_value();
}

bool TakeChanged(std::span<const std::byte> header, protocol::ListReader& list) {
  const auto changed = protocol::Decode<protocol::Changed>(header);
  return changed && list.TakeIds(changed->id_count);
}

const std::map<std::string, Taker, std::less<>> kTakers = {
    {"hello", &TakeBare<protocol::Hello>},
    {"challenge", &TakeBare<protocol::Challenge>},
    {"proof", &TakeBare<protocol::Proof>},
    {"welcome", &TakeBare<protocol::Welcome>},
    {"volumes", &TakeVolumes},
    {"read", &TakeBare<protocol::Read>},
    {"read_reply", &TakeBare<protocol::ReadReply>},
    {"validate", &TakeValidate},
    {"validate_reply", &TakeValidateReply},
    {"changed", &TakeChanged},
    {"ping", &TakeBare<protocol::Ping>},
    {"pong", &TakeBare<protocol::Pong>},
    {"refuse", &TakeBare<protocol::Refuse>},
    {"goodbye", &TakeBare<protocol::Goodbye>},
};

TEST(TranscriptOfVersion1, IsSaidTodayByteForByte) {
  const std::vector<std::string> recorded = Recorded(false);
  const std::vector<std::string> today = SaidToday();
  ASSERT_EQ(recorded.size(), today.size());
  ASSERT_EQ(recorded.size(), kTakers.size());
  for (size_t i = 0; i < today.size(); ++i) EXPECT_EQ(today[i], recorded[i]);
}

TEST(TranscriptOfVersion1, IsUnderstoodToday) {
  for (const std::string& line : Recorded(false)) {
    std::istringstream words(line);
    std::string id, name, header, list;
    words >> id >> name >> header >> list;
    const std::vector<std::byte> list_bytes = Unhex(list);
    protocol::ListReader reader(list_bytes);
    ASSERT_TRUE(kTakers.contains(name)) << name;
    EXPECT_TRUE(kTakers.at(name)(Unhex(header), reader)) << name;
    EXPECT_TRUE(reader.empty()) << name;
  }
}

TEST(TranscriptOfVersion1, HasProofsThatAreAcceptedToday) {
  const std::vector<std::string> recorded = Recorded(false);
  const auto header_of = [&](size_t line) {
    const size_t at = recorded.at(line).rfind(' ') + 1;
    return Unhex(std::string_view(recorded[line]).substr(at));
  };
  const auto challenge = protocol::Decode<protocol::Challenge>(header_of(1));
  const auto proof = protocol::Decode<protocol::Proof>(header_of(2));
  ASSERT_TRUE(challenge && proof);
  EXPECT_TRUE(ucx::IsProof(challenge->mac, ucx::Prover::kTarget, kSecret, Facts()));
  EXPECT_TRUE(ucx::IsProof(proof->mac, ucx::Prover::kProxy, kSecret, Facts()));
}

/// Others may come to them: an old proxy takes a number that it does not know for a protocol error.
TEST(TranscriptOfVersion1, HasStatusesThatKeepTheirNumbers) {
  const std::vector<std::string> recorded = Recorded(true);
  ASSERT_FALSE(recorded.empty());
  for (const std::string& line : recorded) {
    std::istringstream words(line);
    std::string word, name;
    uint16_t number = 0;
    words >> word >> number >> name;
    const auto status = protocol::StatusFromWire(number);
    ASSERT_TRUE(status) << line;
    EXPECT_EQ(protocol::StatusName(*status), name);
  }
}

TEST(TranscriptOfVersion2, HasAHandshakeThatIsSaidTodayByteForByte) {
  ucx::HandshakeFacts facts = Facts();
  facts.version_max = facts.version = 2;
  facts.features_offered = facts.features_agreed = protocol::kLeases;
  protocol::Hello hello{.magic = protocol::kMagic,
                        .version_min = facts.version_min,
                        .version_max = facts.version_max,
                        .features = facts.features_offered,
                        .nonce = {}};
  std::ranges::copy(facts.client_nonce, hello.nonce);
  protocol::Challenge challenge{.magic = protocol::kMagic,
                                .version = facts.version,
                                .reserved = 0,
                                .features = facts.features_agreed,
                                .nonce = {},
                                .mac = {}};
  std::ranges::copy(facts.server_nonce, challenge.nonce);
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kTarget, kSecret, facts), challenge.mac);
  const ucx::Mac other = ucx::MakeProof(ucx::Prover::kTarget, "open", facts);
  protocol::Proof proof{};
  std::ranges::copy(ucx::MakeProof(ucx::Prover::kProxy, "open", facts), proof.mac);
  EXPECT_EQ(Recorded(false, "wire-v2.txt"),
            (std::vector<std::string>{
                Line(MessageId::hello, "hello", hello),
                Line(MessageId::challenge, "challenge", challenge, std::as_bytes(std::span(other))),
                Line(MessageId::proof, "proof", proof)}));
}

}  // namespace
}  // namespace server
