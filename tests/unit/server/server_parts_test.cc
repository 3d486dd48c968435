#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/api_keys.h"
#include "server/buffered_exchange.h"
#include "server/engine_worker.h"
#include "server/metrics.h"
#include "server/task_pool.h"
#include "support/byte_tokenizer.h"
#include "support/fake_runner.h"

namespace quire::server {
namespace {

TEST(BufferedExchangeTest, AStreamThatNobodyReadsIsGivenUpAtTheLimit) {
  BufferedExchange exchange({}, /*max_backlog=*/1000, [] {});
  exchange.start_stream({});
  std::vector<GoneReason> gone;
  exchange.on_gone([&gone](GoneReason reason) { gone.push_back(reason); });
  exchange.write(std::string(2000, 'x'));  // one large event is no slow reader
  EXPECT_TRUE(gone.empty());
  const std::string taken = exchange.take_output();
  EXPECT_GT(taken.size(), 2000U);
  exchange.write("more");  // what was taken is still on its way
  EXPECT_EQ(gone, std::vector<GoneReason>{GoneReason::kTooSlow});
  exchange.write("even more");
  EXPECT_FALSE(exchange.has_output());
  EXPECT_EQ(gone.size(), 1U);
}

TEST(BufferedExchangeTest, OneThatIsGoneTellsWhoAsksLater) {
  BufferedExchange exchange({}, 1000, [] {});
  exchange.leave(GoneReason::kLeft);
  bool told = false;
  exchange.on_gone([&told](GoneReason) { told = true; });
  EXPECT_TRUE(told);
}

TEST(BufferedExchangeTest, AClientOfHttp10GetsAStreamWithoutChunks) {
  BufferedExchange exchange({.http_1_0 = true}, 1000, [] {});
  exchange.start_stream({});
  exchange.write("data: a\n\n");
  exchange.finish();
  const std::string bytes = exchange.take_output();
  EXPECT_TRUE(bytes.ends_with("\r\n\r\ndata: a\n\n")) << bytes;
  EXPECT_EQ(bytes.find("chunked"), std::string::npos);
  EXPECT_FALSE(exchange.keep_alive());
}

TEST(ApiKeysTest, OnlyAWholeKeyIsLetIn) {
  const ApiKeys keys({"first", "second"});
  const auto allowed = [&keys](const std::string& name, const std::string& value) {
    HttpRequest request;
    request.headers = {{name, value}};
    return keys.allow(request);
  };
  EXPECT_TRUE(allowed("authorization", "Bearer first"));
  EXPECT_TRUE(allowed("authorization", "bearer second"));
  EXPECT_TRUE(allowed("x-api-key", "second"));
  for (const char* wrong : {"", "firs", "firstf", "firstfirst", "third"}) {
    EXPECT_FALSE(allowed("x-api-key", wrong)) << wrong;
  }
  EXPECT_FALSE(keys.allow({}));
  EXPECT_TRUE(ApiKeys().allow({}));
}

TEST(MetricsTest, BucketsAddUpAndLabelsAreEscaped) {
  Metrics metrics;
  metrics.models["a\"b"].time_to_first_token.observe(0.002);
  metrics.models["a\"b"].time_to_first_token.observe(1000);
  const std::string page = metrics_page(metrics, {});
  const std::string name = "vllm:time_to_first_token_seconds_bucket{model_name=\"a\\\"b\",le=";
  EXPECT_NE(page.find(name + "\"0.001\"} 0\n"), std::string::npos) << page;
  EXPECT_NE(page.find(name + "\"0.0025\"} 1\n"), std::string::npos);
  EXPECT_NE(page.find(name + "\"+Inf\"} 2\n"), std::string::npos);
}

TEST(TaskPoolTest, OneTaskTooManyIsNotTaken) {
  std::promise<void> begun;
  std::promise<void> go;
  TaskPool pool(1, 1);
  ASSERT_TRUE(pool.try_run([&] {
    begun.set_value();
    go.get_future().wait();
  }));
  begun.get_future().wait();
  std::promise<void> second;
  EXPECT_TRUE(pool.try_run([&second] { second.set_value(); }));
  EXPECT_FALSE(pool.try_run([] {}));
  go.set_value();
  second.get_future().wait();
}

// Stands in for the I/O thread: runs what is posted, one after another.
class Loop {
 public:
  EngineWorker::Post post() {
    return [this](std::function<void()> task) { pool_.try_run(std::move(task)); };
  }

