#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <vector>

#include "engine/engine.h"
#include "memory/arena.h"
#include "protocol/clock.h"
#include "storage/crc32c.h"

// An engine for tests of the wire: needles made up from their id, answers held back or spoilt on
// request.
namespace client_test {

inline constexpr uint64_t kSecondNs = 1'000'000'000;

inline constexpr uint32_t kVolume = 7;           // answers at once
inline constexpr uint32_t kHeldVolume = 8;       // answers when Knobs::is_released
inline constexpr uint32_t kSpoiltVolume = 9;     // the bytes do not match their checksum
inline constexpr uint32_t kLyingVolume = 10;     // the lengths do not add up
inline constexpr uint32_t kBackwardVolume = 11;  // a length in the header that is not the payload's
inline constexpr uint32_t kCookie = 0x1234;
inline constexpr std::string_view kName = "name.bin";
inline constexpr std::string_view kMime = "text/x-test";

/// A needle's id is the length of its data. The pattern repeats after a prime number of bytes, so
/// that no page, slab or fragment begins like another.
constexpr uint64_t kPeriod = 4093;
inline std::byte DataByte(uint64_t needle_id, uint64_t at) {
  return static_cast<std::byte>(((at % kPeriod) * 31 + needle_id) & 0xff);
}

inline void FillData(std::span<std::byte> bytes, uint64_t needle_id, uint64_t offset) {
  std::array<std::byte, kPeriod> period;
  for (uint64_t i = 0; i < kPeriod; ++i) period[i] = DataByte(needle_id, offset + i);
  for (uint64_t at = 0; at < bytes.size(); at += kPeriod) {
    std::memcpy(bytes.data() + at, period.data(), std::min(kPeriod, bytes.size() - at));
  }
}

struct Knobs {
  std::atomic<bool> is_released = false;
  std::atomic<uint32_t> held = 0;
  std::atomic<uint64_t> generation = 1;
  std::atomic<uint32_t> volume_count = 1;
  std::atomic<uint32_t> changed_ids = 0;
  std::atomic<uint64_t> epoch = 0;  // of kVolume; 0: validations echo their item's
  std::atomic<uint64_t> position = 0;
  std::atomic<uint64_t> validations = 0;
  std::atomic<uint64_t> confirmed_ns = 0;
  std::atomic<bool> is_poll_wanted = false;
  int event_fd = eventfd(0, EFD_NONBLOCK);
  void Wake() const {
    const uint64_t one = 1;
    (void)!write(event_fd, &one, sizeof(one));
  }
};

class SampleEngine final : public engine::Engine {
 public:
  SampleEngine(memory::Arena& arena, engine::ReadSink& sink, Knobs& knobs)
      : arena_(arena), sink_(sink), knobs_(knobs) {}

  ~SampleEngine() override {
    for (const Held& held : held_) Answer(held.token, protocol::Status::closed);
  }

  void Read(uint64_t token, const engine::ReadCommand& command) override {
    if (command.volume_id == kHeldVolume && !knobs_.is_released) {
      held_.push_back({token, command});
      ++knobs_.held;
      return;
    }
    Serve(token, command);
  }

  engine::ValidateResult Validate(const protocol::ValidateItem& item) override {
    ++knobs_.validations;
    const bool is_echo = knobs_.epoch == 0;
    engine::ValidateResult result{};
    result.row.epoch = is_echo ? item.epoch : knobs_.epoch.load();
    result.row.position = is_echo ? item.position + 16 : knobs_.position.load();
    result.row.volume_id = item.volume_id;
    protocol::Verdict verdict = protocol::Verdict::changed;
    if (item.epoch != result.row.epoch) verdict = protocol::Verdict::flush;
    if (item.volume_id != kVolume) {
      verdict = protocol::Verdict::gone;
      knobs_.is_poll_wanted = true;
    }
    result.row.verdict = static_cast<uint16_t>(verdict);
    const bool has_ids =
        verdict == protocol::Verdict::changed && result.row.position > item.position;
    for (uint32_t i = 0; has_ids && i < knobs_.changed_ids; ++i) result.ids.push_back(i + 1);
    return result;
  }

