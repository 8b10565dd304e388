#include "client/inproc_client.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstring>

#include "client/sample_engine_test.h"

namespace client_test {
namespace {

using client::TargetEvent;
using protocol::Status;

class InprocClient : public testing::Test {
 protected:
  void Start(client::InprocClientOptions options = {}) {
    std::string error;
    arena = memory::Arena::Create({.bytes = 64 << 20, .hugepages = memory::Hugepages::kOff}, error);
    inproc = client::InprocClient::Create(
        options,
        [this](memory::Arena& engine_arena, engine::ReadSink& sink, std::string&) {
          return std::make_unique<SampleEngine>(engine_arena, sink, knobs);
        },
        *arena, error);
    ASSERT_TRUE(inproc) << error;
    target = inproc->AddTarget({});
    Await([&] { return batch.events.size() >= 2; });
  }

  template <typename Done>
  void Await(Done&& done) {
    const uint64_t give_up_ns = protocol::NowNs() + 10 * kSecondNs;
    batch = {};
    client::Batch taken;
    while (protocol::NowNs() < give_up_ns) {
      inproc->Progress();
      inproc->Take(taken);
      std::ranges::move(taken.reads, std::back_inserter(batch.reads));
      std::ranges::move(taken.validations, std::back_inserter(batch.validations));
      std::ranges::move(taken.pongs, std::back_inserter(batch.pongs));
      std::ranges::move(taken.events, std::back_inserter(batch.events));
      if (done()) return;
      if (!inproc->Arm()) continue;
      pollfd fd{inproc->event_fd(), POLLIN, 0};
      poll(&fd, 1, 1);
    }
    FAIL() << "not in time";
  }

  client::ReadCommand WholeRead(uint64_t bytes, uint32_t volume = kVolume) {
    return {.needle_id = bytes,
            .volume_id = volume,
            .cookie = kCookie,
            .offset = 0,
            .length = bytes,
            .whole_bytes_max = 8 << 20,
            .budget_bytes = 8 << 20,
            .timeout_ns = 5 * kSecondNs,
            .metadata_only = false};
  }

  client::ReadCompletion Read(const client::ReadCommand& command) {
    const uint64_t id = inproc->PostRead(target, command);
    Await([&] { return batch.reads.size() == 1; });
    EXPECT_EQ(batch.reads.at(0).request_id, id);
    return std::move(batch.reads.at(0));
  }

  Knobs knobs;
  std::unique_ptr<memory::Arena> arena;
  client::TargetId target = 0;
  client::Batch batch;
  std::unique_ptr<client::InprocClient> inproc;
};

TEST_F(InprocClient, IsUpAtOnceAndListsTheVolumes) {
  Start();
  EXPECT_EQ(batch.events[0].kind, TargetEvent::Kind::kUp);
  EXPECT_EQ(batch.events[0].transport, "inproc");
  ASSERT_EQ(batch.events[1].kind, TargetEvent::Kind::kVolumes);
  EXPECT_EQ(batch.events[1].volumes.at(0).volume_id, kVolume);
  knobs.volume_count = 2;
  knobs.generation = 2;
  knobs.Wake();
  Await([&] { return !batch.events.empty(); });
  EXPECT_EQ(batch.events[0].volumes.size(), 2u);
}

TEST_F(InprocClient, CompletesReadsOnlyThroughTake) {
  Start();
  const uint64_t id = inproc->PostRead(target, WholeRead(4096));
  EXPECT_EQ(inproc->requests_in_flight(), 1u);
  EXPECT_TRUE(inproc->Progress());
  EXPECT_FALSE(inproc->Progress());
  EXPECT_FALSE(inproc->Arm());
  Await([&] { return !batch.reads.empty(); });
  const client::ReadCompletion& read = batch.reads[0];
  EXPECT_EQ(read.request_id, id);
  ASSERT_EQ(read.status, Status::ok);
  EXPECT_EQ(read.checksum, read.reply.checksum);
  for (uint64_t i = 0; i < 4096; ++i) ASSERT_EQ(read.lease.bytes()[i], DataByte(4096, i));
  batch = {};
  EXPECT_EQ(arena->stats().leases_outstanding, 0u);
}

TEST_F(InprocClient, ChecksWhatTheEngineSays) {
  Start();
  EXPECT_EQ(Read(WholeRead(4096, kSpoiltVolume)).status, Status::corrupt);
  EXPECT_EQ(Read(WholeRead(4096, kLyingVolume)).status, Status::protocol_error);
  EXPECT_EQ(Read(WholeRead(4096, 99)).status, Status::unknown_volume);
  batch = {};
  EXPECT_EQ(arena->stats().leases_outstanding, 0u);
}

TEST_F(InprocClient, FailsAtTheDeadlineAndDropsTheLateAnswer) {
  Start();
  auto command = WholeRead(4096, kHeldVolume);
  command.timeout_ns = 50'000'000;
  EXPECT_EQ(Read(command).status, Status::deadline);
  knobs.is_released = true;
  knobs.Wake();
  Await([&] { return inproc->stats().late_replies == 1; });
  EXPECT_EQ(arena->stats().leases_outstanding, 0u);
}

TEST_F(InprocClient, HoldsAnswersBackForTheSimulatedLatency) {
  client::InprocClientOptions options;
  options.simulated_latency_ns = 30'000'000;
  Start(options);
  const uint64_t began_ns = protocol::NowNs();
  EXPECT_EQ(Read(WholeRead(4096)).status, Status::ok);
  EXPECT_GE(protocol::NowNs() - began_ns, options.simulated_latency_ns);
}

TEST_F(InprocClient, ValidatesAndPings) {
  Start();
  knobs.changed_ids = 2;
  const protocol::ValidateItem items[] = {
      {.epoch = 1, .position = 0, .volume_id = kVolume, .reserved = 0}};
  (void)inproc->PostValidate(target, items, kSecondNs, 0);
  (void)inproc->PostPing(target, kSecondNs);
  Await([&] { return !batch.validations.empty() && !batch.pongs.empty(); });
  EXPECT_EQ(batch.validations[0].verdicts.at(0).ids, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(batch.pongs[0].pong.arena_bytes, arena->stats().bytes_total);
}

TEST_F(InprocClient, DisconnectsWithReadsInFlight) {
  Start();
  (void)inproc->PostRead(target, WholeRead(4096, kHeldVolume));
  inproc->Disconnect(target);
  Await([&] { return !batch.reads.empty(); });
  EXPECT_EQ(batch.reads[0].status, Status::closed);
  EXPECT_EQ(batch.events.at(0).kind, TargetEvent::Kind::kDown);
  EXPECT_EQ(Read(WholeRead(16)).status, Status::not_connected);
}

TEST_F(InprocClient, EndsWithReadsInFlight) {
  Start();
  (void)inproc->PostRead(target, WholeRead(4096, kHeldVolume));
  inproc.reset();
  EXPECT_EQ(arena->stats().leases_outstanding, 0u);
}

}  // namespace
}  // namespace client_test
