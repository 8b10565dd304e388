#include "client/inproc_client.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client/completion_check.h"
#include "client/failures.h"
#include "client/request_table.h"
#include "protocol/clock.h"

namespace client {
namespace {

using protocol::Status;

/// A completion that waits for the simulated latency. One of the three, by the request's kind.
struct Held {
  uint64_t ready_ns;
  uint64_t request_id;
  RequestKind kind;
  ReadCompletion read;
  ValidateCompletion validation;
  PongCompletion pong;
  bool operator>(const Held& other) const { return ready_ns > other.ready_ns; }
};

class EngineClient final : public InprocClient, public engine::ReadSink {
 public:
  EngineClient(const InprocClientOptions& options, memory::Arena& arena)
      : latency_ns_(options.simulated_latency_ns),
        arena_(arena),
        requests_(std::min(options.requests_max, RequestTable::kSlotsMax)) {}

  ~EngineClient() override { engine_.reset(); }

  bool Start(const EngineFactory& engine, std::string& error) {
    engine_ = engine(arena_, *this, error);
    if (engine_) volumes_generation_ = engine_->volumes_generation();
    return engine_ != nullptr;
  }

  TargetId AddTarget(const TargetAddress&) override {
    is_up_.push_back(false);
    const TargetId target = static_cast<TargetId>(is_up_.size() - 1);
    Connect(target);
    return target;
  }

  void ConnectAt(TargetId target, uint16_t, uint64_t) override { Connect(target); }
  void SetSecrets(TargetId, ucx::Secrets) override {}
  void ConnectStream(TargetId target, int fd, const stream::Security&, uint64_t) override {
    close(fd);
    Connect(target);
  }
  bool AdmitPeers(const std::set<ucx::HostAddress>&, std::string&) override { return true; }
  void Connect(TargetId target) override {
    if (is_up_[target]) return;
    is_up_[target] = true;
    TargetEvent& up = AddEvent(TargetEvent::Kind::kUp, target);
    up.transport = "inproc";
    up.session_id = uint64_t{target} + 1;
    AddVolumesEvent(target);
  }

  void Disconnect(TargetId target) override {
    if (!is_up_[target]) return;
    is_up_[target] = false;
    requests_.ForEach(target, [this](Request& request) { Fail(request, Status::closed); });
    TargetEvent& down = AddEvent(TargetEvent::Kind::kDown, target);
    down.status = Status::closed;
    down.detail = "disconnected";
  }

  uint64_t PostRead(TargetId target, const ReadCommand& command) override {
    Request* const request = Post(RequestKind::kRead, target, command.timeout_ns);
    if (request == nullptr) return FailPosted(RequestKind::kRead, target);
    request->read = command;
    const uint64_t id = request->id;
    engine_->Read(id, {.needle_id = command.needle_id,
                       .volume_id = command.volume_id,
                       .cookie = command.cookie,
                       .offset = std::min(command.offset, protocol::kNeedleBytesMax),
                       .length = std::min(command.length, protocol::kNeedleBytesMax),
                       .whole_bytes_max = command.whole_bytes_max,
                       .budget_bytes = command.budget_bytes,
                       .deadline_ns = request->deadline_ns,
                       .metadata_only = command.metadata_only});
    return id;
  }

  uint64_t PostValidate(TargetId target, std::span<const protocol::ValidateItem> items,
                        uint64_t timeout_ns, uint32_t) override {
    // No lease is granted: asking costs a stat here, no round trip.
    const bool is_too_long = items.size() > protocol::kValidateItemsMax;
    Request* const request =
        is_too_long ? nullptr : Post(RequestKind::kValidate, target, timeout_ns);
    if (request == nullptr) return FailPosted(RequestKind::kValidate, target);
    Held held = Hold(*request);
    held.validation = {.request_id = request->id, .status = Status::ok, .verdicts = {}};
    for (const protocol::ValidateItem& item : items) {
      engine::ValidateResult result = engine_->Validate(item);
      held.validation.verdicts.push_back({result.row, std::move(result.ids)});
    }
    return Keep(std::move(held));
  }

  uint64_t PostPing(TargetId target, uint64_t timeout_ns) override {
    Request* const request = Post(RequestKind::kPing, target, timeout_ns);
    if (request == nullptr) return FailPosted(RequestKind::kPing, target);
    const memory::ArenaStats arena = arena_.stats();
    Held held = Hold(*request);
    held.pong = {.request_id = request->id, .status = Status::ok, .round_trip_ns = 0, .pong = {}};
    held.pong.pong = {.request_id = request->id,
                      .sent_ns = request->posted_ns,
                      .arena_bytes = arena.bytes_total,
                      .arena_bytes_used = arena.bytes_leased,
                      .requests_in_flight = requests_.taken(),
                      .sessions = static_cast<uint32_t>(std::ranges::count(is_up_, char{1}))};
    return Keep(std::move(held));
  }

  void OnRead(uint64_t token, engine::ReadResult&& result) override {
    Request* const request = requests_.Find(token);
    if (request == nullptr) {
      ++stats_.late_replies;
      return;
    }
    stats_.bytes_received += result.payload_bytes;
    Held held = Hold(*request);
    held.read = {.request_id = token,
                 .status = Status::ok,
                 .checksum = 0,
                 .reply = result.header,
                 .lease = {},
                 .payload_offset = result.payload_offset};
    held.read.reply.request_id = token;
    const auto checked = CheckReadReply(request->read, result.header, result.payload_bytes);
    if (!checked) return KeepFailure(std::move(held), checked.error());
    std::span<const std::byte> payload;
    if (result.payload_bytes > 0)
      payload = result.lease.bytes().subspan(result.payload_offset, result.payload_bytes);
    const auto checksum = CheckReadBytes(result.header, payload);
    if (!checksum) return KeepFailure(std::move(held), checksum.error());
    held.read.checksum = *checksum;
    if (result.payload_bytes > 0) held.read.lease = std::move(result.lease);
    Keep(std::move(held));
  }

