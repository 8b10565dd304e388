// The READ loop without JavaScript: what the addon's figures are compared with. Talks to a running
// target
// (--port), or serves the volumes of --dir or one of its own itself, and prints latency at depth 1
// and bandwidth at --depth, each in wake-up mode (sleeping on the worker's descriptor) and in busy
// mode (never sleeping).
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "client/session_client.h"
#include "protocol/clock.h"
#include "server/target_server.h"
#include "storage/writer.h"

namespace {

constexpr char kUsage[] =
    "usage: read_bench [--tls tcp|shm|UCX_TLS|stream|keyed-stream] [--depth N] [--seconds S]\n"
    "                      [(--dir DIR | --host HOST --port PORT [--secret-file FILE]) --fid FID "
    "[--fid FID ...]]\n"
    "A stream is a TCP connection of ours, a keyed one goes under TLS; both need a server of their "
    "own.\n"
    "Without --dir and --port it serves a volume of its own with needles of 4 KiB, 64 KiB and 1 "
    "MiB.\n"
    "A FID is a volume id, a comma and the needle id and cookie in hexadecimal, as in "
    "3,01637037d6. cpu is of this process's threads, for one read.\n";

struct Fid {
  std::string text;
  uint32_t volume_id;
  uint64_t needle_id;
  uint32_t cookie;
};

struct Options {
  std::string dir;
  std::string host = "127.0.0.1";
  uint16_t port = 0;
  std::string secret;
  std::string tls = "tcp,self";
  uint32_t depth = 16;
  double seconds = 1.0;
  std::vector<Fid> fids;
};

template <typename Number>
bool Parse(std::string_view text, Number& number, int base = 10) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::optional<Fid> ParseFid(const std::string& text) {
  constexpr size_t kCookieDigits = 8;
  const size_t comma = text.find(',');
  if (comma == std::string::npos || text.size() <= comma + 1 + kCookieDigits) return std::nullopt;
  const size_t cookie_at = text.size() - kCookieDigits;
  const std::string_view view = text;
  Fid fid{.text = text, .volume_id = 0, .needle_id = 0, .cookie = 0};
  if (!Parse(view.substr(0, comma), fid.volume_id)) return std::nullopt;
  if (!Parse(view.substr(comma + 1, cookie_at - comma - 1), fid.needle_id, 16)) return std::nullopt;
  if (!Parse(view.substr(cookie_at), fid.cookie, 16)) return std::nullopt;
  return fid;
}

std::optional<Options> ParseArguments(int count, char** arguments) {
  Options options;
  for (int i = 1; i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    bool is_good = true;
    if (name == "--dir") {
      options.dir = value;
    } else if (name == "--host") {
      options.host = value;
    } else if (name == "--port") {
      is_good = Parse(value, options.port);
    } else if (name == "--secret-file") {
      std::ifstream file(value);
      options.secret.assign(std::istreambuf_iterator<char>(file), {});
      is_good = file.good() || file.eof();
      while (!options.secret.empty() && options.secret.back() == '\n') options.secret.pop_back();
    } else if (name == "--tls") {
      options.tls = value == "shm"   ? "tcp,posix,sysv,cma,self"
                    : value == "tcp" ? "tcp,self"
                                     : value;
    } else if (name == "--depth") {
      is_good = Parse(value, options.depth) && options.depth > 0;
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
      is_good = options.seconds > 0;
    } else if (name == "--fid") {
      const auto fid = ParseFid(value);
      is_good = fid.has_value();
      if (fid) options.fids.push_back(*fid);
    } else {
      is_good = false;
    }
    if (!is_good) return std::nullopt;
  }
  const bool has_own_volume = options.dir.empty() && options.port == 0;
  const bool is_complete =
      has_own_volume == options.fids.empty() && (options.dir.empty() || options.port == 0);
  return count % 2 == 1 && is_complete ? std::optional(options) : std::nullopt;
}

/// A volume in a directory that goes with this object.
class OwnVolume {
 public:
  ~OwnVolume() {
    if (!dir_.empty()) std::filesystem::remove_all(dir_);
  }

  bool Make(Options& options) {
    char name[] = "/tmp/read_bench.XXXXXX";
    if (mkdtemp(name) == nullptr) return false;
    options.dir = dir_ = name;
    auto writer = storage::VolumeWriter::Create({.dir = dir_, .volume_id = 1});
    if (!writer) return false;
    for (const uint32_t bytes : {4096u, 65536u, 1u << 20}) {
      std::vector<std::byte> data(bytes);
      for (uint32_t i = 0; i < bytes; ++i) data[i] = static_cast<std::byte>(i * 31 >> 3);
      if (!(*writer)->Append({.needle_id = bytes, .cookie = bytes, .data = data})) return false;
      options.fids.push_back(
          {.text = std::to_string(bytes), .volume_id = 1, .needle_id = bytes, .cookie = bytes});
    }
    return true;
  }

