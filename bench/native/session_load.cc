#include "session_load.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "protocol/clock.h"

namespace bench {
namespace {

constexpr uint64_t kSecondNs = 1'000'000'000;
/// Sessions that are opened at a time: a target takes 256 that have not proved themselves.
constexpr uint32_t kConnectingMax = 64;
/// After a refusal, as if the read had gone elsewhere.
constexpr uint64_t kRestNs = 20'000'000;

template <typename Number>
bool TakeNumber(std::string_view& text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  if (result.ec != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
  return true;
}

bool TakeSign(std::string_view& text, char sign) {
  if (!text.starts_with(sign)) return false;
  text.remove_prefix(1);
  return true;
}

uint32_t NeedlesOf(uint64_t bytes) {
  const auto found = std::ranges::find(kSizes, bytes, &Size::bytes);
  return found == kSizes.end() ? 0 : found->needles;
}

int Dial(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    std::perror("no connection on loopback");
  return fd;
}

}  // namespace

std::string UcxTls(const std::string& tls) {
  if (tls == "shm") return "tcp,posix,sysv,cma,self";
  return tls == "tcp" ? "tcp,self" : tls;
}

stream::Security SecurityOf(std::string_view tls, bool is_server) {
  stream::Security security{.is_server = is_server, .key = {}};
  if (tls == "keyed-stream") security.key.emplace().fill(1);
  return security;
}

std::optional<std::vector<Group>> ParseGroups(std::string_view text) {
  std::vector<Group> groups;
  do {
    Group& group = groups.emplace_back();
    if (!TakeNumber(text, group.sessions) || !TakeSign(text, ':')) return std::nullopt;
    do {
      Reads& reads = group.reads.emplace_back();
      if (!TakeNumber(text, reads.depth) || !TakeSign(text, 'x')) return std::nullopt;
      if (!TakeNumber(text, reads.bytes) || NeedlesOf(reads.bytes) == 0) return std::nullopt;
    } while (TakeSign(text, '+'));
  } while (TakeSign(text, ','));
  return text.empty() ? std::optional(groups) : std::nullopt;
}

std::unique_ptr<SessionLoad> SessionLoad::Create(const std::string& tls,
                                                 const std::vector<Group>& groups,
                                                 std::string& error) {
  std::unique_ptr<SessionLoad> load(new SessionLoad());
  load->tls_ = tls;
  load->groups_ = groups;
  uint64_t bytes = 64 << 20;
  for (const Group& group : groups) {
    for (const Reads& reads : group.reads) bytes += 2 * reads.bytes * reads.depth * group.sessions;
  }
  load->arena_ = memory::Arena::Create({.bytes = bytes}, error);
  if (!load->arena_) return nullptr;
  load->client_ = client::CreateSessionClient({.tls = UcxTls(tls), .is_ucx = !IsStream(tls)},
                                              *load->arena_, error);
  return load->client_ ? std::move(load) : nullptr;
}

bool SessionLoad::Connect(const Ports& ports, std::string& error) {
  for (const Group& group : groups_) {
    for (uint32_t i = 0; i < group.sessions; ++i) {
      Open(ports);
      for (const Reads& reads : group.reads) {
        slots_.insert(slots_.end(), reads.depth, {targets_.back(), reads.bytes, i, 0});
      }
      if (targets_.size() - up_ >= kConnectingMax &&
          !Await(static_cast<uint32_t>(targets_.size()), error))
        return false;
    }
  }
  return Await(static_cast<uint32_t>(targets_.size()), error);
}

void SessionLoad::Open(const Ports& ports) {
  const uint16_t port = IsStream(tls_) ? uint16_t{0} : ports.ucx;
  targets_.push_back(client_->AddTarget(
      {.host = "127.0.0.1", .port = port, .secrets = {""}, .connect_timeout_ns = 10 * kSecondNs}));
  if (!IsStream(tls_)) return;
  client_->ConnectStream(targets_.back(), Dial(ports.stream), SecurityOf(tls_, false),
                         10 * kSecondNs);
}

bool SessionLoad::Await(uint32_t sessions, std::string& error) {
  const uint64_t give_up_ns = protocol::NowNs() + 30 * kSecondNs;
  while (up_ < sessions && down_.empty() && protocol::NowNs() < give_up_ns) Take();
  if (up_ == sessions) return true;
  error = std::to_string(up_) + " of " + std::to_string(sessions) + " sessions: " + down_;
  return false;
}

void SessionLoad::Run(double seconds) {
  const uint64_t end_ns = protocol::NowNs() + static_cast<uint64_t>(seconds * 1e9);
  if (posted_.empty() && resting_.empty()) {
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) Post(slot);
  }
  while (protocol::NowNs() < end_ns) Take();
}

void SessionLoad::Clear() { figures_.clear(); }

void SessionLoad::Post(uint32_t index) {
  Slot& slot = slots_[index];
  slot.next_needle = (slot.next_needle + 1) % NeedlesOf(slot.bytes);
  slot.posted_ns = protocol::NowNs();
  const client::ReadCommand command{.needle_id = NeedleId(slot.bytes, slot.next_needle),
                                    .volume_id = kVolume,
                                    .cookie = kCookie,
                                    .offset = 0,
                                    .length = slot.bytes,
                                    .whole_bytes_max = slot.bytes,
                                    .budget_bytes = slot.bytes,
                                    .timeout_ns = 30 * kSecondNs,
                                    .metadata_only = false};
  posted_[client_->PostRead(slot.target, command)] = index;
}

void SessionLoad::Take() {
  client_->Progress();
  client_->Take(batch_);
  const uint64_t now_ns = protocol::NowNs();
  while (!resting_.empty() && resting_.front().first <= now_ns) {
    Post(resting_.front().second);
    resting_.erase(resting_.begin());
  }
  if (batch_.empty()) {
    if (!client_->Arm()) return;
    pollfd fd{client_->event_fd(), POLLIN, 0};
    poll(&fd, 1, resting_.empty() ? 100 : 1);
    return;
  }
  for (client::ReadCompletion& read : batch_.reads) {
    const auto found = posted_.find(read.request_id);
    const uint32_t index = found->second;
    posted_.erase(found);
    read.lease.Reset();
    Figures& figures = figures_[slots_[index].bytes];
    if (read.status == protocol::Status::ok) {
      figures.latencies_ns.push_back(now_ns - slots_[index].posted_ns);
      Post(index);
    } else {
      ++figures.failures[read.status];
      resting_.emplace_back(now_ns + kRestNs, index);
    }
  }
  for (const client::TargetEvent& event : batch_.events) {
    up_ += event.kind == client::TargetEvent::Kind::kUp ? 1 : 0;
    if (event.kind == client::TargetEvent::Kind::kDown) down_ = event.detail;
  }
  batch_ = {};
}

void SessionLoad::Print(double seconds) const {
  for (auto [bytes, figures] : figures_) {
    std::vector<uint64_t>& latencies = figures.latencies_ns;
    std::ranges::sort(latencies);
    const auto at = [&](double part) {
      if (latencies.empty()) return 0.0;
      const double last = static_cast<double>(latencies.size() - 1);
      return static_cast<double>(latencies[static_cast<size_t>(part * last)]) / 1e3;
    };
    const double reads = static_cast<double>(latencies.size()) / seconds;
    std::printf("  %8llu B  %9.0f reads/s  %7.1f MB/s  p50 %8.0f us  p99 %8.0f us  max %8.0f us",
                static_cast<unsigned long long>(bytes), reads,
                reads * static_cast<double>(bytes) / 1e6, at(0.5), at(0.99), at(1));
    for (const auto& [status, count] : figures.failures) {
      std::printf("  %s %.0f/s", std::string(protocol::StatusName(status)).c_str(),
                  static_cast<double>(count) / seconds);
    }
    std::printf("\n");
  }
  if (!down_.empty()) std::printf("  a session went down: %s\n", down_.c_str());
}

}  // namespace bench
