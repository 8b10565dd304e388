#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <ctime>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lane/lane.h"
#include "protocol/clock.h"
#include "storage/unique_fd.h"
#include "stream/tcp_pair_test.h"

// A lane over a shelf, clients on sockets, and what the lane has told its owner.
namespace lane {

/// The sockets between a client and a lane, and how bodies that are not copied with their head go.
enum class Wire { kUnix, kTcp, kUnixByReference, kTcpByReference };

inline std::string NameOf(const testing::TestParamInfo<Wire>& wire) {
  constexpr std::array kNames = {"Unix", "Tcp", "UnixByReference", "TcpByReference"};
  return kNames[static_cast<size_t>(wire.param)];
}

inline constexpr uint64_t kAlways = UINT64_MAX;
inline constexpr uint64_t kMs = 1'000'000;
/// A test fails instead of waiting longer.
inline constexpr uint64_t kPatienceMs = 10'000;
inline constexpr std::string_view kUnknown = "GET /unknown HTTP/1.1\r\n\r\n";

/// Bytes that repeat after a number of them that no buffer's size is a multiple of.
inline std::string BodyOf(size_t bytes, uint32_t seed) {
  constexpr size_t kPeriod = 4'093;
  std::minstd_rand random(seed);
  std::string body(bytes, '\0');
  const size_t first = std::min(bytes, kPeriod);
  for (size_t i = 0; i < first; ++i) body[i] = static_cast<char>(random());
  for (size_t at = first; at < bytes; at += kPeriod)
    std::memcpy(&body[at], body.data(), std::min(kPeriod, bytes - at));
  return body;
}

/// The head of an answer with places for its own values.
inline shelf::Heads HeadsOf(std::string request, size_t body_bytes, bool has_id_again) {
  shelf::Heads heads;
  heads.request = std::move(request);
  const auto put = [&](std::string_view name, size_t bytes) {
    heads.answer += name;
    const auto at = static_cast<uint32_t>(heads.answer.size());
    heads.answer += std::string(bytes, '#') + "\r\n";
    return at;
  };
  heads.answer = "HTTP/1.1 200 OK\r\n";
  heads.id_at = put("X-Amz-Request-Id: ", shelf::kRequestIdBytes);
  heads.answer += "Content-Length: " + std::to_string(body_bytes) + "\r\n";
  heads.date_at = put("Date: ", shelf::kDateBytes);
  if (has_id_again) heads.id_again_at = put("x-amz-request-id: ", shelf::kRequestIdBytes);
  heads.answer += "\r\n";
  return heads;
}

/// Holds an answer to its exact bytes; only the id and the date are its own.
inline testing::AssertionResult IsAnswer(std::string_view got, const shelf::Heads& heads,
                                         std::string_view body) {
  const std::string& expected = heads.answer;
  if (got.size() != expected.size() + body.size())
    return testing::AssertionFailure() << got.size() << " bytes: " << got.substr(0, 300);
  std::string head(got.substr(0, expected.size()));
  const std::string id = head.substr(heads.id_at, shelf::kRequestIdBytes);
  if (id.find_first_not_of("0123456789ABCDEF") != std::string::npos)
    return testing::AssertionFailure() << "the id " << id;
  if (heads.id_again_at && head.substr(*heads.id_again_at, id.size()) != id)
    return testing::AssertionFailure() << "another id in its second place: " << head;
  const std::string date = head.substr(heads.date_at, shelf::kDateBytes);
  tm parts{};
  const char* end = strptime(date.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end == nullptr || *end != '\0' || std::abs(timegm(&parts) - time(nullptr)) > 60)
    return testing::AssertionFailure() << "the date " << date;
  for (const size_t at : {heads.id_at, heads.id_again_at.value_or(heads.id_at)})
    head.replace(at, id.size(), expected, at, id.size());
  head.replace(heads.date_at, date.size(), expected, heads.date_at, date.size());
  if (head != expected) return testing::AssertionFailure() << head;
  if (got.substr(expected.size()) == body) return testing::AssertionSuccess();
  const auto differs = std::ranges::mismatch(got.substr(expected.size()), body);
  return testing::AssertionFailure() << "byte " << differs.in2 - body.begin() << " of the body";
}

/// Two ends of one connection.
inline std::pair<storage::UniqueFd, storage::UniqueFd> PairOf(Wire wire) {
  int ends[2];
  if (wire == Wire::kTcp || wire == Wire::kTcpByReference) {
    std::tie(ends[0], ends[1]) = stream_test::TcpPair();
    const int on = 1;
    for (const int fd : ends)
      EXPECT_EQ(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
  } else {
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  }
  EXPECT_EQ(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
  return {storage::UniqueFd(ends[0]), storage::UniqueFd(ends[1])};
}

/// Sends all, however long the other end takes; gives up where it is gone.
inline void SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, kPatienceMs) != 1) return;
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return;
    bytes.remove_prefix(static_cast<size_t>(std::max<ssize_t>(sent, 0)));
  }
}

