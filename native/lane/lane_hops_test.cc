#include <array>
#include <atomic>
#include <thread>
#include <tuple>

#include "lane/lane_fixture_test.h"

// Answers that rest on a question; clients that change from lane to lane while versions change.
namespace lane {
namespace {

class LaneQuestions : public LaneTest {};

INSTANTIATE_TEST_SUITE_P(Wires, LaneQuestions, testing::Values(Wire::kUnix, Wire::kTcp), NameOf);

TEST_P(LaneQuestions, HandAllBackWhoseAnswerIsNotFresh) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& first = Connect();
  const Guest& late = Connect();
  first.Send(answer.request + kUnknown.data());
  const Question early = Asked();
  late.Send(answer.request);
  WaitInHand(late);
  Settle(early, false);
  ExpectBack(first, Why::kBytes, 0, answer.request + kUnknown.data());
  Settle(Asked(), true);
  ExpectAnswer(late, answer);
}

TEST_P(LaneQuestions, AnswerNothingThatDiedMeanwhile) {
  const uint64_t expires_at_ns = protocol::NowNs() + 100 * kMs;
  const Answer& live = Publish({.target = "live", .volume = strict_});
  const Answer& withdrawn = Publish({.target = "withdrawn", .volume = strict_});
  const Answer& expired =
      Publish({.target = "expired", .volume = strict_, .expires_at_ns = expires_at_ns});
  const std::vector<const Answer*> answers = {&live, &withdrawn, &expired};
  const Guest& first = Connect();
  std::vector<const Guest*> guests;
  for (size_t i = 0; i < answers.size(); ++i) guests.push_back(&Connect());
  first.Send(live.request);
  const Question early = Asked();
  for (size_t i = 0; i < answers.size(); ++i) guests[i]->Send(answers[i]->request);
  for (const Guest* guest : guests) WaitInHand(*guest);
  Settle(early, true);
  ExpectAnswer(first, live);
  const Question question = Asked();
  Withdraw(withdrawn);
  while (protocol::NowNs() < expires_at_ns) std::this_thread::yield();
  Settle(question, true);
  ExpectAnswer(*guests[0], live);
  ExpectBack(*guests[1], Why::kBytes, 0, withdrawn.request);
  ExpectBack(*guests[2], Why::kBytes, 0, expired.request);
}

TEST_P(LaneQuestions, AnswerNothingOfAVolumeThatWasDroppedMeanwhile) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& guest = Connect();
  guest.Send(answer.request);
  const Question question = Asked();
  strict_->DropAll();
  strict_->Grant(kAlways);
  Publish({.bytes = 7, .volume = strict_});
  Settle(question, true);
  ExpectBack(guest, Why::kBytes, 0, answer.request);
}

TEST_P(LaneQuestions, AreOfOneVolume) {
  const auto other_volume = std::make_shared<shelf::Volume>(9);
  const Answer& one = Publish({.target = "one", .volume = strict_});
  const Answer& other = Publish({.target = "other", .volume = other_volume});
  const Guest& guest = Connect();
  const Guest& other_guest = Connect();
  guest.Send(one.request);
  const Question question = Asked();
  other_guest.Send(other.request);
  const Question other_question = Asked();
  EXPECT_EQ(question.volume, strict_->id());
  EXPECT_EQ(other_question.volume, other_volume->id());
  Settle(other_question, true);
  ExpectAnswer(other_guest, other);
  PassTurns();
  ExpectSilence(guest);
  Settle(question, true);
  ExpectAnswer(guest, one);
}

TEST_P(LaneQuestions, AreNeededAfterAGrant) {
  const Answer& answer = Publish();
  const Guest& guest = Connect();
  ExpectServed(guest, answer);
  for (const uint64_t until_ns : {uint64_t{0}, protocol::NowNs()}) {
    volume_->Grant(until_ns);
    guest.Send(answer.request);
    const Question question = Asked();
    volume_->Grant(kAlways);
    PassTurns();
    ExpectSilence(guest);
    Settle(question, true);
    ExpectAnswer(guest, answer);
    ExpectServed(guest, answer);
  }
  volume_->DropAll();
  const Answer& anew = Publish();
  guest.Send(anew.request);
  Settle(Asked(), true);
  ExpectAnswer(guest, anew);
}

