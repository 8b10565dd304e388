#include "ucx/transport.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string_view>

namespace ucx {
namespace {

template <typename Print>
std::string Printed(Print&& print) {
  char* text = nullptr;
  size_t bytes = 0;
  FILE* stream = open_memstream(&text, &bytes);
  if (stream == nullptr) return {};
  print(stream);
  fclose(stream);
  std::string result(text, bytes);
  free(text);
  return result;
}

#if UCP_API_VERSION >= UCP_VERSION(1, 14)
/// Empty unless all lanes are of one transport: the query does not say which of them carries the
/// messages.
std::string OnlyTransport(ucp_ep_h endpoint) {
  std::array<ucp_transport_entry_t, 16> entries{};
  ucp_ep_attr_t attributes{};
  attributes.field_mask = UCP_EP_ATTR_FIELD_TRANSPORTS;
  attributes.transports.entries = entries.data();
  attributes.transports.num_entries = entries.size();
  attributes.transports.entry_size = sizeof(ucp_transport_entry_t);
  if (ucp_ep_query(endpoint, &attributes) != UCS_OK || attributes.transports.num_entries == 0)
    return {};
  const std::string name = entries[0].transport_name;
  for (unsigned i = 1; i < attributes.transports.num_entries; ++i) {
    if (name != entries[i].transport_name) return {};
  }
  return name;
}
#endif

std::string PrintedContext(ucp_context_h context) {
  return Printed([&](FILE* stream) { ucp_context_print_info(context, stream); });
}

}  // namespace

std::string MessageTransportFromInfo(const std::string& info) {
  // "#   lane[0]:  2:sysv/memory.0 md[2]   -> md[2]/sysv/sysdev[255] am am_bw#0 keepalive"
  std::istringstream lines(info);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string word;
    if (!(words >> word >> word) || !word.starts_with("lane[")) continue;
    std::string resource;
    words >> resource;
    bool is_message_lane = false;
    while (words >> word) is_message_lane |= word == "am";
    const size_t begin = resource.find(':');
    const size_t end = resource.find('/');
    if (!is_message_lane || begin == std::string::npos || end == std::string::npos ||
        end <= begin + 1)
      continue;
    return resource.substr(begin + 1, end - begin - 1);
  }
  return {};
}

std::string MessageTransport(const Endpoint& endpoint) {
#if UCP_API_VERSION >= UCP_VERSION(1, 14)
  if (std::string name = OnlyTransport(endpoint.handle()); !name.empty()) return name;
#endif
  std::string name = MessageTransportFromInfo(
      Printed([&](FILE* stream) { ucp_ep_print_info(endpoint.handle(), stream); }));
  return name.empty() ? "unknown" : name;
}

std::vector<std::string> ContextTransports(ucp_context_h context) {
  // "#      resource 1  :  md 1  dev 1  flags -- tcp/lo"
  std::vector<std::string> transports;
  std::istringstream lines(PrintedContext(context));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("resource") == std::string::npos) continue;
    const size_t begin = line.find_last_of(' ');
    if (begin != std::string::npos) transports.push_back(line.substr(begin + 1));
  }
  return transports;
}

bool ReachOtherProcesses(const std::vector<std::string>& transports) {
  // Copies between memories of one machine, and messages to oneself.
  static constexpr std::string_view kNone[] = {"self/", "cma/",  "knem/", "cuda_",
                                               "gdr_",  "rocm_", "ze_"};
  return std::ranges::any_of(transports, [](const std::string& transport) {
    return std::ranges::none_of(
        kNone, [&](std::string_view prefix) { return transport.starts_with(prefix); });
  });
}

std::optional<Capabilities> QueryCapabilities(const ContextOptions& options, std::string& error) {
  const auto context = Context::Create(options, error);
  if (context == nullptr) return std::nullopt;
  Capabilities capabilities;
  capabilities.version = ucp_get_version_string();
  capabilities.text = PrintedContext(context->handle());
  capabilities.transports = ContextTransports(context->handle());
  return capabilities;
}

}  // namespace ucx
