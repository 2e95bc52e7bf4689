#include "command_line.hpp"
#include "exit_code.hpp"
#include <fmt/format.h>

namespace sureflash::cli {
namespace {

/// Text for troff: backslashes, hyphens that a reader copies, and dots that begin a line.
std::string troff(std::string_view text) {
  std::string s;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) s += "\\&";
    if (c == '\\') {
      s += "\\e";
    } else if (c == '-') {
      s += "\\-";
    } else {
      s += c;
    }
    line_start = c == '\n';
  }
  return s;
}

void append_options(std::string& page, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_name(false, true) == "-h,--help") continue;
    std::string head = option->get_name(option->get_positional(), true);
    if (!option->get_positional() && option->get_expected_max() > 0) {
      head += " " + option->get_type_name();
    }
    page += fmt::format(".TP\n.B {}\n{}\n", troff(head), troff(option->get_description()));
  }
}

std::vector<const CLI::App*> subcommands(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

void append_commands(std::string& page, const CLI::App& app, const std::string& prefix) {
  for (const CLI::App* sub : subcommands(app)) {
    const std::string name = prefix + sub->get_name();
    if (subcommands(*sub).empty()) {
      page += fmt::format(".SS {}\n{}.\n", troff(name), troff(sub->get_description()));
      append_options(page, *sub);
    }
    append_commands(page, *sub, name + " ");
  }
}

/// All words that may follow `path`: subcommands, and flags of the command and of the program.
struct Node {
  std::string path;
  std::vector<std::string> words;
};

void collect(std::vector<Node>& nodes, const CLI::App& app, const std::string& path,
             const std::vector<std::string>& global_flags) {
  Node node{path, {}};
  for (const CLI::App* sub : subcommands(app)) node.words.push_back(sub->get_name());
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) node.words.push_back("--" + name);
  }
  if (!path.empty()) {
    node.words.insert(node.words.end(), global_flags.begin(), global_flags.end());
  }
  nodes.push_back(node);
  for (const CLI::App* sub : subcommands(app)) {
    collect(nodes, *sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(),
            global_flags);
  }
}

std::vector<Node> completion_nodes(const CLI::App& app) {
  std::vector<std::string> global_flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (name != "help" && name != "version") global_flags.push_back("--" + name);
    }
  }
  std::vector<Node> nodes;
  collect(nodes, app, "", global_flags);
  return nodes;
}

/// bash; zsh runs the same through bashcompinit.
std::string bash_completion(const CLI::App& app) {
  std::string cases;
  for (const Node& node : completion_nodes(app)) {
    cases += fmt::format("    \"{}\") words=\"{}\" ;;\n", node.path, fmt::join(node.words, " "));
  }
  return fmt::format(
      R"(# completion for sureflash; load it with: source <(sureflash completion bash)
_sureflash() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case "$word" in
      -*) ;;
      *) case " {} " in *" ${{path:+$path }}$word "*|*"|${{path:+$path }}$word|"*) path="${{path:+$path }}$word" ;; esac ;;
    esac
  done
  case "$path" in
{}  esac
  COMPREPLY=($(compgen -W "$words" -- "$current") $(compgen -f -- "$current"))
}}
complete -o filenames -F _sureflash sureflash
)",
      [&] {
        std::string paths = "|";
        for (const Node& node : completion_nodes(app)) paths += node.path + "|";
        return paths;
      }(),
      cases);
}

std::string fish_completion(const CLI::App& app) {
  std::string s = "# completion for sureflash; save as ~/.config/fish/completions/sureflash.fish\n";
  for (const CLI::App* sub : subcommands(app)) {
    s += fmt::format("complete -c sureflash -n __fish_use_subcommand -a {} -d '{}'\n",
                     sub->get_name(), sub->get_description());
    for (const CLI::App* inner : subcommands(*sub)) {
      s += fmt::format("complete -c sureflash -n '__fish_seen_subcommand_from {}' -a {} -d '{}'\n",
                       sub->get_name(), inner->get_name(), inner->get_description());
    }
    for (const CLI::Option* option : sub->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        s +=
            fmt::format("complete -c sureflash -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n",
                        sub->get_name(), name, option->get_description());
      }
    }
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      s += fmt::format("complete -c sureflash -l {} -d '{}'\n", name, option->get_description());
    }
  }
  return s;
}

}  // namespace

std::string man_page(const CLI::App& app) {
  std::string page = fmt::format(
      ".TH SUREFLASH 1 \"\" \"sureflash {}\" \"User Commands\"\n"
      ".SH NAME\nsureflash \\- {}\n"
      ".SH SYNOPSIS\n.B sureflash\n[OPTIONS] COMMAND [ARGUMENTS]\n"
      ".SH OPTIONS\n",
      SUREFLASH_VERSION, troff(app.get_description()));
  append_options(page, app);
  page += ".SH COMMANDS\n";
  append_commands(page, app, "");
  page += ".SH EXIT STATUS\n.nf\n" + troff(exit_code_help()) + ".fi\n";
  return page;
}

std::string completion(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_completion(app);
  if (shell == "zsh") return "autoload -U +X bashcompinit && bashcompinit\n" + bash_completion(app);
  if (shell == "fish") return fish_completion(app);
  return {};
}

}  // namespace sureflash::cli
