// One target under many sessions. The program starts itself again as a target with a volume of its
// own, and as processes that load it: see kUsage. It prints latencies and bandwidths as the loads
// saw them, and memory and CPU time of the target's threads.
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/clock.h"
#include "server/target_server.h"
#include "session_load.h"
#include "storage/writer.h"

extern char** environ;

namespace {

using bench::kSizes;

constexpr char kUsage[] =
    "usage: target_bench [--tls tcp|shm|stream|keyed-stream] [--seconds S] [--arena MiB]\n"
    "                    [--io-threads N] [--verified N] [--realtime 0|1]\n"
    "                    --load GROUPS [--beside GROUPS]\n"
    "GROUPS are SESSIONS:DEPTHxBYTES[+DEPTHxBYTES …], more of them after commas: each session "
    "keeps\n"
    "DEPTH reads of needles of BYTES in flight. Bytes are 4096, 65536, 1048576, 4194304 or "
    "67108864.\n"
    "--beside is the load of another process, without a report of latencies. --verified 1 has the\n"
    "target compute the checksum of each large needle again. --realtime 1 runs the process of "
    "--load\n"
    "before all others, so that its waits for a processor are no part of its latencies.\n"
    "As in: target_bench --tls stream --load 16:1x4096 --beside 4:4x67108864\n";

/// The default of rdma.buffer_wait.
constexpr uint64_t kMemoryWaitNs = 250'000'000;
/// How much longer the load beside reads: the measured process connects and warms up in it.
constexpr double kBesideMoreSeconds = 4;

struct Options {
  std::string tls = "stream";
  double seconds = 2;
  uint64_t arena_mib = 1024;
  uint32_t io_threads = 2;
  uint64_t verified = 65536;
  std::string load;
  std::string beside;
  // The other roles of this program.
  std::string dir;
  int ports_fd = -1;
  bench::Ports ports{};
  pid_t target_pid = 0;
  bool is_realtime = false;
  int ready_fd = -1;  // of the load beside another: it writes a byte once it reads
};

template <typename Number>
bool Parse(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::optional<Options> ParseArguments(int count, char** arguments) {
  Options options;
  bool is_good = count % 2 == 1;
  for (int i = 1; is_good && i + 1 < count; i += 2) {
    const std::string name = arguments[i];
    const std::string value = arguments[i + 1];
    if (name == "--tls") {
      options.tls = value;
    } else if (name == "--seconds") {
      options.seconds = std::atof(value.c_str());
      is_good = options.seconds > 0;
    } else if (name == "--arena") {
      is_good = Parse(value, options.arena_mib);
    } else if (name == "--io-threads") {
      is_good = Parse(value, options.io_threads);
    } else if (name == "--verified") {
      is_good = Parse(value, options.verified);
    } else if (name == "--load") {
      options.load = value;
    } else if (name == "--beside") {
      options.beside = value;
    } else if (name == "--dir") {
      options.dir = value;
    } else if (name == "--ports-fd") {
      is_good = Parse(value, options.ports_fd);
    } else if (name == "--ucx-port") {
      is_good = Parse(value, options.ports.ucx);
    } else if (name == "--stream-port") {
      is_good = Parse(value, options.ports.stream);
    } else if (name == "--target-pid") {
      is_good = Parse(value, options.target_pid);
    } else if (name == "--realtime") {
      options.is_realtime = value == "1";
    } else if (name == "--ready-fd") {
      is_good = Parse(value, options.ready_fd);
    } else {
      is_good = false;
    }
  }
  const auto is_load = [](const std::string& text) {
    return text.empty() || bench::ParseGroups(text).has_value();
  };
  is_good &= is_load(options.load) && is_load(options.beside);
  is_good &= options.ports_fd >= 0 || !options.load.empty();
  return is_good ? std::optional(options) : std::nullopt;
}

int Fail(const std::string& error) {
  std::fprintf(stderr, "%s\n", error.c_str());
  return 1;
}

// The target's process.

bool WriteVolume(const std::string& dir) {
  auto writer = storage::VolumeWriter::Create({.dir = dir, .volume_id = bench::kVolume});
  if (!writer) return false;
  for (const bench::Size& size : kSizes) {
    std::vector<std::byte> data(size.bytes);
    for (uint64_t i = 0; i < size.bytes; ++i) data[i] = static_cast<std::byte>(i * 31 >> 3);
    for (uint32_t i = 0; i < size.needles; ++i) {
      data[0] = static_cast<std::byte>(i);
      if (!(*writer)->Append({.needle_id = bench::NeedleId(size.bytes, i),
                              .cookie = bench::kCookie,
                              .data = data}))
        return false;
    }
  }
  return true;
}

int Serve(const Options& options) {
  server::TargetServerOptions target;
  target.tls = bench::UcxTls(options.tls);
  target.is_ucx = !bench::IsStream(options.tls);
  target.engine.dirs = {options.dir};
  target.engine.unconfirmed = true;
  target.engine.io_threads = options.io_threads;
  target.engine.verified_needles_max = options.verified;
  target.engine.memory_wait_ns = kMemoryWaitNs;
  target.arena = {.bytes = options.arena_mib << 20};
  target.pending_per_address_max = 256;
  std::string error;
  const auto server = server::TargetServer::Create(target, error);
  if (!server) return Fail(error);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof(address);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, any, bytes) != 0 || listen(listener, 1024) != 0 ||
      getsockname(listener, any, &bytes) != 0)
    return Fail("cannot listen on loopback");
  const bench::Ports ports{server->port(), ntohs(address.sin_port)};
  if (write(options.ports_fd, &ports, sizeof(ports)) != sizeof(ports)) return 1;
  while (true) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) server->Adopt(fd, bench::SecurityOf(options.tls, true));
  }
}