/// An answer may rest only on a question that was asked after its request was there.
TEST_P(LaneQuestions, AreLaterThanTheirRequests) {
  const Answer& answer = Publish({.volume = strict_});
  std::vector<std::pair<const Guest*, uint64_t>> idle;
  std::vector<std::pair<const Guest*, uint64_t>> pending;
  for (int i = 0; i < 6; ++i) idle.emplace_back(&Connect(), 0);
  std::minstd_rand random(3);
  for (int step = 0; step < 300 || !pending.empty(); ++step) {
    if (!idle.empty() && step < 300 && random() % 3 != 0) {
      pending.emplace_back(idle.back().first, LastTicketTold());
      idle.back().first->Send(answer.request);
      idle.pop_back();
    } else if (!pending.empty()) {
      const Question question = Asked();
      ASSERT_NE(question.ticket, 0u);
      if (random() % 2 == 0) PassTurns();
      for (const auto& [guest, floor] : pending) ExpectSilence(*guest);
      Settle(question, true);
      PassTurns();
      std::erase_if(pending, [&](const auto& each) {
        const std::string got = ReceiveNow(each.first->client.get());
        if (got.empty()) return false;
        EXPECT_TRUE(IsAnswer(got, answer.heads, answer.body));
        EXPECT_GT(question.ticket, each.second) << "rests on a question from before";
        idle.insert(idle.begin(), each);
        return true;
      });
    }
  }
}

/// Clients of needles whose versions change. Their connections go from lane to lane, and sometimes
/// through the owner, who answers what lanes hand back. A body is its needle's version, repeated.
class LaneHops : public testing::TestWithParam<std::tuple<Wire, bool>> {
 protected:
  static constexpr size_t kLanes = 4;
  static constexpr size_t kClients = 4;
  static constexpr size_t kNeedles = 8;
  static constexpr int kRequests = 1'500;
  static constexpr char kOverwritten = 0;

  struct Needle {
    /// The volume holds this version, or a later one.
    std::atomic<uint32_t> written{1};
    /// A client has read this version, or a later one.
    std::atomic<uint32_t> seen{0};
    shelf::Heads heads;
    size_t body_bytes = 0;
    // By the owner: what it has published.
    uint64_t entry = 0;
    uint32_t version = 0;
    std::string* body = nullptr;
  };

  LaneHops() {
    limits_.bytes_in_flight_max = uint64_t{1} << 30;
    limits_.idle_timeout_ns = 2 * kPatienceMs * kMs;
    for (size_t i = 0; i < kNeedles; ++i) {
      needles_[i].body_bytes = i == 7 ? 300'000 : i == 3 ? 20'000 : 256;
      needles_[i].heads = HeadsOf("GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n",
                                  needles_[i].body_bytes, i % 2 == 0);
    }
    for (size_t i = 0; i < kLanes; ++i)
      lanes_.push_back(std::make_unique<Lane>(shelf_, limits_,
                                              LaneOptions{.name = "lane-" + std::to_string(i),
                                                          .duration_bounds = {},
                                                          .wait_bounds = {},
                                                          .samples_max = 0,
                                                          .copied_bytes_max = kCopiedBytesMax,
                                                          .on_events = [this] { bell_.Ring(); }}));
  }

  [[nodiscard]] static bool IsGranted() { return std::get<1>(GetParam()); }
  [[nodiscard]] shelf::Volume& VolumeOf(size_t needle) { return *volumes_[needle % 2]; }

  // The owner's thread

  void Publish(size_t number) {
    Needle& needle = needles_[number];
    if (spare_.empty()) spare_.push_back(&bodies_.emplace_back());
    needle.body = spare_.back();
    spare_.pop_back();
    needle.version = needle.written.load();
    Fill(*needle.body, needle.body_bytes, needle.version);
    needle.entry = shelf_.Publish({.heads = needle.heads,
                                   .body = std::as_bytes(std::span(*needle.body)),
                                   .volume = volumes_[number % 2],
                                   .agent = 0,
                                   .expires_at_ns = 0});
    EXPECT_NE(needle.entry, 0u);
  }

