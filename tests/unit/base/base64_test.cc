#include "base/base64.h"

#include <gtest/gtest.h>

#include <string>

namespace quire {
namespace {

TEST(Base64Test, TheExamplesOfRfc4648AreRead) {
  EXPECT_EQ(decode_base64(""), "");
  EXPECT_EQ(decode_base64("Zg=="), "f");
  EXPECT_EQ(decode_base64("Zm8="), "fo");
  EXPECT_EQ(decode_base64("Zm9v"), "foo");
  EXPECT_EQ(decode_base64("Zm9vYmFy"), "foobar");
  EXPECT_EQ(decode_base64("+/+/"), "\xfb\xff\xbf");
}

TEST(Base64Test, WhatIsNoBase64IsRefused) {
  for (const char* text : {"Z",
                           "Zg",
                           "Zg=",
                           "Zg==Zg==",
                           "Z===",
                           "====",
                           "Zm9\n",
                           "Zm9v\n",
                           "Zh==",
                           "Zm9=",
                           "Zm-v",
                           "Zm9v====",
                           "=Zm9"}) {
    EXPECT_FALSE(decode_base64(text)) << text;
  }
}

}  // namespace
}  // namespace quire
