#include "package/model_package.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"

namespace quire {
namespace {

// A package folder of the test's own, with one file besides model_info.json.
class ModelPackageTest : public testing::Test {
 protected:
  ModelPackageTest() : folder_(testing::TempDir() + "/quire_package_test") {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    write("weights", "some weights");
    info_ = {{"format", "quire-model-package"},
             {"format_version", 1},
             {"name", "tiny"},
             {"architecture", "llama"},
             {"graph", "paged"},
             {"backends", {"onnx"}},
             {"num_layers", 2},
             {"hidden_size", 8},
             {"intermediate_size", 16},
             {"num_heads", 4},
             {"num_kv_heads", 2},
             {"head_dim", 2},
             {"vocab_size", 10},
             {"max_seq_len", 32},
             {"dtype", "fp32"},
             {"quantization", {{"default", "none"}}},
             {"cache_layers", {{{"num_kv_heads", 2}, {"head_dim", 2}}}},
             {"special_ids", {{"eos", {2}}}},
             {"files",
              {{"weights",
                {{"size", 12},
                 {"xxh3_128", *file_xxh3_128(folder_ / "weights")},
                 {"sha256", *file_sha256(folder_ / "weights")}}}}}};
  }
  ~ModelPackageTest() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }

  Result<ModelPackage> open() const {
    write("model_info.json", info_.dump());
    return open_package(folder_);
  }