 private:
  std::string dir_;
};

/// One client with one target, and the loop that drives it.
class Loop {
 public:
  Loop(client::Client& client, client::TargetId target, bool is_busy)
      : client_(client), target_(target), is_busy_(is_busy) {}

  /// Keeps `depth` reads of `fid` in flight until `seconds` are over; false when one fails.
  bool Run(const Fid& fid, uint32_t depth, double seconds) {
    latencies_ns_.clear();
    bytes_ = needle_bytes_ = 0;
    const uint64_t began_ns = protocol::NowNs();
    const std::clock_t began_cpu = std::clock();
    const uint64_t end_ns = began_ns + static_cast<uint64_t>(seconds * 1e9);
    posted_ns_.clear();
    for (uint32_t i = 0; i < depth; ++i) Post(fid);
    while (client_.requests_in_flight() > 0 || !batch_.empty()) {
      if (!Wait()) continue;
      for (client::ReadCompletion& read : batch_.reads) {
        if (read.status != protocol::Status::ok) return Report(fid, read.status);
        needle_bytes_ = read.reply.data_length;
        bytes_ += needle_bytes_;
        read.lease.Reset();
        const uint64_t now_ns = protocol::NowNs();
        latencies_ns_.push_back(now_ns - Posted(read.request_id));
        if (now_ns < end_ns) Post(fid);
      }
      batch_.reads.clear();
    }
    elapsed_ns_ = protocol::NowNs() - began_ns;
    cpu_s_ = static_cast<double>(std::clock() - began_cpu) / CLOCKS_PER_SEC;
    std::ranges::sort(latencies_ns_);
    return true;
  }

  bool AwaitUp() {
    const uint64_t give_up_ns = protocol::NowNs() + 10'000'000'000;
    while (protocol::NowNs() < give_up_ns) {
      if (!Wait()) continue;
      for (const client::TargetEvent& event : batch_.events) {
        if (event.kind == client::TargetEvent::Kind::kUp) transport_ = event.transport;
        // The volumes are told again when they may be read.
        if (std::ranges::any_of(event.volumes, &engine::AnnouncedVolume::confirmed)) return true;
        if (event.kind != client::TargetEvent::Kind::kDown) continue;
        std::fprintf(stderr, "no session: %s\n", event.detail.c_str());
        return false;
      }
    }
    std::fprintf(stderr, "no session within 10 s\n");
    return false;
  }

  void Print(const char* mode, uint32_t depth) const {
    const auto at = [&](double part) {
      return static_cast<double>(latencies_ns_[static_cast<size_t>(
                 part * static_cast<double>(latencies_ns_.size() - 1))]) /
             1e3;
    };
    const double seconds = static_cast<double>(elapsed_ns_) / 1e9;
    std::printf(
        "%-6s %-8s %9llu B  depth %3u  p50 %9.1f us  p99 %9.1f us  %10.0f reads/s  %9.1f MB/s  cpu "
        "%8.1f us\n",
        transport_.c_str(), mode, static_cast<unsigned long long>(needle_bytes_), depth, at(0.5),
        at(0.99), static_cast<double>(latencies_ns_.size()) / seconds,
        static_cast<double>(bytes_) / seconds / 1e6,
        cpu_s_ * 1e6 / static_cast<double>(latencies_ns_.size()));
    std::fflush(stdout);
  }

 private:
  void Post(const Fid& fid) {
    const client::ReadCommand command{.needle_id = fid.needle_id,
                                      .volume_id = fid.volume_id,
                                      .cookie = fid.cookie,
                                      .offset = 0,
                                      .length = protocol::kNeedleBytesMax,
                                      .whole_bytes_max = protocol::kNeedleBytesMax,
                                      .budget_bytes = protocol::kNeedleBytesMax,
                                      .timeout_ns = 5'000'000'000,
                                      .metadata_only = false};
    const uint64_t now_ns = protocol::NowNs();
    posted_ns_.push_back({client_.PostRead(target_, command), now_ns});
  }

  uint64_t Posted(uint64_t id) {
    const auto found = std::ranges::find(posted_ns_, id, &std::pair<uint64_t, uint64_t>::first);
    const uint64_t at_ns = found->second;
    *found = posted_ns_.back();
    posted_ns_.pop_back();
    return at_ns;
  }

