#include <ctime>

#include "engine/engine_fixture_test.h"
#include "storage/crc32c.h"

namespace engine {
namespace {

constexpr uint64_t kLargeBytes = 24 << 20;

uint64_t ThreadCpuNs() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

/// Takes answers without a look at their bytes.
class CallersThread : public EngineTest {
 protected:
  void OnRead(uint64_t, ReadResult&& result) override { answers_.push_back(result.header); }
  std::vector<protocol::ReadReply> answers_;
};

/// One thread serves all sessions: the checksum of one large needle kept them all waiting.
TEST_F(CallersThread, NeitherCopiesNorChecksALargeNeedle) {
  const auto writer = Write({.volume_id = 3});
  const std::string data = Pattern(kLargeBytes);
  ASSERT_TRUE(writer->Append({.needle_id = 1, .cookie = 2, .data = AsBytes(data)}));
  Start();
  ASSERT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == 1; }));
  uint64_t began_ns = ThreadCpuNs();
  const uint32_t checksum = storage::Crc32c(0, AsBytes(data));
  const uint64_t checksum_ns = ThreadCpuNs() - began_ns;

  began_ns = ThreadCpuNs();
  engine_->Read(1, Command(3, 1, 2));
  EXPECT_EQ(engine_->stats().reads_in_flight, 1u);
  ASSERT_TRUE(PollUntil([&] { return !answers_.empty(); }));
  EXPECT_LT(ThreadCpuNs() - began_ns, checksum_ns / 2);
  EXPECT_EQ(answers_[0].status, static_cast<uint16_t>(protocol::Status::ok));
  EXPECT_EQ(answers_[0].checksum, checksum);
}

}  // namespace
}  // namespace engine
