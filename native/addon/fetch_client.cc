#include "addon/fetch_client.h"

#include <algorithm>
#include <utility>

#include "protocol/clock.h"
#if SEAWEED_HAS_UCX
#include "client/session_client.h"
#endif

namespace addon {
namespace {

/// How long close() waits for what is in flight and for its GOODBYEs.
constexpr uint64_t kCloseNs = 1'000'000'000;

std::unique_ptr<client::Client> CreateUcx([[maybe_unused]] const FetchClientOptions& options,
                                          [[maybe_unused]] memory::Arena& arena,
                                          std::string& error) {
#if SEAWEED_HAS_UCX
  const client::SessionClientOptions ucx{.device_name = options.device_name,
                                         .rails = options.rails,
                                         .tls = options.tls,
                                         .requests_max = options.requests_max,
                                         .connections = options.connections,
                                         .is_ucx = options.is_ucx,
                                         .is_guarded = options.is_guarded,
                                         .is_ipv6 = options.is_ipv6};
  return client::CreateSessionClient(ucx, arena, error);
#else
  error = "built without UCX";
  return nullptr;
#endif
}

}  // namespace

std::shared_ptr<FetchClient> FetchClient::Create(Napi::Env env, const FetchClientOptions& options,
                                                 Napi::Function on_batch, std::string& error) {
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) {
    error = "this thread has no event loop";
    return nullptr;
  }
  auto holder = std::make_shared<ArenaHolder>();
  holder->arena = memory::Arena::Create(options.arena, error);
  if (holder->arena == nullptr) return nullptr;

  std::shared_ptr<FetchClient> self(new FetchClient(env, holder, options.requests_max));
  if (options.has_targets) {
    self->client_ = CreateUcx(options, *holder->arena, error);
  } else {
    const client::InprocClientOptions inproc{options.engine, options.simulated_latency_ns,
                                             options.requests_max};
    auto created = client::InprocClient::Create(inproc, *holder->arena, error);
    self->inproc_ = created.get();
    self->client_ = std::move(created);
  }
  if (self->client_ == nullptr) return nullptr;

  self->on_batch_ = std::make_unique<LoopCallback>(env, on_batch, "RdmaClient");
  self->pump_ = std::make_unique<Pump>(loop, *self->client_, *self, options.spin_ns);
  self->self_ = self;
  napi_add_async_cleanup_hook(env, OnEnvironmentCleanup, self.get(), &self->cleanup_);
  return self;
}

FetchClient::FetchClient(napi_env env, std::shared_ptr<ArenaHolder> holder, uint32_t requests_max)
    : env_(env), holder_(std::move(holder)), tickets_(requests_max), requests_max_(requests_max) {}

FetchClient::~FetchClient() = default;

client::ClientStats FetchClient::stats() const {
  return client_ != nullptr ? client_->stats() : last_stats_;
}

void FetchClient::Share(Napi::ArrayBuffer ring, Napi::ArrayBuffer command) {
  ring_ = static_cast<Entry*>(ring.Data());
  command_ = static_cast<Command*>(command.Data());
  napi_create_reference(env_, ring, 1, &ring_reference_);
  napi_create_reference(env_, command, 1, &command_reference_);
}

client::TargetId FetchClient::AddTarget(const client::TargetAddress& address) {
  const client::TargetId target = client_->AddTarget(address);
  targets_.push_back(target);
  target_count_ = std::max(target_count_, target + 1);
  live_targets_.insert(target);
  pump_->Wake();
  UpdateKeepAlive();
  return target;
}

void FetchClient::ConnectAt(client::TargetId target, uint16_t port, uint64_t connect_timeout_ns) {
  client_->ConnectAt(target, port, connect_timeout_ns);
  live_targets_.insert(target);
  pump_->Wake();
  UpdateKeepAlive();
}

void FetchClient::ConnectStream(client::TargetId target, int fd, const stream::Security& security,
                                uint64_t connect_timeout_ns) {
  client_->ConnectStream(target, fd, security, connect_timeout_ns);
  live_targets_.insert(target);
  UpdateKeepAlive();
  pump_->Wake();
}

void FetchClient::Disconnect(client::TargetId target) {
  client_->Disconnect(target);
  live_targets_.erase(target);
  pump_->Wake();
  UpdateKeepAlive();
}

bool FetchClient::MayPost(uint32_t ticket) const {
  return IsOpen() && !tickets_.IsFull() && ticket < requests_max_;
}

