#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/sample_engine_test.h"
#include "client/session_client.h"
#include "server/target_server.h"
#include "stream/tcp_pair_test.h"

// A target server and a client of it in one process, for the tests of both.
namespace client_test {

using stream_test::AcceptTcp;
using stream_test::TcpConnection;
using stream_test::TcpListener;

/// Sets the environment that UCX reads at its first context; in the product the addon's owner sets
/// it.
inline void SetUcxEnvironment() {
  for (const auto& [name, value] : {std::pair{"UCX_MEM_EVENTS", "no"},
                                    {"UCX_ERROR_SIGNALS", ""},
                                    {"UCX_DEBUG_SIGNO", ""},
                                    {"UCX_MM_ERROR_HANDLING", "y"},
                                    {"UCX_CMA_MEMORY_INVALIDATE", "y"},
                                    {"UCX_TCP_CM_REUSEADDR", "y"},
                                    {"UCX_TCP_PUT_ENABLE", "n"},
                                    {"UCX_NET_DEVICES", "lo"},
                                    {"UCX_WARN_UNUSED_ENV_VARS", "n"}}) {
    setenv(name, value, 0);
  }
}

constexpr char kShm[] = "tcp,posix,sysv,cma,self";
constexpr char kTcp[] = "tcp,self";
/// Not of UCX: a TCP connection, plain or under TLS.
constexpr char kStream[] = "stream";
constexpr char kTlsStream[] = "tls stream";

/// Names a test by its parameter.
inline std::string NameOf(const std::string& tls) {
  if (tls == kTlsStream) return "tls_stream";
  return tls == kStream || tls == kTcp ? tls.substr(0, tls.find(',')) : "shm";
}

inline bool IsStream(const std::string& tls) { return tls.ends_with(kStream); }

inline stream::Security SecurityOf(const std::string& tls, bool is_server) {
  stream::Security security{.is_server = is_server, .key = {}};
  if (tls == kTlsStream) security.key.emplace().fill(7);
  return security;
}

/// Room for a few reads at a time. Every page of an arena is touched, which takes most of the time
/// of a short test.
constexpr uint64_t kArenaBytes = 96 << 20;
/// For tests with more than 64 MiB of reads in flight.
constexpr uint64_t kLargeArenaBytes = 320 << 20;

inline server::TargetServerOptions ServerOptions(const std::string& tls,
                                                 uint64_t arena_bytes = kArenaBytes) {
  server::TargetServerOptions options;
  options.secrets = {"a shared secret"};
  options.tls = tls;
  options.is_ucx = !IsStream(tls);
  options.arena = {.bytes = arena_bytes, .hugepages = memory::Hugepages::kOff};
  return options;
}

class Loopback {
 public:
  explicit Loopback(const std::string& tls, uint64_t client_arena_bytes = kArenaBytes)
      : Loopback(ServerOptions(tls), client_arena_bytes) {}

  explicit Loopback(const server::TargetServerOptions& options,
                    uint64_t client_arena_bytes = kArenaBytes)
      : tls_(options.tls) {
    SetUcxEnvironment();
    signal(SIGPIPE, SIG_IGN);  // as Node does: OpenSSL writes to a connection that is gone
    std::string error;
    server = server::TargetServer::Create(
        options,
        [this](memory::Arena& arena, engine::ReadSink& sink, std::string&) {
          return std::make_unique<SampleEngine>(arena, sink, knobs);
        },
        error);
    if (!server) ADD_FAILURE() << error;
    arena = memory::Arena::Create(
        {.bytes = client_arena_bytes, .hugepages = memory::Hugepages::kOff}, error);
    if (!arena) ADD_FAILURE() << error;
    client = client::CreateSessionClient({.tls = tls_, .is_ucx = !IsStream(tls_)}, *arena, error);
    if (!client) ADD_FAILURE() << error;
  }

  client::TargetAddress Address() const { return AddressOf(server->port()); }
  static client::TargetAddress AddressOf(uint16_t port) {
    return {.host = "127.0.0.1",
            .port = port,
            .secrets = {"a shared secret"},
            .connect_timeout_ns = 5 * kSecondNs};
  }

