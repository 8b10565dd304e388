#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.h"
#include "protocol/clock.h"
#include "storage/writer.h"

// An engine over a directory of its own, and the answers it gave.
namespace engine {

inline constexpr uint32_t kVolume = 3;
inline constexpr uint32_t kCookie = 77;

inline std::span<const std::byte> AsBytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

struct Reply {
  protocol::Status status;
  protocol::ReadReply header;
  std::string data;
  std::string name;
  std::string mime;
  std::string pairs;
};

class EngineTest : public testing::Test, public ReadSink {
 protected:
  static constexpr uint64_t kArenaBytes = 64ull << 20;
  static constexpr uint64_t kNsPerSecond = 1'000'000'000;

  EngineTest() {
    char path[] = "/tmp/seaweed-engine-XXXXXX";
    dir_ = mkdtemp(path);
    std::string error;
    arena_ =
        memory::Arena::Create({.bytes = kArenaBytes, .hugepages = memory::Hugepages::kOff}, error);
  }
  ~EngineTest() override {
    engine_.reset();
    EXPECT_EQ(arena_->stats().leases_outstanding, 0u);
    std::filesystem::remove_all(dir_);
  }

  void OnRead(uint64_t token, ReadResult&& result) override {
    EXPECT_FALSE(replies_.contains(token)) << "answered twice";
    Reply reply{static_cast<protocol::Status>(result.header.status), result.header, {}, {}, {}, {}};
    uint64_t at = result.payload_offset;
    const auto take = [&](std::string& text, uint64_t bytes) {
      text.assign(reinterpret_cast<const char*>(result.lease.bytes().data()) + at, bytes);
      at += bytes;
    };
    if (result.payload_bytes > 0) {
      take(reply.data, result.header.data_length);
      take(reply.name, result.header.name_bytes);
      take(reply.mime, result.header.mime_bytes);
      take(reply.pairs, result.header.pairs_bytes);
      EXPECT_EQ(at, result.payload_offset + result.payload_bytes);
    }
    replies_.emplace(token, std::move(reply));
  }

  std::unique_ptr<storage::VolumeWriter> Write(storage::NewVolume options) {
    options.dir = dir_;
    auto writer = storage::VolumeWriter::Create(options);
    EXPECT_TRUE(writer) << (writer ? "" : writer.error());
    return writer ? std::move(*writer) : nullptr;
  }

  void Start(EngineOptions options = {}) {
    if (options.dirs.empty()) options.dirs = {dir_};
    options.unconfirmed = options.confirm_interval_ns == EngineOptions{}.confirm_interval_ns;
    std::string error;
    engine_ = Engine::Create(options, *arena_, *this, error);
    ASSERT_TRUE(engine_) << error;
  }

  /// Polls until `is_done`; false after ten seconds.
  template <typename Condition>
  bool PollUntil(Condition is_done) {
    const uint64_t end_ns = protocol::NowNs() + 10 * kNsPerSecond;
    while (!is_done()) {
      if (protocol::NowNs() > end_ns) return false;
      pollfd waiting{engine_->event_fd(), POLLIN, 0};
      poll(&waiting, 1, 50);
      engine_->Poll();
    }
    return true;
  }

  static ReadCommand Command(uint32_t volume_id, uint64_t needle_id, uint32_t cookie) {
    return {.needle_id = needle_id,
            .volume_id = volume_id,
            .cookie = cookie,
            .offset = 0,
            .length = UINT64_MAX,
            .whole_bytes_max = 0,
            .budget_bytes = 32ull << 20,
            .deadline_ns = protocol::NowNs() + 10 * kNsPerSecond,
            .metadata_only = false};
  }

  Reply Ask(const ReadCommand& command) {
    const uint64_t token = ++last_token_;
    engine_->Read(token, command);
    EXPECT_TRUE(PollUntil([&] { return replies_.contains(token); }));
    Reply reply = replies_[token];
    replies_.erase(token);
    return reply;
  }
  /// Asks again while the volume is being loaded.
  Reply AskLoaded(ReadCommand command) {
    Reply reply{};
    PollUntil([&] {
      command.deadline_ns = protocol::NowNs() + 10 * kNsPerSecond;
      reply = Ask(command);
      return reply.status != protocol::Status::volume_unconfirmed;
    });
    return reply;
  }
  Reply AskLoaded(uint32_t volume_id, uint64_t needle_id, uint32_t cookie) {
    return AskLoaded(Command(volume_id, needle_id, cookie));
  }

  std::string dir_;
  std::unique_ptr<memory::Arena> arena_;
  std::unique_ptr<Engine> engine_;
  std::map<uint64_t, Reply> replies_;
  uint64_t last_token_ = 0;
};

inline std::string Pattern(uint64_t bytes, uint32_t seed = 1) {
  std::string text(bytes, '\0');
  for (uint64_t i = 0; i < bytes; i++) {
    seed = seed * 1664525 + 1013904223;
    text[i] = static_cast<char>(seed >> 24);
  }
  return text;
}

}  // namespace engine
