#include <gtest/gtest.h>
#include <sys/socket.h>
#include <ucs/sys/sock.h>

#include <atomic>

#include "client/loopback_test.h"
#include "ucx/library_calls.h"

// A connection breaks between two sends of one transfer: the later send is the first to hear of it.
namespace server_test {
namespace {

std::atomic<int> whole_sends_left = -1;  // negative: connections are left alone
decltype(&ucs_socket_sendv_nb) send_of_product = nullptr;

/// The kernel drops the connection, as if a reset had just come.
void Break(int fd) {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  (void)connect(fd, &nobody, sizeof(nobody));
}

ucs_status_t BreakBeforeSending(int fd, iovec* parts, size_t count, size_t* sent_bytes) {
  if (whole_sends_left >= 0 && whole_sends_left-- == 0) Break(fd);
  return send_of_product(fd, parts, count, sent_bytes);
}

TEST(BrokenConnection, ThatASendIsTheFirstToHearOfEndsTheSessionAlone) {
  using client_test::Loopback;
  Loopback loopback(client_test::ServerOptions(client_test::kTcp, client_test::kLargeArenaBytes),
                    client_test::kLargeArenaBytes);
  void* const before = ucx::RedirectCalls("libuct.so", "ucs_socket_sendv_nb",
                                          reinterpret_cast<void*>(&BreakBeforeSending));
  ASSERT_NE(before, nullptr);
  send_of_product = reinterpret_cast<decltype(send_of_product)>(before);
  for (int round = 0; round < 8; ++round) {
    const auto target = loopback.Up();
    whole_sends_left = 5 + round;
    for (int i = 0; i < 16; ++i)
      (void)loopback.client->PostRead(target, Loopback::WholeRead(8 << 20));
    EXPECT_TRUE(loopback.AwaitServer([](const auto& stats) { return stats.sessions_active == 0; }));
    EXPECT_LT(whole_sends_left, 0);
    loopback.ExpectLeasesHome();
    std::string error;
    loopback.client.reset();
    loopback.client =
        client::CreateSessionClient({.tls = client_test::kTcp}, *loopback.arena, error);
    ASSERT_TRUE(loopback.client) << error;
  }
  ucx::RedirectCalls("libuct.so", "ucs_socket_sendv_nb", before);
}

}  // namespace
}  // namespace server_test