  void Withdraw(size_t number) {
    Needle& needle = needles_[number];
    if (needle.entry == 0) return;
    if (shelf_.Withdraw(needle.entry)) {
      Overwrite(needle.body);
    } else {
      withdrawn_[needle.entry] = needle.body;
    }
    needle.entry = 0;
  }

  void Overwrite(std::string* body) {
    std::memset(body->data(), kOverwritten, body->size());
    spare_.push_back(body);
  }

  static void Fill(std::string& body, size_t bytes, uint32_t version) {
    body.resize(bytes);
    std::memcpy(body.data(), &version, sizeof version);
    for (size_t done = sizeof version; done < bytes; done *= 2)
      std::memcpy(&body[done], body.data(), std::min(done, bytes - done));
  }

  /// Writes a needle of a granted volume: nothing old is answered when the write is announced.
  void WriteThrough(size_t number) {
    VolumeOf(number).DropAll();
    needles_[number].written.fetch_add(1);
    for (size_t i = number % 2; i < kNeedles; i += 2) {
      Withdraw(i);
      Publish(i);
    }
    if (random_() % 4 != 0) VolumeOf(number).Grant(kAlways);
  }

  /// Answers a question: all that changed since it was published is withdrawn before.
  void Settle(size_t lane, const Question& question) {
    for (size_t i = question.volume; i < kNeedles; i += 2) {
      if (needles_[i].entry != 0 && needles_[i].version == needles_[i].written.load()) continue;
      Withdraw(i);
      Publish(i);
    }
    lanes_[lane]->Settle(question.ticket, random_() % 8 != 0);
  }

  void Give(ConnectionId id) {
    Seat& seat = seats_.at(id);
    seat.lane = random_() % kLanes;
    lanes_[seat.lane]->Give(id, seat.fd.get(), 1);
  }

  void TakeReturned(const Returned& returned) {
    const ConnectionId id = returned.connection;
    const bool is_gone = returned.why == Why::kBytes && returned.bytes.empty();
    if (is_gone || returned.why == Why::kBroken) {
      seats_.erase(id);
      return;
    }
    for (const Needle& needle : needles_) {
      if (needle.heads.request != returned.bytes) continue;
      std::string body;
      Fill(body, needle.body_bytes, needle.written.load());
      SendAll(seats_.at(id).fd.get(), needle.heads.answer + body);
      ++answered_by_owner_;
    }
    Give(id);
  }

  void OwnOnce() {
    for (storage::UniqueFd& fd : TakeArrived()) {
      seats_[++last_id_].fd = std::move(fd);
      Give(last_id_);
    }
    for (const uint64_t id : shelf_.TakeFreed()) {
      ASSERT_TRUE(withdrawn_.contains(id));
      Overwrite(withdrawn_.at(id));
      withdrawn_.erase(id);
    }
    for (size_t i = 0; i < kLanes; ++i) {
      const Events events = lanes_[i]->TakeEvents();
      for (const Returned& returned : events.returned) TakeReturned(returned);
      if (IsGranted() && random_() % 4 == 0) WriteThrough(random_() % kNeedles);
      for (const Question& question : events.questions) Settle(i, question);
    }
    if (seats_.empty()) return;
    const auto at = std::next(seats_.begin(), static_cast<int>(random_() % seats_.size()));
    if (random_() % 4 == 0) lanes_[at->second.lane]->AskBack(at->first, random_() % 4 == 0);
  }

  std::vector<storage::UniqueFd> TakeArrived() {
    const std::lock_guard lock(arrived_mutex_);
    return std::exchange(arrived_, {});
  }

  // A client's thread

  storage::UniqueFd Connect() {
    auto [client, server] = PairOf(std::get<0>(GetParam()));
    {
      const std::lock_guard lock(arrived_mutex_);
      arrived_.push_back(std::move(server));
    }
    bell_.Ring();
    return std::move(client);
  }