void FetchClient::PostRead(client::TargetId target, uint32_t ticket) {
  const Command& command = *command_;
  const client::ReadCommand read{
      .needle_id = command.needle_id,
      .volume_id = command.volume_id,
      .cookie = command.cookie,
      .offset = ToUint64(command.offset),
      .length = ToUint64(command.length),
      .whole_bytes_max = ToUint64(command.whole_bytes_max),
      .budget_bytes = ToUint64(command.budget_bytes),
      .timeout_ns = ToUint64(command.timeout_ns),
      .metadata_only = command.metadata_only != 0,
  };
  Posted(client_->PostRead(target, read), ticket);
}

void FetchClient::PostValidate(client::TargetId target, uint32_t ticket, uint32_t item_count,
                               uint64_t timeout_ns, uint32_t lease_ms) {
  if (item_count > protocol::kValidateItemsMax) item_count = protocol::kValidateItemsMax;
  const std::span<const protocol::ValidateItem> items(command_->items, item_count);
  Posted(client_->PostValidate(target, items, timeout_ns, lease_ms), ticket);
}

void FetchClient::PostPing(client::TargetId target, uint32_t ticket, uint64_t timeout_ns) {
  Posted(client_->PostPing(target, timeout_ns), ticket);
}

void FetchClient::Posted(uint64_t request_id, uint32_t ticket) {
  tickets_.Put(request_id, ticket);
  pump_->Wake();
  pump_->KeepAlive(true);
}

void FetchClient::Close(Napi::Function closed) {
  if (is_closing_ || client_ == nullptr) return;
  is_closing_ = true;
  on_closed_ = std::make_unique<LoopCallback>(env_, closed, "RdmaClient.close");
  for (const client::TargetId target : targets_) client_->Disconnect(target);
  close_deadline_ns_ = protocol::NowNs() + kCloseNs;
  // Perhaps called from a completion callback: the worker is destroyed in OnQuiet(), never from
  // here.
  pump_->KeepAlive(true);
  pump_->Wake();
  pump_->GoRound();
}

void FetchClient::OnQuiet() {
  if (!is_closing_ || client_ == nullptr) return;
  const bool is_done = tickets_.count() == 0 && client_->stats().sessions == 0;
  if (!is_done && protocol::NowNs() < close_deadline_ns_) {
    pump_->Wake();
    pump_->GoRound();
    return;
  }
  Shutdown();
  DeliverRest();
}

/// Closes the handles and destroys the client. Never from within the client's own calls.
void FetchClient::Shutdown() {
  last_stats_ = client_->stats();
  last_stats_.sessions = 0;
  pump_->Close([this] { OnHandlesClosed(); });
  client_.reset();
  inproc_ = nullptr;
  batch_ = {};
}

void FetchClient::OnHandlesClosed() {
  pump_.reset();
  const std::unique_ptr<LoopCallback> on_closed = std::move(on_closed_);
  if (!is_tearing_ && on_closed != nullptr) {
    const Scope scope(env_);
    on_closed->Call({});
  }
  on_batch_.reset();
  if (ring_reference_ != nullptr) napi_delete_reference(env_, ring_reference_);
  if (command_reference_ != nullptr) napi_delete_reference(env_, command_reference_);
  ring_reference_ = command_reference_ = nullptr;
  if (cleanup_ != nullptr) napi_remove_async_cleanup_hook(cleanup_);
  cleanup_ = nullptr;
  const std::shared_ptr<FetchClient> self =
      std::move(self_);  // perhaps the last reference: nothing after it
}

/// The environment ends (a worker thread was terminated, or the process ends by itself): no
/// JavaScript any more, but the loop still turns until the last handle is closed.
void FetchClient::OnEnvironmentCleanup(napi_async_cleanup_hook_handle, void* data) {
  FetchClient* self = static_cast<FetchClient*>(data);
  self->is_tearing_ = true;
  if (self->client_ == nullptr) return;  // the handles are being closed already
  for (const client::TargetId target : self->targets_) self->client_->Disconnect(target);
  for (int i = 0; i < 64 && self->client_->Progress(); ++i) {
  }
  self->Shutdown();
}

void FetchClient::UpdateKeepAlive() {
  if (pump_ == nullptr || is_closing_) return;
  pump_->KeepAlive(tickets_.count() > 0 || !live_targets_.empty());
}

}  // namespace addon
