#include "storage/volume_info.h"

#include <gtest/gtest.h>

namespace storage {
namespace {

TEST(VolumeInfo, ReadsWhatAServerWrites) {
  const auto info = ParseVolumeInfo(EncodeVolumeInfo(2, "001", 5, 0));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->version, 2u);
  EXPECT_EQ(info->offset_bytes, 5u);
  EXPECT_FALSE(info->is_tiered);
  EXPECT_FALSE(info->is_read_only);
}

TEST(VolumeInfo, AnEmptyTextAndAnEmptyObjectAreDefaults) {
  for (const char* text :
       {"", "{}", "{\"bytesOffset\": 0}", "{\"files\": null, \"bytesOffset\": \"4\"}"}) {
    const auto info = ParseVolumeInfo(text);
    ASSERT_TRUE(info) << text;
    EXPECT_EQ(info->offset_bytes, 4u);
    EXPECT_FALSE(info->is_tiered);
  }
}

TEST(VolumeInfo, FilesMeanThatTheDataLiesElsewhere) {
  EXPECT_TRUE(ParseVolumeInfo("{\"files\":[{\"key\":\"a\"}]}")->is_tiered);
}

TEST(VolumeInfo, WhatItDoesNotUnderstandIsNotGuessed) {
  for (const char* text :
       {"{", "[]", "{\"bytesOffset\": 6}", "{\"bytesOffset\": -4}", "{\"bytesOffset\": \"x\"}",
        "{\"files\": 1}", "{\"version\": 4}", "null"}) {
    EXPECT_FALSE(ParseVolumeInfo(text)) << text;
  }
}

}  // namespace
}  // namespace storage