  bool Progress() override {
    const size_t before = CompletionCount();
    engine_->Poll();
    const uint64_t now_ns = protocol::NowNs();
    while (!held_.empty() && held_.front().ready_ns <= now_ns) ReleaseFirst(now_ns);
    while (Request* const request = requests_.PopOverdue(now_ns)) Fail(*request, Status::deadline);
    requests_.ForgetDeadlines();
    if (std::exchange(volumes_generation_, engine_->volumes_generation()) !=
        engine_->volumes_generation()) {
      for (TargetId target = 0; target < is_up_.size(); ++target) {
        if (is_up_[target]) AddVolumesEvent(target);
      }
    }
    return CompletionCount() != before;
  }

  bool Arm() override {
    return batch_.empty() && (held_.empty() || held_.front().ready_ns > protocol::NowNs()) &&
           volumes_generation_ == engine_->volumes_generation();
  }
  int event_fd() const override { return engine_->event_fd(); }

  std::optional<uint64_t> next_deadline_ns() const override {
    const auto deadline = requests_.next_deadline_ns();
    if (held_.empty()) return deadline;
    return std::min(deadline.value_or(held_.front().ready_ns), held_.front().ready_ns);
  }

  void Take(Batch& batch) override {
    batch.reads.clear();
    batch.validations.clear();
    batch.pongs.clear();
    batch.events.clear();
    std::swap(batch, batch_);
  }

  uint32_t requests_in_flight() const override { return requests_.taken(); }

  ClientStats stats() const override {
    ClientStats stats = stats_;
    stats.sessions = static_cast<uint32_t>(std::ranges::count(is_up_, char{1}));
    return stats;
  }

  void Confirm(uint64_t started_ns, std::span<const engine::ServedVolume> served) override {
    engine_->Confirm(started_ns, served);
  }
  engine::EngineStats engine_stats() const override { return engine_->stats(); }

 private:
  size_t CompletionCount() const {
    return batch_.reads.size() + batch_.validations.size() + batch_.pongs.size() +
           batch_.events.size();
  }

  Request* Post(RequestKind kind, TargetId target, uint64_t timeout_ns) {
    return is_up_[target] ? requests_.Add(kind, target, protocol::NowNs(), timeout_ns) : nullptr;
  }

  uint64_t FailPosted(RequestKind kind, TargetId target) {
    const uint64_t id = requests_.IdWithoutSlot();
    AppendFailure(batch_, kind, id, is_up_[target] ? Status::overload : Status::not_connected);
    return id;
  }

  Held Hold(const Request& request) const {
    return {.ready_ns = request.posted_ns + latency_ns_,
            .request_id = request.id,
            .kind = request.kind,
            .read = {},
            .validation = {},
            .pong = {}};
  }

  uint64_t Keep(Held&& held) {
    const uint64_t id = held.request_id;
    held_.push_back(std::move(held));
    std::push_heap(held_.begin(), held_.end(), std::greater<>());
    return id;
  }

  void KeepFailure(Held&& held, Status status) {
    held.read.status = status;
    Keep(std::move(held));
  }

  void ReleaseFirst(uint64_t now_ns) {
    std::pop_heap(held_.begin(), held_.end(), std::greater<>());
    Held held = std::move(held_.back());
    held_.pop_back();
    Request* const request = requests_.Find(held.request_id);
    if (request == nullptr) return;  // past its deadline or disconnected meanwhile
    switch (held.kind) {
      case RequestKind::kRead:
        batch_.reads.push_back(std::move(held.read));
        break;
      case RequestKind::kValidate:
        batch_.validations.push_back(std::move(held.validation));
        break;
      case RequestKind::kPing:
        held.pong.round_trip_ns = now_ns - request->posted_ns;
        batch_.pongs.push_back(held.pong);
        break;
    }
    requests_.Remove(*request);
  }

  void Fail(Request& request, Status status) {
    AppendFailure(batch_, request.kind, request.id, status);
    requests_.Remove(request);
  }

  TargetEvent& AddEvent(TargetEvent::Kind kind, TargetId target) {
    TargetEvent& event = batch_.events.emplace_back();
    event.kind = kind;
    event.target = target;
    return event;
  }

  void AddVolumesEvent(TargetId target) {
    TargetEvent& event = AddEvent(TargetEvent::Kind::kVolumes, target);
    event.volumes = engine_->Volumes();
  }

  const uint64_t latency_ns_;
  memory::Arena& arena_;
  RequestTable requests_;
  std::vector<Held> held_;   // a heap by ready_ns
  std::vector<char> is_up_;  // by TargetId
  uint64_t volumes_generation_ = 0;
  ClientStats stats_{};
  Batch batch_;
  std::unique_ptr<engine::Engine> engine_;
};

}  // namespace

std::unique_ptr<InprocClient> InprocClient::Create(const InprocClientOptions& options,
                                                   memory::Arena& arena, std::string& error) {
  const EngineFactory engine = [&options](memory::Arena& engine_arena, engine::ReadSink& sink,
                                          std::string& engine_error) {
    return engine::Engine::Create(options.engine, engine_arena, sink, engine_error);
  };
  return Create(options, engine, arena, error);
}

std::unique_ptr<InprocClient> InprocClient::Create(const InprocClientOptions& options,
                                                   const EngineFactory& engine,
                                                   memory::Arena& arena, std::string& error) {
  auto client = std::make_unique<EngineClient>(options, arena);
  return client->Start(engine, error) ? std::move(client) : nullptr;
}

}  // namespace client