  std::filesystem::path folder_;
  nlohmann::json info_;
};

TEST_F(ModelPackageTest, SaysWhatIsInIt) {
  const auto package = open();
  ASSERT_TRUE(package) << package.error().message();
  EXPECT_EQ(package->num_layers, 2);
  EXPECT_EQ(package->cache_layers.size(), 2U) << "one entry stands for all layers alike";
  EXPECT_EQ(package->eos_ids, std::vector<TokenId>{2});
  EXPECT_TRUE(package->has_backend("onnx"));
  EXPECT_TRUE(check_package_files(*package).ok());
  EXPECT_TRUE(check_package_sha256(*package).ok());
}

TEST_F(ModelPackageTest, ToolMarkersMayBeThereNullOrMissing) {
  EXPECT_FALSE(open()->tool);
  info_["tool_markers"] = nullptr;
  EXPECT_FALSE(open()->tool);
  info_["tool_markers"] = {{"call_begin", 3}, {"call_end", 4}, {"result_end", nullptr}};
  const auto bare = open();
  ASSERT_TRUE(bare && bare->tool);
  EXPECT_EQ(bare->tool->call_begin, 3);
  EXPECT_EQ(bare->tool->call_end, 4);
  EXPECT_FALSE(bare->tool->result_begin || bare->tool->result_end);
  EXPECT_EQ(bare->tool->name, "");
  info_["tool_markers"].update({{"result_begin", 5}, {"result_end", 6}, {"tool", "calculator"}});
  const auto full = open();
  ASSERT_TRUE(full && full->tool);
  EXPECT_EQ(full->tool->result_begin, 5);
  EXPECT_EQ(full->tool->result_end, 6);
  EXPECT_EQ(full->tool->name, "calculator");
}

TEST_F(ModelPackageTest, EachWrongFieldIsRefusedByName) {
  using Edit = std::function<void(nlohmann::json&)>;
  const std::vector<std::pair<std::string, Edit>> cases = {
      {"\"format\"", [](auto& i) { i.erase("format"); }},
      {"format version 2", [](auto& i) { i["format_version"] = 2; }},
      {"format", [](auto& i) { i["format"] = "else"; }},
      {"\"num_layers\"", [](auto& i) { i["num_layers"] = 0; }},
      {"\"num_layers\"", [](auto& i) { i["num_layers"] = "two"; }},
      {"\"hidden_size\"", [](auto& i) { i["hidden_size"] = 1e300; }},
      {"\"vocab_size\"", [](auto& i) { i["vocab_size"] = -1; }},
      {"multiple", [](auto& i) { i["num_kv_heads"] = 3; }},
      {"\"max_seq_len\"", [](auto& i) { i["max_seq_len"] = 18446744073709551615U; }},
      {"\"eos\"", [](auto& i) { i["special_ids"]["eos"] = {10}; }},
      {"cache_layers", [](auto& i) { i["cache_layers"] = nlohmann::json::array(); }},
      {"plain name", [](auto& i) { i["files"]["../outside"] = i["files"]["weights"]; }},
      {"plain name", [](auto& i) { i["files"]["/etc/passwd"] = i["files"]["weights"]; }},
      {"is missing", [](auto& i) { i["files"]["absent"] = i["files"]["weights"]; }},
      {"hash", [](auto& i) { i["files"]["weights"]["sha256"] = "zz"; }},
      {"bytes instead of", [](auto& i) { i["files"]["weights"]["size"] = 11; }},
      {"tool_markers", [](auto& i) { i["tool_markers"] = 3; }},
      {"\"call_end\"", [](auto& i) { i["tool_markers"] = {{"call_begin", 3}}; }},
      {"\"call_begin\"",
       [](auto& i) { i["tool_markers"] = {{"call_begin", 10}, {"call_end", 4}}; }},
      {"same id", [](auto& i) { i["tool_markers"] = {{"call_begin", 4}, {"call_end", 4}}; }},
      {"\"result_end\"",
       [](auto& i) {
         i["tool_markers"] = {{"call_begin", 3}, {"call_end", 4}, {"result_end", "x"}};
       }},
      {"\"tool\"",
       [](auto& i) { i["tool_markers"] = {{"call_begin", 3}, {"call_end", 4}, {"tool", 1}}; }},
      {"object", [](auto& i) { i = nlohmann::json::array(); }},
  };
  const nlohmann::json good = info_;
  for (const auto& [expected, edit] : cases) {
    info_ = good;
    edit(info_);
    const auto package = open();
    ASSERT_FALSE(package) << expected;
    EXPECT_EQ(package.error().code(), StatusCode::kBadModel);
    EXPECT_NE(package.error().message().find(expected), std::string::npos)
        << package.error().message();
    EXPECT_EQ(package.error().message().find('\n'), std::string::npos);
  }
}

TEST_F(ModelPackageTest, ALinkInsteadOfAFileIsRefused) {
  std::filesystem::remove(folder_ / "weights");
  std::filesystem::create_symlink("/etc/hostname", folder_ / "weights");
  const auto package = open();
  ASSERT_FALSE(package);
  EXPECT_NE(package.error().message().find("not a plain file"), std::string::npos);
}

TEST_F(ModelPackageTest, AChangedByteIsFoundByBothHashes) {
  const auto package = open();
  ASSERT_TRUE(package);
  write("weights", "some weightz");
  EXPECT_EQ(check_package_files(*package).code(), StatusCode::kBadModel);
  EXPECT_EQ(check_package_sha256(*package).code(), StatusCode::kBadModel);
}

TEST_F(ModelPackageTest, TruncatedInfoIsRefusedAtEveryLength) {
  const std::string text = info_.dump();
  for (std::size_t length = 0; length < text.size(); length += 3) {
    write("model_info.json", text.substr(0, length));
    EXPECT_FALSE(open_package(folder_)) << length;
  }
}

TEST_F(ModelPackageTest, DeepOrRepeatedJsonIsRefused) {
  write("model_info.json", std::string(100000, '['));
  EXPECT_FALSE(open_package(folder_));
  write("model_info.json", R"({"format": "quire-model-package", "format": "x"})");
  const auto package = open_package(folder_);
  ASSERT_FALSE(package);
  EXPECT_NE(package.error().message().find("twice"), std::string::npos);
}

TEST_F(ModelPackageTest, AFolderWithoutInfoIsNoPackage) {
  const auto package = open_package(folder_);
  ASSERT_FALSE(package);
  EXPECT_NE(package.error().message().find("quire-export"), std::string::npos);
}

}  // namespace
}  // namespace quire
