#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "lane/lane_fixture_test.h"

// Answers that a lane gives by itself, and how a connection goes back to its owner.
namespace lane {
namespace {

/// Returns whether any epoll of this process has the descriptor.
inline bool IsWatched(int fd) {
  for (const auto& info : std::filesystem::directory_iterator("/proc/self/fdinfo")) {
    std::ifstream lines(info.path());
    for (std::string line; std::getline(lines, line);) {
      int watched = -1;
      if (std::sscanf(line.c_str(), "tfd: %d", &watched) == 1 && watched == fd) return true;
    }
  }
  return false;
}

std::string Repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

INSTANTIATE_TEST_SUITE_P(Wires, LaneTest, testing::Values(Wire::kUnix, Wire::kTcp), NameOf);

TEST_P(LaneTest, AnswersWithExactlyWhatWasPublished) {
  const Guest& guest = Connect();
  for (const size_t bytes :
       {size_t{0}, size_t{1}, kCopiedBytesMax, kCopiedBytesMax + 1, size_t{100'000}}) {
    for (const bool has_id_again : {false, true}) {
      const std::string target = std::to_string(bytes) + (has_id_again ? "?again" : "");
      ExpectServed(guest,
                   Publish({.target = target, .bytes = bytes, .has_id_again = has_id_again}));
    }
  }
  ExpectSilence(guest);
}

TEST_P(LaneTest, GivesEachAnswerAnIdOfItsOwn) {
  const Answer& answer = Publish();
  const Guest& guest = Connect();
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    guest.Send(answer.request);
    ids.insert(Receive(guest.client.get(), answer.bytes())
                   .substr(answer.heads.id_at, shelf::kRequestIdBytes));
  }
  EXPECT_EQ(ids.size(), 50u);
}

TEST_P(LaneTest, AnswersRequestsOfOneWriteInTheirOrder) {
  const Answer& small = Publish({.target = "small"});
  const Answer& large = Publish({.target = "large", .bytes = 300'000});
  const Guest& guest = Connect();
  guest.Send(small.request + large.request + small.request);
  for (const Answer* answer : {&small, &large, &small}) ExpectAnswer(guest, *answer);
}

TEST_P(LaneTest, AnswersTwoHundredRequestsOfOneWrite) {
  const Answer& answer = Publish();
  const Guest& guest = NewGuest();
  SendAndGive(guest, Repeated(answer.request, 200));
  for (int i = 0; i < 200; ++i) ExpectAnswer(guest, answer);
  ExpectSilence(guest);
  TakeBack(guest, 200);
}

TEST_P(LaneTest, AnswersWithAnyClientId) {
  const Answer& answer = Publish({.has_hole = true});
  const Guest& guest = Connect();
  for (const std::string client_id : {"", "1880AAFF00BB1880AAFF00BB"}) {
    guest.Send(answer.request + client_id + answer.heads.request_rest);
    ExpectAnswer(guest, answer);
  }
}

TEST_P(LaneTest, GoesBackWithWhatItDoesNotKnow) {
  const Answer& answer = Publish();
  const Guest& guest = Connect();
  const std::string rest = std::string(kUnknown) + answer.request + "GET /7";
  guest.Send(answer.request + rest);
  ExpectAnswer(guest, answer);
  ExpectBack(guest, Why::kBytes, 1, rest);
  EXPECT_EQ(lane_->connection_count(), 0u);
}

TEST_P(LaneTest, GoesBackWithWhatIsNotLiveAnyMore) {
  const Answer& withdrawn = Publish({.target = "withdrawn"});
  const Answer& expired = Publish({.target = "expired", .expires_at_ns = protocol::NowNs()});
  const Answer& dropped = Publish({.target = "dropped", .volume = strict_});
  Withdraw(withdrawn);
  strict_->DropAll();
  strict_->Grant(kAlways);
  for (const Answer* answer : {&withdrawn, &expired, &dropped}) {
    const Guest& guest = Connect();
    guest.Send(answer->request);
    ExpectBack(guest, Why::kBytes, 0, answer->request);
  }
}

TEST_P(LaneTest, AnswersNothingWhileItIsClosed) {
  const Answer& answer = Publish();
  const Guest& guest = Connect();
  ExpectServed(guest, answer);
  limits_.is_open = false;
  guest.Send(answer.request);
  ExpectBack(guest, Why::kBytes, 1, answer.request);
}

TEST_P(LaneTest, GoesBackWithAHeadThatIsCut) {
  const Answer& answer = Publish();
  for (size_t cut = 1; cut < answer.request.size(); ++cut) {
    const Guest& guest = Connect();
    ExpectServed(guest, answer);
    guest.Send(answer.request.substr(0, cut));
    ExpectBack(guest, Why::kBytes, 1, answer.request.substr(0, cut));
    guest.Send(answer.request.substr(cut));
    EXPECT_EQ(Receive(guest.server.get(), answer.request.size() - cut), answer.request.substr(cut));
    ExpectSilence(guest);
  }
}

TEST_P(LaneTest, LosesNoByteWhereverTheStreamIsCut) {
  const std::vector<const Answer*> answers = {&Publish({.target = "a", .bytes = 10}),
                                              &Publish({.target = "bb", .bytes = 20'000})};
  std::minstd_rand random(5);
  for (int round = 0; round < 40; ++round) {
    std::string stream;
    std::vector<const Answer*> asked;
    for (auto i = random() % 6; i > 0; --i) {
      asked.push_back(answers[random() % 2]);
      stream += asked.back()->request;
    }
    stream += std::string(kUnknown) + answers[0]->request;
    const Guest& guest = Connect();
    for (size_t at = 0; at < stream.size();) {
      const size_t bytes = 1 + random() % 60;
      guest.Send(std::string_view(stream).substr(at, bytes));
      at += bytes;
    }
    const Returned returned = Back(guest);
    ASSERT_LE(returned.answered, asked.size());
    std::string all;
    for (size_t i = 0; i < returned.answered; ++i) {
      ExpectAnswer(guest, *asked[i]);
      all += asked[i]->request;
    }
    ExpectSilence(guest);
    all += returned.bytes;
    ASSERT_LE(all.size(), stream.size());
    all += Receive(guest.server.get(), stream.size() - all.size());
    ASSERT_EQ(all, stream) << "round " << round;
  }
}

TEST_P(LaneTest, GoesBackWhenItsClientCloses) {
  const Answer& answer = Publish();
  Guest& guest = Connect();
  ExpectServed(guest, answer);
  guest.client = {};
  ExpectBack(guest, Why::kBytes, 1, "");
}

/// The end came with the request, in one event: the lane answered, and saw the end no more.
TEST_P(LaneTest, GoesBackAfterTheLastAnswerOfAClientThatSendsNoMore) {
  limits_.idle_timeout_ns = 2'000 * kMs;
  const Answer& answer = Publish();
  const Guest& guest = NewGuest();
  guest.Send(answer.request);
  ASSERT_EQ(shutdown(guest.client.get(), SHUT_WR), 0);
  Give(guest);
  ExpectAnswer(guest, answer);
  ExpectBack(guest, Why::kBytes, 1, "");
}

TEST_P(LaneTest, GivesBackARestingConnectionAtOnce) {
  for (const bool is_now : {false, true}) {
    const Guest& guest = Connect();
    lane_->AskBack(guest.id, is_now);
    ExpectBack(guest, Why::kAsked, 0, "");
    lane_->AskBack(guest.id, is_now);
  }
  PassTurns();
}

/// A registration that outlives the return wakes the lane for a connection that it has freed, and
/// refuses the descriptor when it is given again.
TEST_P(LaneTest, WatchesNoConnectionThatWentBack) {
  const Answer& answer = Publish();
  const Guest& guest = Connect();
  for (int round = 1; round <= 3; ++round) {
    ExpectServed(guest, answer);
    EXPECT_TRUE(IsWatched(guest.server.get()));
    TakeBack(guest, 1);
    ASSERT_FALSE(IsWatched(guest.server.get()));
    guest.Send("x");
    PassTurns();
    EXPECT_EQ(ReceiveNow(guest.server.get()), "x");
    Give(guest);
  }
  ExpectServed(guest, answer);
}

TEST_P(LaneTest, AsksOnceForAllThatWait) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& first = Connect();
  first.Send(answer.request);
  const Question early = Asked();
  EXPECT_EQ(early.volume, strict_->id());
  std::vector<const Guest*> others;
  for (int i = 0; i < 10; ++i) others.push_back(&Connect());
  for (const Guest* guest : others) guest->Send(answer.request);
  for (const Guest* guest : others) WaitInHand(*guest);
  EXPECT_FALSE(HasAskedMore()) << "before the question under way was settled";
  ExpectSilence(first);
  Settle(early, true);
  ExpectAnswer(first, answer);
  const Question late = Asked();
  EXPECT_NE(late.ticket, early.ticket);
  PassTurns();
  for (const Guest* guest : others) ExpectSilence(*guest);
  Settle(late, true);
  for (const Guest* guest : others) ExpectAnswer(*guest, answer);
  PassTurns();
  EXPECT_FALSE(HasAskedMore());
  const Tally tally = lane_->TakeTally();
  EXPECT_EQ(tally.questions, 2u);
  EXPECT_EQ(tally.validated, 11u);
}

TEST_P(LaneTest, AsksAnewForEachRequestOfAPipeline) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& guest = Connect();
  guest.Send(answer.request + answer.request + answer.request);
  for (int i = 0; i < 3; ++i) {
    const Question question = Asked();
    PassTurns();
    ExpectSilence(guest);
    Settle(question, true);
    ExpectAnswer(guest, answer);
  }
  PassTurns();
  EXPECT_FALSE(HasAskedMore());
}

TEST_P(LaneTest, GivesBackAConnectionThatWaits) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& now = Connect();
  const Guest& later = Connect();
  const Guest& next = Connect();
  now.Send(answer.request + answer.request);
  const Question question = Asked();
  next.Send(answer.request);
  WaitInHand(next);
  for (const Guest* guest : {&now, &next}) {
    lane_->AskBack(guest->id, true);
    const Returned returned = Back(*guest);
    EXPECT_EQ(returned.why, Why::kAsked);
    EXPECT_EQ(returned.bytes, guest == &now ? answer.request + answer.request : answer.request);
  }
  // The question has lost all that waited for it; one that comes now waits for the next.
  later.Send(answer.request + answer.request);
  WaitInHand(later);
  EXPECT_FALSE(HasAskedMore());
  lane_->AskBack(later.id, false);
  Settle(question, true);
  const Question second = Asked();
  ExpectSilence(later);
  EXPECT_FALSE(IsBack(later));
  Settle(second, true);
  ExpectAnswer(later, answer);
  const Returned returned = Back(later);
  EXPECT_EQ(returned.why, Why::kAsked);
  EXPECT_EQ(returned.answered, 1u);
  EXPECT_EQ(returned.bytes, answer.request);
  for (const Guest* guest : {&now, &next}) ExpectSilence(*guest);
}

TEST_P(LaneTest, WaitsOnForAClientThatGoes) {
  const Answer& answer = Publish({.volume = strict_});
  Guest& guest = Connect();
  guest.Send(answer.request);
  const Question question = Asked();
  guest.client = {};
  PassTurns();
  EXPECT_FALSE(IsBack(guest));
  Settle(question, true);
  Back(guest);
}

TEST_P(LaneTest, GivesBackWhatIsIdle) {
  limits_.idle_timeout_ns = 30 * kMs;
  const uint64_t begun_ns = protocol::NowNs();
  const Guest& guest = Connect();
  ExpectBack(guest, Why::kIdle, 0, "");
  EXPECT_GE(protocol::NowNs() - begun_ns, 30 * kMs);
}

TEST_P(LaneTest, LeavesTheTimeOfAQuestionToItsOwner) {
  limits_.idle_timeout_ns = 30 * kMs;
  const Answer& answer = Publish({.volume = strict_});
  const Guest& guest = Connect();
  guest.Send(answer.request);
  const Question question = Asked();
  // One that is given later goes back: as much time has passed for the first.
  EXPECT_EQ(Back(Connect()).why, Why::kIdle);
  EXPECT_FALSE(IsBack(guest));
  Settle(question, true);
  ExpectAnswer(guest, answer);
}

/// An answer that was copied did not count as a move: a connection that had waited for a question
/// was idle at once.
TEST_P(LaneTest, CountsIdleTimeFromTheLastAnswer) {
  constexpr uint64_t kIdleMs = 300;
  limits_.idle_timeout_ns = kIdleMs * kMs;
  const Answer& answer = Publish({.volume = strict_});
  const Guest& guest = Connect();
  guest.Send(answer.request);
  const Question question = Asked();
  std::this_thread::sleep_for(std::chrono::milliseconds(kIdleMs / 2));
  const uint64_t settled_ns = protocol::NowNs();
  Settle(question, true);
  ExpectAnswer(guest, answer);
  EXPECT_EQ(Back(guest).why, Why::kIdle);
  EXPECT_GE(protocol::NowNs() - settled_ns, kIdleMs * kMs);
}

TEST_P(LaneTest, TellsHowLongAConnectionRests) {
  const Answer& answer = Publish({.volume = strict_});
  const Guest& guest = Connect();
  PassTurns();
  EXPECT_GT(lane_->RestingNs(guest.id, protocol::NowNs()), 0u);
  EXPECT_EQ(lane_->RestingNs(guest.id, 1), 0u) << "from before it came";
  EXPECT_EQ(lane_->RestingNs(12'345, protocol::NowNs()), 0u);
  guest.Send(answer.request);
  const Question question = Asked();
  EXPECT_EQ(lane_->RestingNs(guest.id, protocol::NowNs()), 0u);
  Settle(question, true);
  ExpectAnswer(guest, answer);
  PassTurns();
  EXPECT_GT(lane_->RestingNs(guest.id, protocol::NowNs()), 0u);
  EXPECT_EQ(lane_->connection_count(), 2u);
}

TEST_P(LaneTest, SamplesOneRequestInSoMany) {
  constexpr int kRequests = 4'000;
  limits_.sample_every = 8;
  const Answer& answer = Publish({.bytes = 1});
  const Guest& guest = Connect();
  uint64_t samples = 0;
  uint64_t weight = 0;
  const auto take = [&] {
    const Tally tally = lane_->TakeTally();
    EXPECT_EQ(tally.samples_dropped, 0u);
    for (const Sample& sample : tally.samples) weight += sample.weight;
    samples += tally.samples.size();
  };
  for (int i = 0; i < kRequests; ++i) {
    ExpectServed(guest, answer);
    take();
  }
  TakeBack(guest, kRequests);
  take();
  EXPECT_NEAR(static_cast<double>(samples), kRequests / 8, 125);
  EXPECT_NEAR(static_cast<double>(weight), kRequests, 1'000);
}

}  // namespace
}  // namespace lane
