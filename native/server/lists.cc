#include "server/lists.h"

#include "protocol/decode.h"
#include "stream/part.h"

namespace server {
namespace {

constexpr size_t kCollectionBytesMax = 4096;  // no file name that holds one is longer
/// With its last row a page has at most 64 KiB, so that each goes over a stream as a short message:
/// long ones let short ones pass, and the pages have to come in their order.
constexpr size_t kPageBytesMax =
    stream::kShortBytesMax - kCollectionBytesMax - sizeof(protocol::VolumeRow);

}  // namespace

std::vector<VolumePage> MakeVolumePages(uint64_t generation,
                                        std::span<const engine::AnnouncedVolume> volumes) {
  std::vector<VolumePage> pages;
  std::vector<std::byte> rows;
  uint32_t row_count = 0;
  const auto finish_page = [&] {
    protocol::Volumes header{};
    header.generation = generation;
    header.page = static_cast<uint32_t>(pages.size());
    header.row_count = row_count;
    pages.push_back({header, std::make_shared<const std::vector<std::byte>>(std::move(rows))});
    rows.clear();
    row_count = 0;
  };
  for (const engine::AnnouncedVolume& volume : volumes) {
    if (volume.collection.size() > kCollectionBytesMax) continue;
    if (row_count == protocol::kVolumesPerPageMax || rows.size() >= kPageBytesMax) finish_page();
    protocol::VolumeRow row{};
    row.volume_id = volume.volume_id;
    row.version = volume.version;
    row.flags = volume.confirmed ? 1 : 0;
    row.collection_bytes = static_cast<uint16_t>(volume.collection.size());
    protocol::AppendRow(rows, row);
    protocol::Append(rows, std::as_bytes(std::span(volume.collection)));
    ++row_count;
  }
  finish_page();
  for (VolumePage& page : pages) page.header.pages = static_cast<uint32_t>(pages.size());
  return pages;
}

void LimitIds(engine::ValidateResult& result, size_t& ids_count) {
  const bool is_too_long = result.ids.size() > protocol::kChangedIdsMax ||
                           ids_count + result.ids.size() > kIdsPerReplyMax;
  if (is_too_long) {
    result.row.verdict = static_cast<uint16_t>(protocol::Verdict::flush);
    result.ids.clear();
  }
  if (result.row.verdict != static_cast<uint16_t>(protocol::Verdict::changed)) result.ids.clear();
  result.row.id_count = static_cast<uint32_t>(result.ids.size());
  ids_count += result.ids.size();
}

void AppendValidateRow(std::vector<std::byte>& list, const engine::ValidateResult& result) {
  protocol::AppendRow(list, result.row);
  protocol::Append(list, std::as_bytes(std::span(result.ids)));
}

}  // namespace server
