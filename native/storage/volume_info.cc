#include "storage/volume_info.h"

#include <nlohmann/json.hpp>

namespace storage {
namespace {

// protojson writes 64-bit integers as strings and accepts either form for all of them.
std::optional<uint64_t> Number(const nlohmann::json& object, const char* key, uint64_t absent) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return absent;
  if (found->is_number_unsigned()) return found->get<uint64_t>();
  if (!found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  if (text.empty() || text.size() > 18) return std::nullopt;
  uint64_t value = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return std::nullopt;
    value = value * 10 + static_cast<uint64_t>(digit - '0');
  }
  return value;
}

}  // namespace

std::optional<VolumeInfo> ParseVolumeInfo(std::string_view text) {
  VolumeInfo info;
  if (text.empty()) return info;
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  if (const auto files = json.find("files"); files != json.end() && !files->is_null()) {
    if (!files->is_array()) return std::nullopt;
    info.is_tiered = !files->empty();
  }
  // Both spellings are legal protojson.
  const char* key = json.contains("bytes_offset") ? "bytes_offset" : "bytesOffset";
  const auto offset_bytes = Number(json, key, 0);
  if (!offset_bytes || (*offset_bytes != 0 && *offset_bytes != 4 && *offset_bytes != 5)) {
    return std::nullopt;
  }
  info.offset_bytes = *offset_bytes == 5 ? 5 : 4;
  const auto version = Number(json, "version", 0);
  if (!version || *version > 3) return std::nullopt;
  info.version = static_cast<uint32_t>(*version);
  const auto read_only = json.find("readOnly");
  info.is_read_only = read_only != json.end() && read_only->is_boolean() && read_only->get<bool>();
  return info;
}

std::string EncodeVolumeInfo(uint32_t version, std::string_view replication, uint32_t offset_bytes,
                             uint64_t expire_at_s) {
  std::string text = "{\n  \"files\": [],\n  \"version\": " + std::to_string(version);
  text += ",\n  \"replication\": \"" + std::string(replication);
  text += "\",\n  \"bytesOffset\": " + std::to_string(offset_bytes);
  text += ",\n  \"datFileSize\": \"0\",\n  \"expireAtSec\": \"" + std::to_string(expire_at_s);
  return text +
         "\",\n  \"readOnly\": false,\n  \"ecShardConfig\": null,\n  \"readOnlyCanDelete\": "
         "false\n}";
}

}  // namespace storage