class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "target_bench");
    std::vector<char*> texts;
    for (std::string& each : arguments) texts.push_back(each.data());
    texts.push_back(nullptr);
    char program[] = "/proc/self/exe";
    if (posix_spawn(&pid_, program, nullptr, nullptr, texts.data(), environ) != 0) pid_ = 0;
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { Kill(); }
  void Kill() {
    if (pid_ == 0) return;
    kill(pid_, SIGKILL);
    (void)Wait();
  }
  bool Wait() {
    int status = 1;
    waitpid(std::exchange(pid_, 0), &status, 0);
    return status == 0;
  }
  [[nodiscard]] bool HasEnded() const {
    siginfo_t info{};
    waitid(P_PID, pid_, &info, WEXITED | WNOHANG | WNOWAIT);
    return info.si_pid != 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

/// A directory that goes with this object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/target_bench.XXXXXX";
    if (mkdtemp(name) != nullptr) path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() {
    if (!path_.empty()) std::filesystem::remove_all(path_);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// CPU time of each thread, in seconds, by its id.
std::map<std::string, double> ThreadTimes(pid_t pid) {
  std::map<std::string, double> times;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks)) {
    double on_cpu_ns = 0;
    std::ifstream(entry.path() / "schedstat") >> on_cpu_ns;
    times[entry.path().filename()] = on_cpu_ns / 1e9;
  }
  return times;
}

void PrintThreads(pid_t pid, const std::map<std::string, double>& before, double seconds) {
  std::printf("  CPU of the target's threads:");
  for (const auto& [id, time_s] : ThreadTimes(pid)) {
    const auto found = before.find(id);
    const double part = (time_s - (found == before.end() ? 0 : found->second)) / seconds;
    if (part < 0.005) continue;
    std::string name;
    std::ifstream("/proc/" + std::to_string(pid) + "/task/" + id + "/comm") >> name;
    std::printf("  %s %.0f %%", name.c_str(), 100 * part);
  }
  std::printf("\n");
}

void PrintMemory(pid_t pid) {
  const std::string process = "/proc/" + std::to_string(pid);
  std::ifstream status(process + "/status");
  std::printf("  the target's memory:");
  for (std::string line; std::getline(status, line);) {
    for (const std::string_view key : {"VmHWM:", "RssAnon:", "RssShmem:"}) {
      if (!line.starts_with(key)) continue;
      std::printf("  %s %.0f MiB", std::string(key).c_str(),
                  std::atof(line.c_str() + key.size()) / 1024);
    }
  }
  const std::filesystem::directory_iterator descriptors(process + "/fd");
  std::printf("  descriptors: %td\n", std::distance(begin(descriptors), end(descriptors)));
}