/// Waits for so many bytes; returns fewer where the connection ends before.
inline std::string Receive(int fd, size_t bytes) {
  std::string all(bytes, '\0');
  size_t got = 0;
  while (got < bytes) {
    pollfd ready{.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&ready, 1, kPatienceMs) != 1) break;
    const ssize_t more = recv(fd, &all[got], bytes - got, MSG_DONTWAIT);
    if (more < 0 && errno == EAGAIN) continue;
    if (more <= 0) break;
    got += static_cast<size_t>(more);
  }
  all.resize(got);
  return all;
}

/// Returns what can be read without waiting.
inline std::string ReceiveNow(int fd) {
  std::string all;
  char part[4096];
  for (ssize_t got = 0; (got = recv(fd, part, sizeof part, MSG_DONTWAIT)) > 0;)
    all.append(part, static_cast<size_t>(got));
  return all;
}

/// Rung by any thread; another waits for it.
class Bell {
 public:
  void Ring() {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }

  /// False: the condition did not come true in time.
  template <typename Condition>
  bool WaitFor(Condition condition, uint64_t ns_max = kPatienceMs * kMs) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::nanoseconds(ns_max), condition);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

/// A client's connection; lanes get the descriptor of its other end.
struct Guest {
  ConnectionId id = 0;
  storage::UniqueFd client;
  storage::UniqueFd server;

  void Send(std::string_view bytes) const { SendAll(client.get(), bytes); }
};

struct Offer {
  std::string target = "7,01";
  size_t bytes = 100;
  /// Null: one that is granted.
  std::shared_ptr<shelf::Volume> volume = nullptr;
  bool has_id_again = false;
  bool has_hole = false;
  uint32_t agent = 0;
  uint64_t expires_at_ns = 0;
};

/// A published answer.
struct Answer {
  uint64_t id = 0;
  std::string request;
  shelf::Heads heads;
  std::string body;

  [[nodiscard]] size_t bytes() const { return heads.answer.size() + body.size(); }
};

inline constexpr size_t kCopiedBytesMax = 16'384;
inline constexpr size_t kSamplesMax = 4;

/// One lane; every answer that a test leaves published must not be held at its end.
class LaneTest : public testing::TestWithParam<Wire> {
 protected:
  LaneTest() {
    limits_.bytes_in_flight_max = uint64_t{1} << 30;
    limits_.idle_timeout_ns = 2 * kPatienceMs * kMs;
    volume_->Grant(kAlways);
    lane_ = std::make_unique<Lane>(shelf_, limits_,
                                   LaneOptions{.name = "lane-test",
                                               .duration_bounds = {0.001, 1},
                                               .wait_bounds = {0.001, 1},
                                               .samples_max = kSamplesMax,
                                               .copied_bytes_max = kCopiedBytesMax,
                                               .on_events = [this] { bell_.Ring(); }});
  }

  void TearDown() override {
    lane_->Stop();
    for (const uint64_t id : published_) EXPECT_TRUE(shelf_.Withdraw(id)) << "it is still held";
    for (const uint64_t id : shelf_.TakeFreed()) EXPECT_EQ(withdrawn_.erase(id), 1u);
    EXPECT_TRUE(withdrawn_.empty()) << withdrawn_.size() << " withdrawn answers are still held";
    EXPECT_EQ(limits_.bytes_in_flight, 0u);
    for (const Guest& guest : guests_) {
      const bool is_open = !guest.server || fcntl(guest.server.get(), F_GETFD) != -1;
      EXPECT_TRUE(is_open) << "the lane closed the descriptor of connection " << guest.id;
    }
  }

  const Answer& Publish(Offer offer = {}) {
    Answer& answer = answers_.emplace_back();
    answer.request = "GET /" + offer.target + " HTTP/1.1\r\n";
    answer.request += offer.has_hole ? "X-Amz-Request-Id: " : "\r\n";
    answer.heads = HeadsOf(answer.request, offer.bytes, offer.has_id_again);
    if (offer.has_hole) answer.heads.request_rest = "\r\n\r\n";
    answer.body = BodyOf(offer.bytes, static_cast<uint32_t>(answers_.size()));
    answer.id = shelf_.Publish({.heads = answer.heads,
                                .body = std::as_bytes(std::span(answer.body)),
                                .is_by_reference = GetParam() >= Wire::kUnixByReference,
                                .volume = offer.volume ? offer.volume : volume_,
                                .agent = offer.agent,
                                .expires_at_ns = offer.expires_at_ns});
    published_.insert(answer.id);
    return answer;
  }

  /// Withdraws an answer; at the end of the test it must have been freed.
  void Withdraw(const Answer& answer) {
    published_.erase(answer.id);
    if (!shelf_.Withdraw(answer.id)) withdrawn_.insert(answer.id);
  }

  /// A connection that no lane has yet.
  Guest& NewGuest() {
    Guest& guest = guests_.emplace_back();
    std::tie(guest.client, guest.server) = PairOf(GetParam());
    guest.id = static_cast<ConnectionId>(guests_.size());
    return guest;
  }

