#include "ucx/handles.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "ucx/log_limit.h"
#include "ucx/send_hook.h"
#include "ucx/status.h"
#include "ucx/transport.h"

namespace ucx {
namespace {

constexpr std::chrono::seconds kCloseTimeout{2};
constexpr uint32_t kCloseRounds = 64;  // one was enough when measured

/// Verbs pin what is registered; the other transports do not, so this is said only after a failure.
std::string LockedMemoryHint(size_t bytes) {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      limit.rlim_cur >= bytes)
    return {};
  return "; the locked-memory limit is " + std::to_string(limit.rlim_cur / 1024) +
         " KiB but the arena needs " + std::to_string(bytes >> 20) +
         " MiB: set LimitMEMLOCK=infinity in the systemd unit, memlock in limits.conf, or --ulimit "
         "memlock=-1 for docker";
}

}  // namespace

std::unique_ptr<Worker> Worker::Create(Context& context, std::string& error) {
  ucp_worker_params_t params{};
  params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
  params.thread_mode = UCS_THREAD_MODE_SINGLE;
  ucp_worker_h handle = nullptr;
  ucs_status_t status = ucp_worker_create(context.handle(), &params, &handle);
  if (status != UCS_OK) {
    error = Failed("ucp_worker_create", status);
    return nullptr;
  }
  int event_fd = -1;
  status = ucp_worker_get_efd(handle, &event_fd);
  if (status != UCS_OK) {
    error = Failed("ucp_worker_get_efd", status);
    ucp_worker_destroy(handle);
    return nullptr;
  }
  auto worker = std::unique_ptr<Worker>(new Worker(context, handle, event_fd));
  status = worker->IgnoreAllMessages();
  if (status == UCS_OK) return worker;
  error = Failed("ucp_worker_set_am_recv_handler", status);
  return nullptr;
}

Worker::~Worker() {
  const auto give_up = std::chrono::steady_clock::now() + kCloseTimeout;
  const auto progress_while = [&](auto&& is_pending) {
    while (is_pending() && std::chrono::steady_clock::now() < give_up) Progress();
    return !is_pending();
  };
  // A forced close leaves transfers behind that only a flush of the worker waits for:
  // ucp_worker_destroy aborts the process (arbiter.c: "ucs_arbiter_group_is_empty") while a
  // shared-memory one is queued.
  bool is_quiet = progress_while([&] { return !closes_.empty(); });
  const ucp_request_param_t params{};
  const ucs_status_ptr_t flush = ucp_worker_flush_nbx(handle_, &params);
  if (UCS_PTR_IS_PTR(flush)) {
    is_quiet &= progress_while([&] { return ucp_request_check_status(flush) == UCS_INPROGRESS; });
    ucp_request_free(flush);
  }
  for (void* request : closes_) ucp_request_free(request);
  if (is_quiet) {
    ucp_worker_destroy(handle_);
  } else {
    context_.Abandon();  // a leak at the end of a process is better than its abort
  }
}

namespace {

ucs_status_t SetHandlerOf(ucp_worker_h worker, unsigned id, MessageHandler handler, void* arg) {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS |
                      UCP_AM_HANDLER_PARAM_FIELD_CB | UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = id;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = handler;
  params.arg = arg;
  return ucp_worker_set_am_recv_handler(worker, &params);
}

ucs_status_t IgnoreMessage(void*, const void*, size_t, void*, size_t, const ucp_am_recv_param_t*) {
  return UCS_OK;
}

}  // namespace

ucs_status_t Worker::IgnoreAllMessages() {
  // The highest first: UCX makes room for all of them once.
  for (unsigned id = UINT16_MAX + 1; id-- > 0;) {
    const ucs_status_t status = SetHandlerOf(handle_, id, IgnoreMessage, nullptr);
    if (status != UCS_OK) return status;
  }
  return UCS_OK;
}