// The processes that load it.

int Load(const Options& options) {
  const bool is_beside = options.ready_fd >= 0;
  const sched_param first{.sched_priority = 1};
  if (options.is_realtime && sched_setscheduler(0, SCHED_RR, &first) != 0)
    return Fail("--realtime needs CAP_SYS_NICE");
  std::string error;
  const auto load =
      bench::SessionLoad::Create(options.tls, *bench::ParseGroups(options.load), error);
  if (!load || !load->Connect(options.ports, error)) return Fail(error);
  if (!is_beside) PrintMemory(options.target_pid);
  load->Run(1);
  load->Clear();
  if (is_beside && write(options.ready_fd, "r", 1) != 1) return 1;
  const auto before = ThreadTimes(options.target_pid);
  const uint64_t began_ns = protocol::NowNs();
  load->Run(options.seconds);
  const double seconds = static_cast<double>(protocol::NowNs() - began_ns) / 1e9;
  if (is_beside) std::printf("  beside:\n");
  load->Print(seconds);
  if (!is_beside) PrintThreads(options.target_pid, before, seconds);
  if (!is_beside) PrintMemory(options.target_pid);
  std::fflush(stdout);
  _exit(0);  // without a word to the target, which ends next
}

// The first process.

int Measure(const Options& options) {
  const TemporaryDirectory dir;
  int ports_pipe[2];
  if (!WriteVolume(dir.path()) || pipe(ports_pipe) != 0) return Fail("cannot write a volume");
  const auto arguments = [&](std::initializer_list<std::string> more) {
    std::vector<std::string> all = {"--tls",        options.tls,
                                    "--arena",      std::to_string(options.arena_mib),
                                    "--io-threads", std::to_string(options.io_threads),
                                    "--verified",   std::to_string(options.verified)};
    all.insert(all.end(), more);
    return all;
  };
  Child target(arguments({"--dir", dir.path(), "--ports-fd", std::to_string(ports_pipe[1])}));
  close(ports_pipe[1]);
  bench::Ports ports{};
  if (read(ports_pipe[0], &ports, sizeof(ports)) != sizeof(ports)) return Fail("no target");
  const auto load = [&](const std::string& groups, double seconds, bool is_realtime, int ready_fd) {
    return arguments({"--ucx-port", std::to_string(ports.ucx), "--stream-port",
                      std::to_string(ports.stream), "--target-pid", std::to_string(target.pid()),
                      "--load", groups, "--seconds", std::to_string(seconds), "--realtime",
                      is_realtime ? "1" : "0", "--ready-fd", std::to_string(ready_fd)});
  };
  std::printf("%s: %s%s%s\n", options.tls.c_str(), options.load.c_str(),
              options.beside.empty() ? "" : " beside ", options.beside.c_str());
  std::fflush(stdout);
  std::optional<Child> beside;
  if (!options.beside.empty()) {
    int ready_pipe[2];
    if (pipe(ready_pipe) != 0) return Fail("no pipe");
    beside.emplace(
        load(options.beside, options.seconds + kBesideMoreSeconds, false, ready_pipe[1]));
    close(ready_pipe[1]);
    char ready = 0;
    if (read(ready_pipe[0], &ready, 1) != 1) return Fail("the load beside did not start");
  }
  const bool is_done = Child(load(options.load, options.seconds, options.is_realtime, -1)).Wait();
  if (beside && beside->HasEnded()) return Fail("the load beside ended before the measurement did");
  if (beside) (void)beside->Wait();
  return is_done ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  setenv("UCX_MEM_EVENTS", "no", 0);
  setenv("UCX_MM_ERROR_HANDLING", "y", 0);
  setenv("UCX_CMA_MEMORY_INVALIDATE", "y", 0);
  setenv("UCX_TCP_PUT_ENABLE", "n", 0);
  setenv("UCX_NET_DEVICES", "lo", 0);
  setenv("UCX_WARN_UNUSED_ENV_VARS", "n", 0);
  const auto options = ParseArguments(count, arguments);
  if (!options) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (options->ports_fd >= 0) return Serve(*options);
  return options->target_pid > 0 ? Load(*options) : Measure(*options);
}
