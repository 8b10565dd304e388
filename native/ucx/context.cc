// A UCX context with the keys that its transports need. See handles.h.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "ucx/handles.h"
#include "ucx/log_limit.h"
#include "ucx/send_hook.h"
#include "ucx/status.h"
#include "ucx/transport.h"

namespace ucx {
namespace {

bool SetUnlessAuto(ucp_config_t* config, const char* name, const std::string& value,
                   std::string& error) {
  if (value.empty() || value == "auto") return true;
  const ucs_status_t status = ucp_config_modify(config, name, value.c_str());
  if (status == UCS_OK) return true;
  error = Failed(std::string("UCX_") + name + "=" + value, status);
  return false;
}

/// The key has its transport's prefix from UCX 1.17 on (uct_md.c, uct_config_modify).
std::string TcpKey(std::string_view name) {
  unsigned major = 0;
  unsigned minor = 0;
  unsigned release = 0;
  ucp_get_version(&major, &minor, &release);
  return (major > 1 || minor >= 17 ? "TCP_" : "") + std::string(name);
}

/// UCX dials a peer's data port from its progress thread. Where a firewall drops that without a
/// word, a blocking connect() keeps the thread, and all other peers, for two minutes.
bool SetNonBlocking(ucp_config_t* config, std::string& error) {
  return SetUnlessAuto(config, TcpKey("CONN_NB").c_str(), "y", error);
}

/// One family, whatever UCX_TCP_AF_PRIO says: "inet,inet6" would take the first that a device has.
bool SetFamily(ucp_config_t* config, sa_family_t family, std::string& error) {
  return SetUnlessAuto(config, TcpKey("AF_PRIO").c_str(), family == AF_INET6 ? "inet6" : "inet",
                       error);
}

bool HasTcp(const std::vector<std::string>& transports) {
  return std::ranges::any_of(
      transports, [](const std::string& transport) { return transport.starts_with("tcp/"); });
}

bool HasVerbs(const std::vector<std::string>& transports) {
  return std::ranges::any_of(transports, [](const std::string& transport) {
    return transport.starts_with("rc_") || transport.starts_with("ud_") ||
           transport.starts_with("dc_");
  });
}

/// Keys that are set for the transports that a context has.
struct Tuning {
  bool has_tcp = true;
  bool is_without_rdma_cm = false;
  bool operator==(const Tuning&) const = default;
};

/// Without verbs UCX 1.13 listens through rdma_cm all the same. A request that comes there for a
/// device that the context does not have is never let go, and the listener's end waits for it.
Tuning TuningFor(const std::vector<std::string>& transports) {
  return {
      .has_tcp = HasTcp(transports),
      .is_without_rdma_cm = !HasVerbs(transports) && access("/dev/infiniband/rdma_cm", F_OK) == 0};
}

/// nullptr after an error. UCX warns of keys of a transport that it does not use.
ucp_context_h Init(const ContextOptions& options, const Tuning& tuning, std::string& error) {
  ucp_config_t* config = nullptr;
  ucs_status_t status = ucp_config_read(nullptr, nullptr, &config);
  if (status != UCS_OK) {
    error = Failed("ucp_config_read", status);
    return nullptr;
  }
  ucp_context_h handle = nullptr;
  if (SetUnlessAuto(config, "NET_DEVICES", options.device_name, error) &&
      SetUnlessAuto(config, "TLS", options.tls, error) &&
      (!options.keeps_device || SetUnlessAuto(config, "CM_USE_ALL_DEVICES", "n", error)) &&
      (!tuning.has_tcp ||
       (SetFamily(config, options.family, error) && SetNonBlocking(config, error))) &&
      (!tuning.is_without_rdma_cm ||
       SetUnlessAuto(config, "SOCKADDR_TLS_PRIORITY", "tcp", error))) {
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = UCP_FEATURE_AM | UCP_FEATURE_WAKEUP;
    status = ucp_init(&params, config, &handle);
    if (status != UCS_OK) {
      error = Failed("ucp_init (device_name=" + options.device_name + ", tls=" + options.tls + ")",
                     status);
      handle = nullptr;
    }
  }
  ucp_config_release(config);
  return handle;
}

}  // namespace

std::unique_ptr<Context> Context::Create(const ContextOptions& options, std::string& error) {
  LimitUcxLog();
  ucp_context_h handle = Init(options, {}, error);
  if (handle == nullptr) return nullptr;
  std::vector<std::string> transports = ContextTransports(handle);
  if (const Tuning tuning = TuningFor(transports); tuning != Tuning{}) {
    ucp_cleanup(handle);
    handle = Init(options, tuning, error);
    if (handle == nullptr) return nullptr;
    transports = ContextTransports(handle);
  }
  (void)HearOfBrokenConnectionsByReceiving();
  std::unique_ptr<Context> context(new Context(handle, options.family, HasTcp(transports)));
  if (ReachOtherProcesses(transports)) return context;
  error = "device_name=" + options.device_name + ", tls=" + options.tls +
          " leave no transport to another process, only:";
  for (const std::string& transport : transports) error += " " + transport;
  return nullptr;
}

Context::~Context() {
  if (!is_abandoned_) ucp_cleanup(handle_);
}

bool Context::RefuseFamily(const sockaddr* peer) const {
  return has_tcp_ && peer->sa_family != family_;
}

}  // namespace ucx
