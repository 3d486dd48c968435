// Completions for shells, made of the same tables that --help is printed from.
#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/exit_code.h"
#include "cli/output.h"

namespace quire::cli {
namespace {

struct OptionRow {
  std::vector<std::string> short_names;  // without dashes
  std::vector<std::string> long_names;
  bool takes_value = false;
  std::vector<std::string> choices;  // of its value; none: any, and perhaps a file
  std::string what;
};

struct CommandRow {
  std::string name;
  std::string what;
  std::vector<OptionRow> options;
};

// CLI11 keeps what CLI::IsMember lets through in the type's name: "TEXT:{text,json}".
std::vector<std::string> choices_of(const std::string& type) {
  std::vector<std::string> choices;
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}');
  if (open == std::string::npos || close == std::string::npos) return choices;
  std::istringstream list(type.substr(open + 1, close - open - 1));
  for (std::string choice; std::getline(list, choice, ',');) choices.push_back(choice);
  return choices;
}

std::vector<OptionRow> options_of(const CLI::App& app) {
  std::vector<OptionRow> rows;
  for (const CLI::Option* option : app.get_options()) {
    if (!option->nonpositional()) continue;
    rows.push_back({.short_names = option->get_snames(),
                    .long_names = option->get_lnames(),
                    .takes_value = option->get_items_expected_max() > 0,
                    .choices = choices_of(option->get_type_name()),
                    .what = option->get_description()});
  }
  return rows;
}

std::vector<CommandRow> commands_of(const CLI::App& app) {
  std::vector<CommandRow> rows;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    rows.push_back({command->get_name(), command->get_description(), options_of(*command)});
  }
  return rows;
}

std::string joined(const std::vector<std::string>& words, std::string_view separator) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : std::string(separator)) + word;
  return text;
}

std::vector<std::string> flags_of(const OptionRow& option) {
  std::vector<std::string> flags;
  flags.reserve(option.short_names.size() + option.long_names.size());
  for (const std::string& name : option.short_names) flags.push_back("-" + name);
  for (const std::string& name : option.long_names) flags.push_back("--" + name);
  return flags;
}

// With a backslash before each character of `special`.
std::string escaped(std::string_view text, std::string_view special) {
  std::string out;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) out += '\\';
    out += c;
  }
  return out;
}

// A word of a POSIX shell; fish reads \' inside quotes, the others end the quotes around it.
std::string quoted(std::string_view text, bool fish) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += fish ? "\\'" : "'\\''";
    } else if (fish && c == '\\') {
      out += "\\\\";
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string bash_choices(const CommandRow& command) {
  std::string cases;
  for (const OptionRow& option : command.options) {
    if (!option.takes_value) continue;
    for (const std::string& flag : flags_of(option)) {
      cases += "    " + command.name + "\\ " + flag + ") ";
      cases += option.choices.empty()
                   ? "words=; files=1 ;;\n"
                   : "words=" + quoted(joined(option.choices, " "), false) + "; files= ;;\n";
    }
  }
  return cases;
}

std::string bash_text(const std::vector<CommandRow>& commands, const CommandRow& program) {
  std::vector<std::string> names;
  std::string flags;
  std::string values;
  for (const CommandRow& command : commands) {
    names.push_back(command.name);
    std::vector<std::string> words;
    for (const OptionRow& option : command.options) {
      for (const std::string& flag : flags_of(option)) words.push_back(flag);
    }
    flags += "    " + command.name + ") words=" + quoted(joined(words, " "), false) + " ;;\n";
    values += bash_choices(command);
  }
  for (const OptionRow& option : program.options) names.push_back(joined(flags_of(option), " "));
  return "# bash completion for quire; put it into /usr/share/bash-completion/completions/quire\n"
         "_quire() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
         "  local command= words= files= i\n"
         "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
         "    [[ ${COMP_WORDS[i]} == -* ]] || { command=${COMP_WORDS[i]}; break; }\n"
         "  done\n"
         "  case $command in\n"
         "    '') words=" +
         quoted(joined(names, " "), false) + " ;;\n" + flags +
         "  esac\n"
         "  [[ -n $command && $current != -* ]] && { words=; files=1; }\n"
         "  case $command\\ $previous in\n" +
         values +
         "  esac\n"
         "  if [[ -n $files ]]; then\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$current\")\n"
         "  else\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
         "  fi\n"
         "}\n"
         "complete -F _quire quire\n";
}

// '(-m --model)'{-m,--model}'[what]:value:_files'
std::string zsh_option(const OptionRow& option) {
  const std::vector<std::string> flags = flags_of(option);
  const std::string value =
      option.choices.empty() ? ":value:_files" : ":value:(" + joined(option.choices, " ") + ")";
  const std::string tail =
      quoted("[" + escaped(option.what, "[]:\\") + "]" + (option.takes_value ? value : ""), false);
  const std::string names = flags.size() == 1 ? flags.front() : "{" + joined(flags, ",") + "}";
  return "        " + names + tail;
}

std::string zsh_text(const std::vector<CommandRow>& commands) {
  std::string list;
  std::string cases;
  for (const CommandRow& command : commands) {
    list += "    " + quoted(command.name + ":" + escaped(command.what, ":"), false) + "\n";
    cases += "    " + command.name + ")\n      _arguments -s \\\n";
    for (const OptionRow& option : command.options) cases += zsh_option(option) + " \\\n";
    cases += "        '*:argument:_files' ;;\n";
  }
  return "#compdef quire\n"
         "# zsh completion for quire; put it as _quire into a folder of $fpath\n"
         "_quire() {\n"
         "  local -a commands\n"
         "  commands=(\n" +
         list +
         "  )\n"
         "  if ((CURRENT == 2)); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  local command=$words[2]\n"
         "  shift words\n"
         "  ((--CURRENT))\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "}\n"
         "if [[ $funcstack[1] == _quire ]]; then _quire \"$@\"; else compdef _quire quire; fi\n";
}

std::string fish_text(const std::vector<CommandRow>& commands) {
  std::string text =
      "# fish completion for quire; put it into ~/.config/fish/completions/quire.fish\n";
  for (const CommandRow& command : commands) {
    text += "complete -c quire -f -n __fish_use_subcommand -a " + command.name + " -d " +
            quoted(command.what, true) + "\n";
  }
  for (const CommandRow& command : commands) {
    for (const OptionRow& option : command.options) {
      text += "complete -c quire -n '__fish_seen_subcommand_from " + command.name + "'";
      for (const std::string& name : option.short_names) text += " -s " + name;
      for (const std::string& name : option.long_names) text += " -l " + name;
      if (option.takes_value) text += option.choices.empty() ? " -r" : " -x";
      if (!option.choices.empty()) text += " -a " + quoted(joined(option.choices, " "), true);
      text += " -d " + quoted(option.what, true) + "\n";
    }
  }
  return text;
}

int print_completion(const CLI::App& app, const std::string& shell) {
  const std::vector<CommandRow> commands = commands_of(app);
  const CommandRow program{app.get_name(), app.get_description(), options_of(app)};
  write_out(shell == "bash"  ? bash_text(commands, program)
            : shell == "zsh" ? zsh_text(commands)
                             : fish_text(commands));
  return kExitOk;
}

}  // namespace

void add_completion_command(CLI::App* app, Action* action) {
  auto shell = std::make_shared<std::string>();  // shared with the action that outlives this call
  CLI::App* command = app->add_subcommand("completion", "Print what completes quire in a shell");
  command->footer("Example:\n  source <(quire completion bash)");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback(
      [app, shell, action] { *action = [app, shell] { return print_completion(*app, *shell); }; });
}

}  // namespace quire::cli