ucs_status_t Worker::SetHandler(protocol::MessageId id, MessageHandler handler, void* arg) {
  return SetHandlerOf(handle_, static_cast<unsigned>(id), handler, arg);
}

bool Worker::Progress() {
  const bool advanced = ucp_worker_progress(handle_) != 0;
  if (!closes_.empty()) ReapCloses();
  return advanced;
}

bool Worker::Arm() {
  // A forced close advances by progress alone, also after its request is done: no event wakes the
  // thread for it, and the peer would not learn of the close before the next message.
  if (close_rounds_ > 0) {
    --close_rounds_;
    return false;
  }
  return ucp_worker_arm(handle_) == UCS_OK;
}

void Worker::ReapCloses() {
  std::erase_if(closes_, [](void* request) {
    if (ucp_request_check_status(request) == UCS_INPROGRESS) return false;
    ucp_request_free(request);
    return true;
  });
}

std::unique_ptr<MemoryHandle> MemoryHandle::Register(Context& context, std::span<std::byte> memory,
                                                     std::string& error) {
  ucp_mem_map_params_t params{};
  params.field_mask = UCP_MEM_MAP_PARAM_FIELD_ADDRESS | UCP_MEM_MAP_PARAM_FIELD_LENGTH;
  params.address = memory.data();
  params.length = memory.size();
  ucp_mem_h handle = nullptr;
  const ucs_status_t status = ucp_mem_map(context.handle(), &params, &handle);
  if (status != UCS_OK) {
    error = Failed("ucp_mem_map of the arena", status) + LockedMemoryHint(memory.size());
    return nullptr;
  }
  return std::unique_ptr<MemoryHandle>(new MemoryHandle(context.handle(), handle));
}

MemoryHandle::~MemoryHandle() { ucp_mem_unmap(context_, handle_); }

Endpoint Endpoint::Create(Worker& worker, ucp_ep_params_t& params, ErrorHandler on_error,
                          ucs_status_t& status) {
  params.field_mask |= UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE | UCP_EP_PARAM_FIELD_ERR_HANDLER;
  params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
  params.err_handler.cb = on_error.on_error;
  params.err_handler.arg = on_error.arg;
  ucp_ep_h handle = nullptr;
  status = ucp_ep_create(worker.handle(), &params, &handle);
  return status == UCS_OK ? Endpoint(worker, handle) : Endpoint();
}

Endpoint Endpoint::Connect(Worker& worker, const sockaddr* address, socklen_t address_bytes,
                           ErrorHandler on_error, ucs_status_t& status) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_FLAGS | UCP_EP_PARAM_FIELD_SOCK_ADDR;
  params.flags = UCP_EP_PARAMS_FLAGS_CLIENT_SERVER;
  params.sockaddr.addr = address;
  params.sockaddr.addrlen = address_bytes;
  return Create(worker, params, on_error, status);
}

Endpoint Endpoint::Accept(Worker& worker, ucp_conn_request_h request, ErrorHandler on_error,
                          ucs_status_t& status) {
  ucp_ep_params_t params{};
  params.field_mask = UCP_EP_PARAM_FIELD_CONN_REQUEST;
  params.conn_request = request;
  return Create(worker, params, on_error, status);
}

Endpoint::Endpoint(Endpoint&& other) noexcept
    : worker_(std::exchange(other.worker_, nullptr)),
      handle_(std::exchange(other.handle_, nullptr)) {}

Endpoint& Endpoint::operator=(Endpoint&& other) noexcept {
  if (this != &other) {
    ForceClose();
    worker_ = std::exchange(other.worker_, nullptr);
    handle_ = std::exchange(other.handle_, nullptr);
  }
  return *this;
}

Endpoint::~Endpoint() { ForceClose(); }