  /// Progresses, sleeping as an event loop would, until `done` or 40 s have passed; false then.
  bool Await(const std::function<bool()>& done, uint64_t timeout_ns = 40 * kSecondNs) {
    const uint64_t give_up_ns = protocol::NowNs() + timeout_ns;
    while (true) {
      client->Progress();
      client->Take(batch_);
      for (auto& read : batch_.reads) reads.push_back(std::move(read));
      for (auto& validation : batch_.validations) validations.push_back(std::move(validation));
      for (auto& pong : batch_.pongs) pongs.push_back(pong);
      for (auto& event : batch_.events) events.push_back(std::move(event));
      if (done()) return true;
      const uint64_t now_ns = protocol::NowNs();
      if (now_ns > give_up_ns) return false;
      if (!client->Arm()) continue;
      const uint64_t until_ns =
          std::min(client->next_deadline_ns().value_or(give_up_ns), now_ns + 50'000'000);
      pollfd fd{client->event_fd(), POLLIN, 0};
      if (until_ns > now_ns) poll(&fd, 1, static_cast<int>((until_ns - now_ns) / 1'000'000) + 1);
    }
  }

  std::optional<client::TargetEvent> AwaitEvent(client::TargetEvent::Kind kind,
                                                uint64_t timeout_ns = 40 * kSecondNs) {
    const auto find = [&] { return std::ranges::find(events, kind, &client::TargetEvent::kind); };
    if (!Await([&] { return find() != events.end(); }, timeout_ns)) return std::nullopt;
    const auto found = find();
    client::TargetEvent event = std::move(*found);
    events.erase(found);
    return event;
  }

  client::TargetId Up() {
    const client::TargetId target = client->AddTarget(Address());
    if (IsStream(tls_)) ConnectStream(target);
    const auto up = AwaitEvent(client::TargetEvent::Kind::kUp);
    if (up) {
      transport = up->transport;
    } else {
      ADD_FAILURE() << "not up: " << (events.empty() ? "no event" : events.front().detail);
    }
    return target;
  }

  /// Once more, after it went down.
  void Connect(client::TargetId target) {
    if (IsStream(tls_)) {
      ConnectStream(target);
    } else {
      client->Connect(target);
    }
  }

  static client::ReadCommand WholeRead(uint64_t bytes, uint32_t volume = kVolume) {
    return {.needle_id = bytes,
            .volume_id = volume,
            .cookie = kCookie,
            .offset = 0,
            .length = bytes,
            .whole_bytes_max = 64 << 20,
            .budget_bytes = 64 << 20,
            .timeout_ns = 30 * kSecondNs,
            .metadata_only = false};
  }

  /// The completion of one read.
  client::ReadCompletion Read(client::TargetId target, const client::ReadCommand& command) {
    const uint64_t id = client->PostRead(target, command);
    if (!Await([&] { return !reads.empty(); })) ADD_FAILURE() << "no completion";
    client::ReadCompletion completion = std::move(reads.back());
    reads.pop_back();
    EXPECT_EQ(completion.request_id, id);
    return completion;
  }

  bool AwaitServer(const std::function<bool(const server::TargetServerStats&)>& done) {
    return Await([&] { return done(server->stats()); }, 10 * kSecondNs);
  }

  /// That nothing is out any more, on either side.
  void ExpectLeasesHome() {
    reads.clear();
    batch_ = {};
    EXPECT_TRUE(Await([&] { return arena->stats().leases_outstanding == 0; }))
        << arena->stats().leases_outstanding;
    EXPECT_TRUE(AwaitServer([](const auto& stats) {
      return stats.arena.leases_outstanding == 0 && stats.requests_in_flight == 0;
    })) << server->stats().arena.leases_outstanding
        << " leases, " << server->stats().requests_in_flight << " requests";
  }

  Knobs knobs;
  std::unique_ptr<server::TargetServer> server;
  std::unique_ptr<memory::Arena> arena;
  std::vector<client::ReadCompletion> reads;
  std::vector<client::ValidateCompletion> validations;
  std::vector<client::PongCompletion> pongs;
  std::vector<client::TargetEvent> events;
  std::string transport;

 private:
  void ConnectStream(client::TargetId target) {
    const auto [listener, port] = TcpListener();
    client->ConnectStream(target, TcpConnection(port), SecurityOf(tls_, false), 5 * kSecondNs);
    server->Adopt(AcceptTcp(listener), SecurityOf(tls_, true));
    close(listener);
  }

  std::string tls_;
  client::Batch batch_;

 public:
  std::unique_ptr<client::Client> client;
};

}  // namespace client_test
