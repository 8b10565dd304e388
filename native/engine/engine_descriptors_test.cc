// A limit of descriptors that is smaller than what the volumes need. The sweep could not list the
// directories then, took every volume for gone, and loaded them anew a second later, again and
// again.
#include <fcntl.h>
#include <sys/resource.h>

#include "engine/engine_fixture_test.h"
#include "storage/unique_fd.h"

namespace engine {
namespace {

using protocol::Status;

constexpr uint32_t kVolumes = 60;

class EngineDescriptors : public EngineTest {
 protected:
  EngineDescriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    for (uint32_t id = 1; id <= kVolumes; id++) {
      const auto writer = Write({.volume_id = id});
      EXPECT_TRUE(writer->Append({.needle_id = 1, .cookie = kCookie, .data = AsBytes("needle")}));
    }
  }
  ~EngineDescriptors() override { Limit(before_.rlim_cur); }

  static void Limit(rlim_t descriptors) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = descriptors;
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  EngineStats Settled() {
    EXPECT_TRUE(PollUntil([&] {
      const EngineStats stats = engine_->stats();
      return stats.volumes_loaded + stats.volumes_without_descriptors == kVolumes;
    }));
    return engine_->stats();
  }
  /// Sweeps come each second.
  void PollFor(uint64_t seconds) {
    const uint64_t end_ns = protocol::NowNs() + seconds * kNsPerSecond;
    EXPECT_TRUE(PollUntil([&] { return protocol::NowNs() > end_ns; }));
  }

  rlimit before_{};
};

TEST_F(EngineDescriptors, ThatAreTooFewLeaveVolumesUnservedAndSomeForOthers) {
  Limit(80);
  Start();
  const EngineStats stats = Settled();
  EXPECT_GT(stats.volumes_loaded, 10u);
  EXPECT_GT(stats.volumes_without_descriptors, 20u);
  // A quarter is left, for sessions and for listing directories.
  const storage::UniqueFd spare(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_LE(spare.get(), 60);

  uint32_t served = 0;
  uint32_t unconfirmed = 0;
  for (uint32_t id = 1; id <= kVolumes; id++) {
    const Reply reply = Ask(Command(id, 1, kCookie));
    served += reply.status == Status::ok ? 1 : 0;
    unconfirmed += reply.status == Status::volume_unconfirmed ? 1 : 0;
  }
  EXPECT_EQ(served, stats.volumes_loaded);
  EXPECT_EQ(served + unconfirmed, kVolumes);

  Limit(before_.rlim_cur);
  EXPECT_TRUE(PollUntil([&] { return engine_->stats().volumes_loaded == kVolumes; }));
  EXPECT_EQ(engine_->stats().volumes_without_descriptors, 0u);
}

TEST_F(EngineDescriptors, ThatOthersHaveUsedUpCostNoVolumeThatIsLoaded) {
  Start();
  EXPECT_EQ(Settled().volumes_loaded, kVolumes);
  const EngineStats before = engine_->stats();
  // Not one is left: no directory can be listed.
  Limit(3);
  PollFor(3);
  const EngineStats after = engine_->stats();
  Limit(before_.rlim_cur);
  EXPECT_EQ(after.volumes_loaded, kVolumes);
  EXPECT_EQ(after.reloads, before.reloads);
  EXPECT_EQ(Ask(Command(1, 1, kCookie)).status, Status::ok);
}

}  // namespace
}  // namespace engine