void Endpoint::ForceClose() {
  if (handle_ == nullptr) return;
  ucp_request_param_t params{};
  params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = UCP_EP_CLOSE_FLAG_FORCE;
  ucs_status_ptr_t request = ucp_ep_close_nbx(std::exchange(handle_, nullptr), &params);
  worker_->close_rounds_ = kCloseRounds;
  if (UCS_PTR_IS_PTR(request)) worker_->closes_.push_back(request);
}

ucs_status_ptr_t Endpoint::Send(const Message& message) {
  ucp_request_param_t params{};
  params.op_attr_mask =
      UCP_OP_ATTR_FIELD_CALLBACK | UCP_OP_ATTR_FIELD_USER_DATA | UCP_OP_ATTR_FIELD_FLAGS;
  params.flags = message.flags;
  params.cb.send = message.on_sent;
  params.user_data = message.user_data;
  if (message.memory != nullptr) {
    params.op_attr_mask |= UCP_OP_ATTR_FIELD_MEMH;
    params.memh = message.memory;
  }
  return ucp_am_send_nbx(handle_, static_cast<unsigned>(message.id), message.header.data(),
                         message.header.size(), message.data.data(), message.data.size(), &params);
}

std::unique_ptr<Listener> Listener::Create(Worker& worker, const sockaddr* address,
                                           socklen_t address_bytes,
                                           ucp_listener_conn_handler_t handler,
                                           std::string& error) {
  ucp_listener_params_t params{};
  params.field_mask = UCP_LISTENER_PARAM_FIELD_SOCK_ADDR | UCP_LISTENER_PARAM_FIELD_CONN_HANDLER;
  params.sockaddr.addr = address;
  params.sockaddr.addrlen = address_bytes;
  params.conn_handler = handler;
  ucp_listener_h handle = nullptr;
  ucs_status_t status = ucp_listener_create(worker.handle(), &params, &handle);
  if (status != UCS_OK) {
    error = Failed("ucp_listener_create", status);
    return nullptr;
  }
  ucp_listener_attr_t attributes{};
  attributes.field_mask = UCP_LISTENER_ATTR_FIELD_SOCKADDR;
  status = ucp_listener_query(handle, &attributes);
  if (status != UCS_OK) {
    error = Failed("ucp_listener_query", status);
    ucp_listener_destroy(handle);
    return nullptr;
  }
  const bool is_ipv6 = attributes.sockaddr.ss_family == AF_INET6;
  const uint16_t port = is_ipv6
                            ? reinterpret_cast<const sockaddr_in6&>(attributes.sockaddr).sin6_port
                            : reinterpret_cast<const sockaddr_in&>(attributes.sockaddr).sin_port;
  return std::unique_ptr<Listener>(new Listener(handle, ntohs(port)));
}

Listener::~Listener() { ucp_listener_destroy(handle_); }

void Listener::Reject(ucp_conn_request_h request) { (void)ucp_listener_reject(handle_, request); }

std::optional<SocketAddress> Listener::PeerOf(ucp_conn_request_h request) {
  ucp_conn_request_attr_t attributes{};
  attributes.field_mask = UCP_CONN_REQUEST_ATTR_FIELD_CLIENT_ADDR;
  if (ucp_conn_request_query(request, &attributes) != UCS_OK) return std::nullopt;
  return SocketAddress{attributes.client_address, sizeof(attributes.client_address)};
}

std::string AddressFault(const SocketAddress& address) {
  if (address.get()->sa_family != AF_INET6) return {};
  const in6_addr& host = reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
  if (IN6_IS_ADDR_LOOPBACK(&host))
    return "UCX has no transport at the address ::1: use 127.0.0.1, or another address of this "
           "machine";
  if (IN6_IS_ADDR_V4MAPPED(&host))
    return "UCX has no transport at an IPv4 address written as IPv6: write it as IPv4";
  return {};
}

std::optional<SocketAddress> ParseAddress(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found) != 0)
    return std::nullopt;
  SocketAddress address{};
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.bytes = found->ai_addrlen;
  freeaddrinfo(found);
  return address;
}

}  // namespace ucx