  /// Works like an event loop: progress, take, and only then sleep. True with something in the
  /// batch.
  bool Wait() {
    client_.Progress();
    client_.Take(batch_);
    if (!batch_.empty()) return true;
    if (is_busy_ || !client_.Arm()) return false;
    pollfd fd{client_.event_fd(), POLLIN, 0};
    poll(&fd, 1, 100);
    return false;
  }

  static bool Report(const Fid& fid, protocol::Status status) {
    std::fprintf(stderr, "%s: %s\n", fid.text.c_str(),
                 std::string(protocol::StatusName(status)).c_str());
    return false;
  }

  client::Client& client_;
  const client::TargetId target_;
  const bool is_busy_;
  client::Batch batch_;
  std::string transport_;
  std::vector<std::pair<uint64_t, uint64_t>> posted_ns_;
  std::vector<uint64_t> latencies_ns_;
  uint64_t bytes_ = 0;
  uint64_t needle_bytes_ = 0;
  uint64_t elapsed_ns_ = 0;
  double cpu_s_ = 0;  // of all threads
};

int Fail(const std::string& error) {
  std::fprintf(stderr, "%s\n", error.c_str());
  return 1;
}

/// Gives both sides an end of a TCP connection on loopback.
void Join(server::TargetServer& server, client::Client& client, client::TargetId target,
          bool is_keyed) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  const int from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_joined = bind(listener, any, bytes) == 0 && listen(listener, 1) == 0 &&
                         getsockname(listener, any, &bytes) == 0 && connect(from, any, bytes) == 0;
  if (!is_joined) return std::perror("no connection on loopback");
  stream::Security security{.is_server = true, .key = {}};
  if (is_keyed) security.key.emplace().fill(1);
  server.Adopt(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), security);
  security.is_server = false;
  client.ConnectStream(target, from, security, 5'000'000'000);
  close(listener);
}

int RunMode(const Options& options, bool is_busy) {
  std::string error;
  const bool is_stream = options.tls.ends_with("stream");
  std::unique_ptr<server::TargetServer> server;
  if (!options.dir.empty()) {
    server::TargetServerOptions target;
    target.tls = options.tls;
    target.is_ucx = !is_stream;
    target.secrets = {options.secret};
    target.spin_ns = is_busy ? ~uint64_t{0} : 0;
    target.engine.dirs = {options.dir};
    target.engine.unconfirmed = true;
    target.arena = {.bytes = 256 << 20};
    server = server::TargetServer::Create(target, error);
    if (!server) return Fail(error);
  }
  const auto arena = memory::Arena::Create({.bytes = 256 << 20}, error);
  if (!arena) return Fail(error);
  const auto client =
      client::CreateSessionClient({.tls = options.tls, .is_ucx = !is_stream}, *arena, error);
  if (!client) return Fail(error);
  const client::TargetId target = client->AddTarget({.host = options.host,
                                                     .port = server ? server->port() : options.port,
                                                     .secrets = {options.secret},
                                                     .connect_timeout_ns = 5'000'000'000});
  if (is_stream && server) Join(*server, *client, target, options.tls == "keyed-stream");
  Loop loop(*client, target, is_busy);
  if (!loop.AwaitUp()) return 1;
  for (const Fid& fid : options.fids) {
    for (const uint32_t depth : {1u, options.depth}) {
      if (!loop.Run(fid, depth, options.seconds / 5) || !loop.Run(fid, depth, options.seconds))
        return 1;
      loop.Print(is_busy ? "busy" : "wake-up", depth);
    }
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  // UCX reads some of these when it is loaded, so this process begins again with them.
  if (setenv("UCX_MEM_EVENTS", "no", 0) == 0 && getenv("SEAWEED_BENCH_BEGAN") == nullptr) {
    setenv("UCX_MM_ERROR_HANDLING", "y", 0);
    setenv("UCX_CMA_MEMORY_INVALIDATE", "y", 0);
    setenv("UCX_TCP_PUT_ENABLE", "n", 0);
    setenv("UCX_NET_DEVICES", "lo", 0);
    setenv("UCX_WARN_UNUSED_ENV_VARS", "n", 0);
    setenv("SEAWEED_BENCH_BEGAN", "1", 1);
    execv("/proc/self/exe", arguments);
  }
  auto options = ParseArguments(count, arguments);
  if (!options) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  OwnVolume own_volume;
  if (options->fids.empty() && !own_volume.Make(*options))
    return Fail("cannot write a volume under /tmp");
  const int wake_up = RunMode(*options, false);
  return wake_up != 0 ? wake_up : RunMode(*options, true);
}