 private:
  TaskPool pool_{1, 1'000'000};
};

struct Answer : AnswerSink {
  void on_delta(const TextDelta& delta) override { text += delta.text; }
  void on_finished(RequestOutput output) override { done.set_value(std::move(output)); }
  std::string text;
  std::promise<RequestOutput> done;
};

Result<Llm> open_fake() {
  const ModelSpec spec{.vocab_size = 256, .max_seq_len = 64, .num_kv_blocks = 40, .block_size = 4};
  return Llm({.block_size = 4},
             std::make_unique<FakeRunner>(spec),
             std::make_unique<ByteTokenizer>(),
             /*eos_ids=*/{});
}

TEST(EngineWorkerTest, RequestsAreAnsweredAsTheirModelAloneWould) {
  Loop loop;
  EngineWorker worker("m", loop.post(), {.max_sequences = 4});
  std::promise<Status> loaded;
  worker.start(open_fake, [&loaded](const Status& status) { loaded.set_value(status); });
  ASSERT_TRUE(loaded.get_future().get().ok());
  auto alone = open_fake();
  std::vector<std::shared_ptr<Answer>> answers;
  std::vector<RequestOutput> wanted;
  for (const char* text : {"one", "two", ""}) {
    const GenerateRequest request{.prompt = std::string(text), .params = {.max_tokens = 9}};
    wanted.push_back(alone->generate(std::vector<GenerateRequest>{request}).front());
    answers.push_back(std::make_shared<Answer>());
    auto ids = worker.facts().encoder.encode(request);
    ASSERT_TRUE(ids);
    loop.post()([&worker, request, ids = *ids, sink = answers.back()] {
      worker.submit(request, ids, sink);
    });
  }
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const RequestOutput output = answers[i]->done.get_future().get();
    ASSERT_EQ(output.error.code(), wanted[i].error.code());  // the empty prompt fails, and alone
    if (!output.error.ok()) continue;
    EXPECT_EQ(output.outputs.front().token_ids, wanted[i].outputs.front().token_ids);
    EXPECT_EQ(answers[i]->text, output.outputs.front().text);
  }
}

// Asks a loaded worker for nine tokens and waits for what it says.
RequestOutput ask(EngineWorker* worker, Loop* loop) {
  const GenerateRequest request{.prompt = std::string("one"), .params = {.max_tokens = 9}};
  auto answer = std::make_shared<Answer>();
  auto ids = worker->facts().encoder.encode(request);
  loop->post()([worker, request, ids = *ids, answer] { worker->submit(request, ids, answer); });
  return answer->done.get_future().get();
}

void wait_until_unloaded(const EngineWorker& worker) {
  while (worker.stats().num_blocks > 0) std::this_thread::yield();
}

TEST(EngineWorkerTest, AnIdleModelIsOpenedAgainByTheNextRequestAndAnswersTheSame) {
  Loop loop;
  EngineWorker worker(
      "m", loop.post(), {.max_sequences = 4, .idle_timeout = std::chrono::milliseconds(1)});
  std::atomic<int> num_opened = 0;
  std::atomic<bool> is_away = false;
  std::promise<Status> loaded;
  worker.start(
      [&num_opened, &is_away]() -> Result<Llm> {
        if (is_away) return bad_model("it is away; bring it back");
        ++num_opened;
        return open_fake();
      },
      [&loaded](const Status& status) {
        if (status.ok()) loaded.set_value(status);  // and not when it is away
      });
  ASSERT_TRUE(loaded.get_future().get().ok());
  const RequestOutput first = ask(&worker, &loop);
  ASSERT_TRUE(first.error.ok());
  wait_until_unloaded(worker);
  EXPECT_EQ(worker.stats().num_generated_tokens, 9);
  // Whoever only looks does not bring it back.
  const int num_before = num_opened;
  std::promise<int> blocks_seen;
  worker.snapshot(0, [&blocks_seen](const EngineSnapshot& snapshot) {
    blocks_seen.set_value(snapshot.stats.num_blocks);
  });
  EXPECT_EQ(blocks_seen.get_future().get(), 0);
  EXPECT_EQ(num_opened, num_before);
  is_away = true;
  EXPECT_EQ(ask(&worker, &loop).error.code(), StatusCode::kInternal);
  is_away = false;
  const RequestOutput again = ask(&worker, &loop);
  EXPECT_EQ(num_opened, num_before + 1);
  ASSERT_TRUE(again.error.ok());
  EXPECT_EQ(again.outputs.front().token_ids, first.outputs.front().token_ids);
  wait_until_unloaded(worker);
  EXPECT_EQ(worker.stats().num_generated_tokens, 18);
}

TEST(EngineWorkerTest, PlacesAreCountedAndComeBack) {
  EngineWorker worker("m", [](std::function<void()>) {}, {.max_sequences = 4});
  auto three = worker.reserve(3);
  ASSERT_TRUE(three);
  EXPECT_FALSE(worker.reserve(2));
  auto last = worker.reserve(1);
  EXPECT_TRUE(last);
  EXPECT_FALSE(worker.reserve(1));
  three.reset();
  EXPECT_TRUE(worker.reserve(3));
}

}  // namespace
}  // namespace quire::server
