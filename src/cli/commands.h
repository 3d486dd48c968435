#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace quire::cli {

// What a chosen command does; returns the process's exit code.
using Action = std::function<int()>;

// Each adds one command with its options to the application and sets `action` when it is chosen.
void add_generate_command(CLI::App* app, Action* action);
void add_chat_command(CLI::App* app, Action* action);
void add_tokenize_commands(CLI::App* app, Action* action);
void add_inspect_command(CLI::App* app, Action* action);
void add_verify_command(CLI::App* app, Action* action);
void add_bench_command(CLI::App* app, Action* action);
void add_serve_command(CLI::App* app, Action* action);
void add_zoo_commands(CLI::App* app, Action* action);
void add_eval_command(CLI::App* app, Action* action);
void add_completion_command(CLI::App* app, Action* action);

}  // namespace quire::cli