  void Confirm(uint64_t started_ns, std::span<const engine::ServedVolume>) override {
    knobs_.confirmed_ns = started_ns;
  }
  bool TakePollWanted() override { return knobs_.is_poll_wanted.exchange(false); }
  int event_fd() const override { return knobs_.event_fd; }
  void Poll() override {
    uint64_t count = 0;
    (void)!read(knobs_.event_fd, &count, sizeof(count));
    if (!knobs_.is_released) return;
    for (const Held& held : std::exchange(held_, {})) Serve(held.token, held.command);
  }
  bool GoOn(uint64_t) override { return false; }
  uint64_t volumes_generation() const override { return knobs_.generation; }
  std::vector<engine::AnnouncedVolume> Volumes() const override {
    std::vector<engine::AnnouncedVolume> volumes;
    for (uint32_t i = 0; i < knobs_.volume_count; ++i)
      volumes.push_back({kVolume + i, 3, i % 2 == 0, "pictures"});
    return volumes;
  }
  engine::EngineStats stats() const override { return {}; }

 private:
  struct Held {
    uint64_t token;
    engine::ReadCommand command;
  };

  void Answer(uint64_t token, protocol::Status status) {
    engine::ReadResult result{};
    result.header.status = static_cast<uint16_t>(status);
    sink_.OnRead(token, std::move(result));
  }

  void Serve(uint64_t token, const engine::ReadCommand& command) {
    if (protocol::NowNs() > command.deadline_ns) return Answer(token, protocol::Status::deadline);
    if (command.volume_id > kBackwardVolume) return Answer(token, protocol::Status::unknown_volume);
    if (command.cookie != kCookie) return Answer(token, protocol::Status::cookie_mismatch);
    const uint64_t total = command.needle_id;
    engine::ReadResult result{};
    protocol::ReadReply& header = result.header;
    header.epoch = 5;
    header.position = 160;
    header.data_bytes_total = total;
    header.volume_version = 3;
    header.name_bytes = static_cast<uint8_t>(kName.size());
    header.mime_bytes = static_cast<uint8_t>(kMime.size());
    uint64_t offset = std::min(command.offset, total);
    uint64_t length = std::min(command.length, total - offset);
    if (command.metadata_only) {
      length = 0;
    } else if (total <= command.whole_bytes_max || (offset == 0 && length == total)) {
      header.reply_flags = protocol::kWhole;
      offset = 0;
      length = total;
    }
    header.data_offset = offset;
    header.data_length = length;
    if (length > command.budget_bytes) return Answer(token, protocol::Status::too_large);
    result.payload_bytes = length + kName.size() + kMime.size();
    result.lease = arena_.Allocate(result.payload_bytes);
    if (!result.lease) return Answer(token, protocol::Status::no_slab);
    const std::span<std::byte> bytes = result.lease.bytes();
    FillData(bytes.first(length), command.needle_id, offset);
    std::memcpy(bytes.data() + length, kName.data(), kName.size());
    std::memcpy(bytes.data() + length + kName.size(), kMime.data(), kMime.size());
    header.data_crc32c = storage::Crc32c(0, bytes.first(length));
    header.checksum = header.data_crc32c;
    if (command.volume_id == kSpoiltVolume) bytes[0] ^= std::byte{1};
    if (command.volume_id == kLyingVolume) ++header.name_bytes;
    if (command.volume_id == kBackwardVolume) header.data_length = ~uint64_t{0};
    sink_.OnRead(token, std::move(result));
  }

  memory::Arena& arena_;
  engine::ReadSink& sink_;
  Knobs& knobs_;
  std::vector<Held> held_;
};

}  // namespace client_test