  void Ask(uint32_t seed) {
    std::minstd_rand random(seed);
    storage::UniqueFd fd = Connect();
    for (int i = 0; i < kRequests; ++i) {
      Needle& needle = needles_[random() % kNeedles];
      const uint32_t floor = std::max(needle.written.load(), needle.seen.load());
      SendAll(fd.get(), needle.heads.request);
      const size_t bytes = needle.heads.answer.size() + needle.body_bytes;
      const std::string got = Receive(fd.get(), bytes);
      if (got.size() < bytes) {
        ++broken_;
        fd = Connect();
        continue;
      }
      ++answered_;
      const std::string_view body = std::string_view(got).substr(needle.heads.answer.size());
      uint32_t version = 0;
      std::memcpy(&version, body.data(), sizeof version);
      EXPECT_EQ(body.substr(sizeof version), body.substr(0, body.size() - sizeof version));
      EXPECT_GE(version, floor) << "an answer from before its request";
      EXPECT_LE(version, needle.written.load());
      for (uint32_t seen = needle.seen; seen < version;) {
        if (needle.seen.compare_exchange_weak(seen, version)) break;
      }
      // Another program's write, which the owner learns of when a lane asks.
      if (!IsGranted() && random() % 4 == 0) needles_[random() % kNeedles].written.fetch_add(1);
    }
    --asking_;
  }

  struct Seat {
    storage::UniqueFd fd;
    size_t lane = 0;
  };

  std::minstd_rand random_{17};
  Bell bell_;
  Limits limits_;
  std::array<Needle, kNeedles> needles_;
  std::vector<std::shared_ptr<shelf::Volume>> volumes_ = {std::make_shared<shelf::Volume>(0),
                                                          std::make_shared<shelf::Volume>(1)};
  std::deque<std::string> bodies_;
  std::vector<std::string*> spare_;
  std::map<uint64_t, std::string*> withdrawn_;
  shelf::Shelf shelf_{[this] { bell_.Ring(); }};
  std::map<ConnectionId, Seat> seats_;
  ConnectionId last_id_ = 0;
  uint64_t answered_by_owner_ = 0;
  std::mutex arrived_mutex_;
  std::vector<storage::UniqueFd> arrived_;
  std::atomic<uint64_t> answered_{0};
  std::atomic<uint64_t> broken_{0};
  std::atomic<size_t> asking_{kClients};
  std::vector<std::unique_ptr<Lane>> lanes_;
};

INSTANTIATE_TEST_SUITE_P(
    Wires, LaneHops, testing::Combine(testing::Values(Wire::kUnix, Wire::kTcp), testing::Bool()),
    [](const auto& each) {
      return std::string(std::get<0>(each.param) == Wire::kTcp ? "Tcp" : "Unix") +
             (std::get<1>(each.param) ? "Granted" : "Asked");
    });

TEST_P(LaneHops, ShowNoClientAVersionFromBeforeItsRequest) {
  for (size_t i = 0; i < kNeedles; ++i) Publish(i);
  std::vector<std::thread> clients;
  for (uint32_t seed = 1; seed <= kClients; ++seed) clients.emplace_back([=, this] { Ask(seed); });
  while (asking_ > 0 || !seats_.empty()) {
    OwnOnce();
    bell_.WaitFor([] { return false; }, kMs / 10);
  }
  for (std::thread& client : clients) client.join();
  Tally all;
  for (const auto& lane : lanes_) {
    lane->Stop();
    const Tally tally = lane->TakeTally();
    all.requests += tally.requests;
    all.validated += tally.validated;
  }
  for (size_t i = 0; i < kNeedles; ++i) Withdraw(i);
  for (const uint64_t id : shelf_.TakeFreed()) EXPECT_EQ(withdrawn_.erase(id), 1u);
  EXPECT_TRUE(withdrawn_.empty());
  EXPECT_EQ(limits_.bytes_in_flight, 0u);
  EXPECT_EQ(all.requests + answered_by_owner_, answered_);
  EXPECT_EQ(answered_ + broken_, kClients * kRequests);
  EXPECT_GT(all.requests, answered_ / 10) << "lanes had too little to do";
  EXPECT_GT(answered_by_owner_, 0u);
  EXPECT_GT(all.validated, 0u);
}

}  // namespace
}  // namespace lane
