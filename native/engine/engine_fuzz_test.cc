#include <fcntl.h>

#include <cstdlib>
#include <random>
#include <set>

#include "engine/engine_fixture_test.h"

// Damaged volumes: whatever is done to the files, the engine never crashes, never answers twice,
// and never says ok with bytes that were not written under the needle's cookie. SEAWEED_FUZZ_ROUNDS
// makes it longer, SEAWEED_FUZZ_SEED repeats a run.
namespace engine {
namespace {

using protocol::Status;

// The standard one of 32 bits that really returns 32 bits.
struct Random {
  uint32_t operator()() { return static_cast<uint32_t>(engine()); }
  std::mt19937 engine;
};

constexpr uint64_t kNeedles = 40;

uint64_t FromEnvironment(const char* name, uint64_t absent) {
  const char* text = std::getenv(name);
  return text == nullptr ? absent : std::strtoull(text, nullptr, 10);
}

class EngineFuzz : public EngineTest {
 protected:
  // A cookie an id: bytes of another needle never pass as this one's.
  static uint32_t CookieOf(uint64_t id) { return static_cast<uint32_t>(id * 0x9e3779b9u + 1); }

  void WriteRandomVolume() {
    written_.clear();
    dir_of_round_ = dir_ + "/" + std::to_string(round_);
    std::filesystem::create_directory(dir_of_round_);
    const auto version = static_cast<uint8_t>(1 + random_() % 3);
    const auto writer =
        storage::VolumeWriter::Create({.dir = dir_of_round_,
                                       .volume_id = kVolume,
                                       .version = version,
                                       .offset_bytes = random_() % 4 == 0 ? 5u : 4u});
    ASSERT_TRUE(writer);
    for (int i = 0; i < 120; i++) {
      const uint64_t id = 1 + random_() % kNeedles;
      if (random_() % 6 == 0) {
        ASSERT_TRUE((*writer)->Delete(id));
        continue;
      }
      const bool is_large = version != 1 && random_() % 40 == 0;
      const uint64_t most = random_() % 10 == 0 ? 200'000 : 3000;
      const std::string data =
          Pattern(is_large ? 1'100'000 + random_() % 9999 : random_() % most, random_());
      ASSERT_TRUE((*writer)->Append({.needle_id = id,
                                     .cookie = CookieOf(id),
                                     .data = AsBytes(data),
                                     .name = AsBytes("name"),
                                     .pairs = AsBytes("{}"),
                                     .last_modified_s = 1700000000}));
      written_[id].insert(data);
    }
  }

  void Damage(const std::string& path) {
    const auto bytes = std::filesystem::file_size(path);
    const int fd = open(path.c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    const uint32_t count = random_() % 8;
    for (uint32_t i = 0; i < count && bytes > 0; i++) {
      const auto at = static_cast<off_t>(random_() % bytes);
      auto byte = static_cast<uint8_t>(random_());
      uint8_t old = 0;
      ASSERT_EQ(pread(fd, &old, 1, at), 1);
      if (random_() % 2 == 0) byte = static_cast<uint8_t>(old ^ (1u << random_() % 8));
      ASSERT_EQ(pwrite(fd, &byte, 1, at), 1);
    }
    if (random_() % 3 == 0) {
      ASSERT_EQ(ftruncate(fd, static_cast<off_t>(random_() % (bytes + 1))), 0);
    }
    if (random_() % 5 == 0) {
      const std::string junk = Pattern(random_() % 64, random_());
      ASSERT_EQ(pwrite(fd, junk.data(), junk.size(), lseek(fd, 0, SEEK_END)),
                static_cast<ssize_t>(junk.size()));
    }
    close(fd);
  }

  ReadCommand RandomCommand(uint64_t id) {
    ReadCommand command = Command(kVolume, id, CookieOf(id));
    if (random_() % 2 == 0) command.whole_bytes_max = random_() % 2'000'000;
    if (random_() % 3 == 0) command.offset = random_() % 4000;
    if (random_() % 3 == 0) command.length = random_() % 4000;
    if (random_() % 4 == 0) command.length = UINT64_MAX - random_() % 2;
    if (random_() % 8 == 0) command.budget_bytes = random_() % 2000;
    command.metadata_only = random_() % 5 == 0;
    return command;
  }

  void Check(const ReadCommand& command, const Reply& reply) {
    if (reply.status != Status::ok) {
      EXPECT_EQ(reply.data, "");
      return;
    }
    served_++;
    EXPECT_LE(reply.data.size(), command.budget_bytes);
    for (const std::string& value : written_[command.needle_id]) {
      if (value.size() != reply.header.data_bytes_total) continue;
      if (value.substr(reply.header.data_offset, reply.data.size()) == reply.data) return;
    }
    ADD_FAILURE() << "bytes that were never written, seed " << seed_ << " round " << round_
                  << " needle " << command.needle_id;
  }

  // Parts of large needles rest on one verification in a generation.
  bool IsVerifiedEachTime(uint64_t id) {
    for (const std::string& value : written_[id]) {
      if (value.size() > 64'000) return false;
    }
    return true;
  }

  void ReadAll(uint32_t times, bool was_read_before) {
    for (uint32_t i = 0; i < times; i++) {
      for (uint64_t id = 1; id <= kNeedles; id++) {
        if (was_read_before && !IsVerifiedEachTime(id)) continue;
        const ReadCommand command = RandomCommand(id);
        Check(command, AskLoaded(command));
        if (HasFailure()) return;
      }
    }
  }

  uint64_t seed_ = FromEnvironment("SEAWEED_FUZZ_SEED", 20261122);
  Random random_{std::mt19937(static_cast<uint32_t>(seed_))};
  uint64_t round_ = 0;
  uint64_t served_ = 0;
  std::string dir_of_round_;
  std::map<uint64_t, std::set<std::string>> written_;
};

TEST_F(EngineFuzz, DamagedFilesNeverGiveWrongBytes) {
  const uint64_t rounds = FromEnvironment("SEAWEED_FUZZ_ROUNDS", 60);
  for (round_ = 0; round_ < rounds && !HasFailure(); round_++) {
    WriteRandomVolume();
    if (random_() % 4 != 0) Damage(dir_of_round_ + "/3.dat");
    if (random_() % 3 == 0) Damage(dir_of_round_ + "/3.idx");
    if (random_() % 20 == 0) Damage(dir_of_round_ + "/3.vif");
    Start({.dirs = {dir_of_round_}});
    PollUntil([&] { return !engine_->Volumes().empty(); });
    ReadAll(2, false);
    // Damage under a loaded generation: what was verified or cached before must not help.
    Damage(dir_of_round_ + "/3.dat");
    if (random_() % 2 == 0) Damage(dir_of_round_ + "/3.idx");
    ReadAll(1, true);
    engine_.reset();
    std::filesystem::remove_all(dir_of_round_);
  }
  EXPECT_GT(served_, rounds) << "nearly nothing was served: the test tests nothing";
}

}  // namespace
}  // namespace engine
