// Bytes that were sent by reference stay what they were when their memory is freed and used again,
// also for a client that has not read them yet.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "lane/lane.h"
#include "memory/arena.h"
#include "memory/pages.h"
#include "protocol/clock.h"

namespace {

using std::chrono::milliseconds;

constexpr size_t kBodyBytes = 8u << 20;
const std::string kRequest = "GET /3,01 HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kAnswer = "HTTP/1.1 200 OK\r\nX-Amz-Request-Id: " + std::string(24, ' ') +
                            "\r\nDate: " + std::string(29, ' ') + "\r\n\r\n";

struct TcpPair {
  int client = -1;
  int server = -1;

  TcpPair() {
    const int listener = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(listener, 1), 0);
    getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length);
    client = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    server = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    close(listener);
  }
  ~TcpPair() {
    close(client);
    close(server);
  }
};

enum class Reuse {
  kFreed,      // the slab goes, and another one takes its place
  kRewritten,  // the bytes are overwritten where they lie
};

/// How many bytes of the answer's body the client reads that are not what was published.
size_t WrongBytes(bool is_ordinary, Reuse reuse, size_t& read_bytes, size_t& huge_bytes) {
  std::string error;
  const auto arena = memory::Arena::Create(
      {.bytes = kBodyBytes, .hugepages = memory::Hugepages::kTry, .is_ordinary = is_ordinary},
      error);
  EXPECT_NE(arena, nullptr) << error;
  memory::Lease body = arena->Allocate(kBodyBytes);
  std::memset(body.bytes().data(), 'A', body.bytes().size());
  huge_bytes = memory::GivenBySmaps(body.bytes().data(), body.bytes().size()).transparent_bytes;

  shelf::Shelf shelf([] {});
  const auto volume = std::make_shared<shelf::Volume>(1);
  volume->Grant(protocol::NowNs() + 60'000'000'000);
  shelf::NewEntry entry;
  entry.heads.request = kRequest;
  entry.heads.answer = kAnswer;
  entry.heads.id_at = static_cast<uint32_t>(kAnswer.find("Id: ") + 4);
  entry.heads.date_at = static_cast<uint32_t>(kAnswer.find("Date: ") + 6);
  entry.body = body.bytes();
  entry.is_by_reference = true;
  entry.volume = volume;
  const uint64_t id = shelf.Publish(std::move(entry));

  lane::Limits limits;
  limits.bytes_in_flight_max = kBodyBytes * 2;
  limits.idle_timeout_ns = 60'000'000'000;
  lane::Lane lane(shelf, limits,
                  {.name = "lane",
                   .duration_bounds = {1},
                   .wait_bounds = {1},
                   .samples_max = 1,
                   .copied_bytes_max = 16'384,
                   .on_events = [] {}});
  TcpPair pair;
  lane.Give(7, pair.server, 1);
  EXPECT_EQ(send(pair.client, kRequest.data(), kRequest.size(), 0),
            static_cast<ssize_t>(kRequest.size()));
  // The kernel takes what fits; the client reads nothing.
  std::this_thread::sleep_for(milliseconds(100));
  lane.AskBack(7, true);
  for (int i = 0; i < 200 && lane.connection_count() > 0; ++i)
    std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(lane.connection_count(), 0u);
  EXPECT_TRUE(shelf.Withdraw(id));

  if (reuse == Reuse::kFreed) {
    const std::byte* const was = body.bytes().data();
    body.Reset();
    body = arena->Allocate(kBodyBytes);
    EXPECT_EQ(body.bytes().data(), was);
  }
  std::memset(body.bytes().data(), 'B', body.bytes().size());

  std::string got(kBodyBytes, ' ');
  size_t total = 0;
  while (total < got.size()) {
    const ssize_t some = recv(pair.client, got.data() + total, got.size() - total, MSG_DONTWAIT);
    if (some <= 0) break;
    total += static_cast<size_t>(some);
  }
  size_t wrong = 0;
  for (size_t at = kAnswer.size(); at < total; ++at) wrong += got[at] != 'A' ? 1 : 0;
  read_bytes = total;
  return wrong;
}

TEST(ByReference, FreedAndUsedAgainTheBytesStay) {
  size_t read = 0;
  size_t huge = 0;
  EXPECT_EQ(WrongBytes(true, Reuse::kFreed, read, huge), 0u);
  EXPECT_GT(read, 65'536u) << "nothing was under way, so nothing was shown";
  if (huge == 0) GTEST_SKIP() << "no hugepages here: shown for small pages alone";
  EXPECT_GE(huge, 2u << 20);
}

TEST(ByReference, WrittenInPlaceTheyDoNot) {
  size_t read = 0;
  size_t huge = 0;
  EXPECT_GT(WrongBytes(true, Reuse::kRewritten, read, huge), 0u) << "the test above could not fail";
}

TEST(ByReference, MemoryThatIsUsedAgainInPlaceIsNotForIt) {
  size_t read = 0;
  size_t huge = 0;
  EXPECT_GT(WrongBytes(false, Reuse::kFreed, read, huge), 0u);
}

}  // namespace
