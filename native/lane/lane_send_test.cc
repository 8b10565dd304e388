#include <sys/resource.h>

#include <array>
#include <atomic>
#include <numeric>
#include <thread>

#include "lane/lane_fixture_test.h"

// Answers that a socket does not take at once, and the count of all that were given.
namespace lane {
namespace {

constexpr size_t kMiB = 1u << 20;  // sockets hold a few

/// Receives so many bytes in pieces of odd sizes.
std::string ReceiveInPieces(const Guest& guest, size_t bytes) {
  constexpr std::array<size_t, 6> kPieces = {1, 4'093, 333, 65'537, 300'001, 17};
  std::string all;
  for (size_t i = 0; all.size() < bytes; ++i) {
    const size_t piece = std::min(kPieces[i % kPieces.size()], bytes - all.size());
    const std::string got = Receive(guest.client.get(), piece);
    all += got;
    if (got.size() < piece) break;
  }
  return all;
}

class LaneSend : public LaneTest {};

INSTANTIATE_TEST_SUITE_P(Wires, LaneSend,
                         testing::Values(Wire::kUnix, Wire::kTcp, Wire::kUnixByReference,
                                         Wire::kTcpByReference),
                         NameOf);

TEST_P(LaneSend, SendsExactBytesToAReaderOfOddPieces) {
  const Guest& guest = Connect();
  for (const size_t bytes : {kCopiedBytesMax + 1, kMiB, 16 * kMiB + 1}) {
    const Answer& answer = Publish({.target = std::to_string(bytes), .bytes = bytes});
    guest.Send(answer.request);
    EXPECT_TRUE(IsAnswer(ReceiveInPieces(guest, answer.bytes()), answer.heads, answer.body));
  }
  ExpectSilence(guest);
  TakeBack(guest, 3);
}

TEST_P(LaneSend, SendsExactBytesWhereThereIsNoMoreDescriptor) {
  const Answer& large = Publish({.bytes = 5 * kMiB});
  const Guest& guest = Connect();
  rlimit usual{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &usual), 0);
  const rlimit none{.rlim_cur = 1, .rlim_max = usual.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  guest.Send(large.request);
  const std::string got = ReceiveInPieces(guest, large.bytes());
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &usual), 0);
  EXPECT_TRUE(IsAnswer(got, large.heads, large.body));
}

TEST_P(LaneSend, GoesOnWithACopiedAnswerThatTheSocketTookInPart) {
  constexpr int kRequests = 600;
  const Answer& small = Publish({.target = "small", .bytes = kCopiedBytesMax - 1});
  const Answer& tiny = Publish({.target = "tiny", .bytes = 0});
  const Guest& guest = NewGuest();
  // Full after every few answers; a TCP socket is then full in the middle of one.
  const int bytes = 32'768;
  EXPECT_EQ(setsockopt(guest.server.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += i % 3 == 0 ? tiny.request : small.request;
  guest.Send(requests);
  Give(guest);
  PassTurns();
  for (int i = 0; i < kRequests; ++i) {
    const Answer& answer = i % 3 == 0 ? tiny : small;
    ASSERT_TRUE(IsAnswer(ReceiveInPieces(guest, answer.bytes()), answer.heads, answer.body)) << i;
  }
  ExpectSilence(guest);
  TakeBack(guest, kRequests);
}

TEST_P(LaneSend, AnswersTwoThousandRequestsOfOneWrite) {
  constexpr int kRequests = 2'000;
  const Answer& answer = Publish({.target = "a", .bytes = 100 * 1'024});
  std::string requests;
  for (int i = 0; i < kRequests; ++i) requests += answer.request;
  ASSERT_LT(requests.size(), 65'536u) << "more than a lane reads at once";
  const Guest& guest = NewGuest();
  SendAndGive(guest, requests);
  for (int i = 0; i < kRequests; ++i)
    ASSERT_TRUE(IsAnswer(Receive(guest.client.get(), answer.bytes()), answer.heads, answer.body))
        << i;
  TakeBack(guest, kRequests);
}

TEST_P(LaneSend, ReadsMoreRequestsAfterALargeAnswer) {
  const Answer& large = Publish({.target = "large", .bytes = 8 * kMiB});
  const Answer& small = Publish({.target = "small"});
  const Guest& guest = Connect();
  guest.Send(large.request);
  std::string got = Receive(guest.client.get(), 1);
  // They come while the answer is in hand: no edge tells of them afterwards.
  guest.Send(small.request);
  PassTurns();
  guest.Send(small.request);
  PassTurns();
  got += ReceiveInPieces(guest, large.bytes() - 1);
  EXPECT_TRUE(IsAnswer(got, large.heads, large.body));
  ExpectAnswer(guest, small);
  ExpectAnswer(guest, small);
  TakeBack(guest, 3);
}

TEST_P(LaneSend, AnswersOthersWhileALargeBodyIsUnderWay) {
  const Answer& huge = Publish({.target = "huge", .bytes = 64 * kMiB});
  const Answer& small = Publish({.target = "small"});
  const Guest& reader = Connect();
  const Guest& other = Connect();
  std::string got;
  Bell bell;
  std::atomic<bool> is_half{false};
  std::atomic<bool> is_other_answered{false};
  std::thread reading([&] {
    reader.Send(huge.request);
    got = Receive(reader.client.get(), huge.bytes() / 2);
    is_half = true;
    bell.Ring();
    bell.WaitFor([&] { return is_other_answered.load(); });
    got += Receive(reader.client.get(), huge.bytes() - got.size());
  });
  EXPECT_TRUE(bell.WaitFor([&] { return is_half.load(); }));
  ExpectServed(other, small);
  EXPECT_EQ(limits_.bytes_in_flight, huge.body.size());
  is_other_answered = true;
  bell.Ring();
  reading.join();
  EXPECT_TRUE(IsAnswer(got, huge.heads, huge.body));
  TakeBack(reader, 1);
}

TEST_P(LaneSend, LeavesToTheOwnerWhatClientsMayNotReadAtOnce) {
  const Answer& large = Publish({.target = "large", .bytes = 16 * kMiB});
  const Answer& copied = Publish({.target = "copied", .bytes = kCopiedBytesMax});
  limits_.bytes_in_flight_max = 20 * kMiB;
  const Guest& first = Connect();
  const Guest& second = Connect();
  first.Send(large.request);
  std::string got = Receive(first.client.get(), 1);
  EXPECT_EQ(limits_.bytes_in_flight, large.body.size());
  second.Send(copied.request + large.request + copied.request);
  ExpectAnswer(second, copied);
  const Returned returned = Back(second);
  ASSERT_EQ(returned.answered, 1u);
  EXPECT_EQ(returned.why, Why::kBytes);
  EXPECT_EQ(returned.bytes, large.request + copied.request);
  ExpectSilence(second);
  EXPECT_EQ(limits_.bytes_in_flight, large.body.size());
  got += Receive(first.client.get(), large.bytes() - 1);
  EXPECT_TRUE(IsAnswer(got, large.heads, large.body));
  TakeBack(first, 1);
  EXPECT_EQ(limits_.bytes_in_flight, 0u);
  Give(second);
  ExpectServed(second, large);
  TakeBack(second, 1);
}

TEST_P(LaneSend, GivesBackAConnectionInTheMiddleOfAnAnswer) {
  const Answer& large = Publish({.bytes = 16 * kMiB});
  const Guest& guest = Connect();
  guest.Send(large.request + kUnknown.data());
  EXPECT_EQ(Receive(guest.client.get(), 100).size(), 100u);
  EXPECT_EQ(limits_.bytes_in_flight, 16 * kMiB);
  lane_->AskBack(guest.id, true);
  const Returned returned = Back(guest);
  EXPECT_EQ(returned.why, Why::kBroken);
  EXPECT_EQ(returned.answered, 0u);
  EXPECT_EQ(limits_.bytes_in_flight, 0u);
  // Nothing of the broken answer is left for the next one.
  for (int i = 0; i < 2; ++i) ExpectServed(Connect(), large);
}

TEST_P(LaneSend, GivesBackAConnectionAfterTheAnswerInHand) {
  const Answer& large = Publish({.bytes = 16 * kMiB});
  const Guest& guest = Connect();
  guest.Send(large.request + large.request);
  std::string got = Receive(guest.client.get(), 100);
  lane_->AskBack(guest.id, false);
  PassTurns();
  EXPECT_FALSE(IsBack(guest));
  got += Receive(guest.client.get(), large.bytes() - got.size());
  EXPECT_TRUE(IsAnswer(got, large.heads, large.body));
  ExpectBack(guest, Why::kAsked, 1, large.request);
  ExpectSilence(guest);
}

TEST_P(LaneSend, BreaksWithAClientThatTakesNothing) {
  limits_.idle_timeout_ns = 50 * kMs;
  const Answer& large = Publish({.bytes = 16 * kMiB});
  const Guest& guest = Connect();
  guest.Send(large.request);
  const Returned returned = Back(guest);
  EXPECT_EQ(returned.why, Why::kBroken);
  EXPECT_EQ(returned.answered, 0u);
  EXPECT_EQ(limits_.bytes_in_flight, 0u);
}

TEST_P(LaneSend, BreaksWhenItsClientGoesInTheMiddle) {
  const Answer& large = Publish({.bytes = 16 * kMiB});
  Guest& guest = Connect();
  guest.Send(large.request);
  EXPECT_EQ(Receive(guest.client.get(), 1'000).size(), 1'000u);
  Withdraw(large);
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  guest.client = {};
  EXPECT_EQ(Back(guest).why, Why::kBroken);
  EXPECT_EQ(limits_.bytes_in_flight, 0u);
}

TEST_P(LaneSend, SendsOnWhatIsWithdrawnInTheMiddle) {
  const Answer& large = Publish({.bytes = 16 * kMiB});
  const Guest& guest = Connect();
  guest.Send(large.request);
  std::string got = Receive(guest.client.get(), 1);
  volume_->DropAll();
  Withdraw(large);
  got += ReceiveInPieces(guest, large.bytes() - 1);
  EXPECT_TRUE(IsAnswer(got, large.heads, large.body));
  TakeBack(guest, 1);
}

TEST_P(LaneSend, FreesEveryHoldWhenItStops) {
  const Answer& large = Publish({.target = "large", .bytes = 16 * kMiB});
  const Answer& small = Publish({.target = "small", .bytes = kCopiedBytesMax});
  const Answer& asked = Publish({.target = "asked", .volume = strict_});
  const Answer& next = Publish({.target = "next", .volume = strict_});
  const Guest& resting = Connect();
  const Guest& sending = Connect();
  const Guest& copying = NewGuest();
  const Guest& waiting = Connect();
  const Guest& late = Connect();
  sending.Send(large.request);
  // Less than its first answers.
  const int bytes_at_once = 4'096;
  ASSERT_EQ(
      setsockopt(copying.server.get(), SOL_SOCKET, SO_SNDBUF, &bytes_at_once, sizeof bytes_at_once),
      0);
  std::string requests;
  for (int i = 0; i < 1'000; ++i) requests += small.request;
  SendAndGive(copying, requests);
  waiting.Send(asked.request);
  EXPECT_EQ(Asked().volume, strict_->id());
  late.Send(next.request);
  for (const Guest* guest : {&sending, &copying, &waiting, &late}) WaitInHand(*guest);
  for (const Answer* answer : {&large, &small, &asked, &next}) Withdraw(*answer);
  EXPECT_TRUE(shelf_.TakeFreed().empty());
  EXPECT_EQ(lane_->connection_count(), 6u);
  lane_->Stop();
  lane_->Stop();
  EXPECT_EQ(lane_->connection_count(), 0u);
  for (const Guest* guest : {&resting, &sending, &copying, &waiting, &late})
    EXPECT_FALSE(IsBack(*guest));
}

TEST_P(LaneSend, SamplesNoMoreThanItMay) {
  const Answer& answer = Publish({.has_hole = true, .agent = 5});
  const Guest& guest = Connect(9);
  std::vector<std::string> ids;
  const auto ask = [&](int times) {
    for (int i = 0; i < times; ++i) {
      guest.Send(answer.request + "client-" + std::to_string(ids.size()) +
                 answer.heads.request_rest);
      ids.push_back(Receive(guest.client.get(), answer.bytes())
                        .substr(answer.heads.id_at, shelf::kRequestIdBytes));
    }
  };
  ask(10);
  TakeBack(guest, 10);
  Tally tally = lane_->TakeTally();
  ASSERT_EQ(tally.samples.size(), kSamplesMax);
  EXPECT_EQ(tally.samples_dropped, 10 - kSamplesMax);
  for (size_t i = 0; i < kSamplesMax; ++i) {
    const Sample& sample = tally.samples[i];
    EXPECT_EQ(sample.entry, answer.id);
    EXPECT_EQ(sample.heads->answer, answer.heads.answer);
    EXPECT_EQ(sample.peer, 9u);
    EXPECT_EQ(sample.weight, 1u);
    EXPECT_EQ(sample.bytes, answer.body.size());
    EXPECT_GT(sample.duration_ns, 0u);
    EXPECT_EQ(sample.client_id, "client-" + std::to_string(i));
    EXPECT_EQ(sample.request_id, ids[i]);
  }
  Give(guest, 9);
  ask(1);
  TakeBack(guest, 1);
  tally = lane_->TakeTally();
  EXPECT_EQ(tally.samples.size(), 1u);
  EXPECT_EQ(tally.samples_dropped, 0u);
}

struct Sums {
  uint64_t requests = 0;
  uint64_t bytes = 0;
  uint64_t validated = 0;
  uint64_t returned = 0;
  uint64_t questions = 0;
  uint64_t durations = 0;
  uint64_t waits = 0;
  std::map<std::array<uint32_t, 3>, std::pair<uint64_t, uint64_t>> cells;

  void Add(const Tally& tally) {
    requests += tally.requests;
    bytes += tally.bytes;
    validated += tally.validated;
    returned += tally.returned;
    questions += tally.questions;
    durations =
        std::reduce(tally.durations.counts.begin(), tally.durations.counts.end(), durations);
    waits = std::reduce(tally.waits.counts.begin(), tally.waits.counts.end(), waits);
    for (const auto& [key, cell] : tally.cells) {
      auto& sum = cells[{key.peer, key.agent, key.volume}];
      sum.first += cell.requests;
      sum.second += cell.bytes;
    }
  }
};

/// Two programs' clients of three peers ask for answers of two volumes while the owner takes what
/// was counted, again and again.
TEST_P(LaneSend, CountsExactlyBesideItsTraffic) {
  constexpr uint32_t kPeers = 3;
  constexpr uint32_t kAgents = 2;
  constexpr uint64_t kRounds = 150;
  std::vector<const Answer*> granted;
  std::vector<const Answer*> strict;
  for (uint32_t agent = 0; agent < kAgents; ++agent) {
    granted.push_back(
        &Publish({.target = "g" + std::to_string(agent), .bytes = 100 + agent, .agent = agent}));
    strict.push_back(&Publish({.target = "s" + std::to_string(agent),
                               .bytes = 20'000 + agent,
                               .volume = strict_,
                               .agent = agent}));
  }
  std::vector<const Guest*> guests;
  for (uint32_t peer = 0; peer < kPeers; ++peer) guests.push_back(&Connect(peer));
  std::atomic<uint32_t> running{kPeers};
  std::vector<std::thread> clients;
  for (uint32_t peer = 0; peer < kPeers; ++peer)
    clients.emplace_back([&, guest = guests[peer]] {
      for (uint64_t round = 0; round < kRounds; ++round) {
        for (uint32_t agent = 0; agent < kAgents; ++agent) {
          ExpectServed(*guest, *granted[agent]);
          ExpectServed(*guest, *strict[agent]);
        }
      }
      --running;
      bell_.Ring();
    });
  Sums sums;
  uint64_t settled = 0;
  while (running > 0) {
    bell_.WaitFor([&] { return HasAskedMore() || running == 0; });
    for (; HasAskedMore(); ++settled) Settle(Asked(), true);
    sums.Add(lane_->TakeTally());
  }
  for (std::thread& client : clients) client.join();
  for (const Guest* guest : guests) TakeBack(*guest, kRounds * kAgents * 2);
  sums.Add(lane_->TakeTally());
  EXPECT_EQ(sums.requests, kPeers * kRounds * kAgents * 2);
  EXPECT_EQ(sums.durations, sums.requests);
  EXPECT_EQ(sums.validated, sums.requests / 2);
  EXPECT_EQ(sums.waits, sums.validated);
  EXPECT_EQ(sums.bytes, kPeers * kRounds * (100 + 101 + 20'000 + 20'001));
  EXPECT_EQ(sums.returned, kPeers);
  EXPECT_EQ(sums.questions, settled);
  EXPECT_EQ(sums.cells.size(), kPeers * kAgents * 2);
  for (const auto& [key, cell] : sums.cells) {
    const uint64_t bytes = (key[2] == strict_->id() ? 20'000 : 100) + key[1];
    EXPECT_EQ(cell.first, kRounds);
    EXPECT_EQ(cell.second, kRounds * bytes);
  }
  const Tally none = lane_->TakeTally();
  EXPECT_EQ(none.requests + none.bytes + none.cells.size() + none.samples.size(), 0u);
}

}  // namespace
}  // namespace lane