  void Give(const Guest& guest, uint32_t peer = 1) {
    lane_->Give(guest.id, guest.server.get(), peer);
  }

  /// Gives a connection when all of the client's bytes can be read at once.
  void SendAndGive(const Guest& guest, std::string_view bytes) {
    guest.Send(bytes);
    std::string all(bytes.size(), '\0');
    for (ssize_t there = 0; there < static_cast<ssize_t>(all.size());)
      there = recv(guest.server.get(), all.data(), all.size(), MSG_PEEK | MSG_DONTWAIT);
    Give(guest);
  }

  Guest& Connect(uint32_t peer = 1) {
    Guest& guest = NewGuest();
    Give(guest, peer);
    return guest;
  }

  static void ExpectAnswer(const Guest& guest, const Answer& answer) {
    EXPECT_TRUE(IsAnswer(Receive(guest.client.get(), answer.bytes()), answer.heads, answer.body));
  }

  static void ExpectServed(const Guest& guest, const Answer& answer) {
    guest.Send(answer.request);
    ExpectAnswer(guest, answer);
  }

  static void ExpectSilence(const Guest& guest) { EXPECT_EQ(ReceiveNow(guest.client.get()), ""); }

  /// Waits until the lane gives the connection back.
  Returned Back(const Guest& guest) {
    EXPECT_TRUE(bell_.WaitFor([&] { return IsBack(guest); })) << guest.id << " does not come back";
    Returned returned = std::move(returned_[guest.id]);
    returned_.erase(guest.id);
    return returned;
  }

  /// Waits until the lane gives the connection back, with all that it had answered received.
  void ExpectBack(const Guest& guest, Why why, uint64_t answered, std::string_view bytes) {
    const Returned returned = Back(guest);
    EXPECT_EQ(returned.why, why);
    EXPECT_EQ(returned.answered, answered);
    EXPECT_EQ(returned.bytes, bytes);
    ExpectSilence(guest);
  }

  /// Takes back a connection that the lane would keep.
  void TakeBack(const Guest& guest, uint64_t answered) {
    lane_->AskBack(guest.id, false);
    ExpectBack(guest, Why::kAsked, answered, "");
  }

  /// Waits for the lane's next question.
  Question Asked() {
    EXPECT_TRUE(bell_.WaitFor([&] { return HasAskedMore(); })) << "the lane asks nothing";
    if (questions_.empty()) return {};
    const Question question = questions_.front();
    questions_.pop_front();
    return question;
  }

  void Settle(const Question& question, bool is_fresh) {
    if (question.ticket != 0) lane_->Settle(question.ticket, is_fresh);
  }

  /// Returns the latest ticket that the lane has told.
  uint64_t LastTicketTold() {
    Pump();
    return last_ticket_;
  }

  bool HasAskedMore() {
    Pump();
    return !questions_.empty();
  }

  bool IsBack(const Guest& guest) {
    Pump();
    return returned_.contains(guest.id);
  }

  /// Waits until the lane has read what other clients sent before, and has done what it can.
  void PassTurns() {
    if (ping_ == nullptr) {
      ping_ = &Publish({.target = "ping", .bytes = 1, .volume = ping_volume_});
      ping_volume_->Grant(kAlways);
      ping_guest_ = &Connect();
    }
    for (int i = 0; i < 3; ++i) ExpectServed(*ping_guest_, *ping_);
  }

  /// Waits until the lane has a request of the connection in hand.
  void WaitInHand(const Guest& guest) {
    PassTurns();
    EXPECT_EQ(lane_->RestingNs(guest.id, kAlways), 0u);
  }

  Bell bell_;
  Limits limits_;
  std::shared_ptr<shelf::Volume> volume_ = std::make_shared<shelf::Volume>(7);
  /// Never granted.
  std::shared_ptr<shelf::Volume> strict_ = std::make_shared<shelf::Volume>(8);
  std::deque<Answer> answers_;
  shelf::Shelf shelf_{[this] { bell_.Ring(); }};
  std::deque<Guest> guests_;
  std::unique_ptr<Lane> lane_;

 private:
  void Pump() {
    Events events = lane_->TakeEvents();
    for (Returned& each : events.returned) {
      EXPECT_FALSE(returned_.contains(each.connection)) << "named twice";
      returned_[each.connection] = std::move(each);
    }
    for (const Question& each : events.questions) {
      questions_.push_back(each);
      last_ticket_ = each.ticket;
    }
  }

  std::set<uint64_t> published_;
  std::set<uint64_t> withdrawn_;
  std::map<ConnectionId, Returned> returned_;
  std::deque<Question> questions_;
  uint64_t last_ticket_ = 0;
  std::shared_ptr<shelf::Volume> ping_volume_ = std::make_shared<shelf::Volume>(1'000);
  const Answer* ping_ = nullptr;
  const Guest* ping_guest_ = nullptr;
};

}  // namespace lane
