#include "output.hpp"

#include <algorithm>
#include <cstdlib>

#include "interrupt.hpp"
#include "terminal.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

constexpr int kBarWidth = 28;
constexpr Duration kRedraw = 100ms;
constexpr std::string_view kSchema = "sureflash/1";

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

std::string capitalized(std::string_view s) {
  std::string r(s);
  if (!r.empty() && r[0] >= 'a' && r[0] <= 'z') r[0] = static_cast<char>(r[0] - 'a' + 'A');
  return r;
}

}  // namespace

std::string_view name(Progress::Activity activity) {
  switch (activity) {
    case Progress::Activity::Reading:
      return "reading";
    case Progress::Activity::Erasing:
      return "erasing";
    case Progress::Activity::Writing:
      return "writing";
    case Progress::Activity::Verifying:
      return "verifying";
    case Progress::Activity::Leaving:
      return "starting";
    case Progress::Activity::Waiting:
      return "waiting";
  }
  return "working";
}

Output::Output(Streams streams, bool json, ColorMode color)
    : streams_(streams), json_(json), color_(color) {
  if (color == ColorMode::Auto) {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* no_color = std::getenv("NO_COLOR");
    if (no_color != nullptr && no_color[0] != '\0') color_ = ColorMode::Never;
  }
}

std::string Output::styled(std::string_view text, fmt::text_style style, bool terminal) const {
  if (color_ == ColorMode::Never || (color_ == ColorMode::Auto && !terminal)) {
    return std::string(text);
  }
  return fmt::format(style, "{}", text);
}

std::FILE* Output::err() const {
  std::fflush(streams_.out);
  return streams_.err;
}

void Output::line(std::string_view text) {
  if (!json_) fmt::print(streams_.out, "{}\n", text);
}

void Output::field(std::string_view label, std::string_view text) {
  if (json_) return;
  const std::string padded = fmt::format("{:<10}", label);
  fmt::print(streams_.out, "{}{}\n", styled(padded, fmt::emphasis::bold, streams_.out_is_terminal),
             text);
}

void Output::good(std::string_view text) {
  line(styled(text, fmt::fg(fmt::terminal_color::green) | fmt::emphasis::bold,
              streams_.out_is_terminal));
}

void Output::warning(std::string_view text) {
  end_progress();
  if (json_) return event("warning", {{"text", text}});
  fmt::print(err(), "{} {}\n",
             styled("warning:", fmt::fg(fmt::terminal_color::yellow) | fmt::emphasis::bold,
                    streams_.err_is_terminal),
             text);
}

void Output::note(std::string_view text) {
  end_progress();
  if (!json_) fmt::print(err(), "{}\n", text);
}

void Output::event(std::string_view type, const Json& object) {
  if (!json_) return;
  Json line = {{"schema", kSchema}, {"type", type}};
  line.update(object);
  fmt::print(streams_.out, "{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
  std::fflush(streams_.out);
}

void Output::result(std::string_view command, const Json& object) {
  Json head = {{"command", command}, {"ok", true}};
  head.update(object);
  event("result", head);
}

void Output::progress(const Progress& progress, Duration now) {
  if (activity_ != progress.activity) {
    end_progress();
    activity_ = progress.activity;
    activity_began_ = now;
    first_done_ = progress.done;
    last_drawn_ = Duration::min();
    if (!json_ && !streams_.err_is_terminal) {
      fmt::print(err(), "{}{}\n", name(progress.activity),
                 progress.total > 0 ? " " + text_size(progress.total) : std::string());
    }
  }
  const bool last = progress.done >= progress.total;
  if (last_drawn_ != Duration::min() && now - last_drawn_ < kRedraw && !last) return;
  last_drawn_ = now;
  if (json_) {
    event("progress", {{"activity", name(progress.activity)},
                       {"done", progress.done},
                       {"total", progress.total},
                       {"at", to_json(progress.at)}});
  } else if (streams_.err_is_terminal && progress.total > 0) {
    draw_bar(progress, now);
  }
}

void Output::draw_bar(const Progress& p, Duration now) {
  const double share = static_cast<double>(p.done) / static_cast<double>(p.total);
  const int full = static_cast<int>(share * kBarWidth);
  std::string bar(static_cast<std::size_t>(full), '#');
  bar.resize(kBarWidth, '.');
  std::string rest;
  const double elapsed = seconds(now - activity_began_);
  const auto moved = static_cast<double>(p.done - first_done_);
  if (elapsed > 0.2 && moved > 0) {
    const double rate = moved / elapsed;
    const double left = static_cast<double>(p.total - p.done) / rate;
    rest = fmt::format("{}/s", text_size(static_cast<std::uint64_t>(rate)));
    if (p.done < p.total) rest += fmt::format(", {:.0f} s left", left);
  }
  fmt::print(err(), "\r\x1b[2K{:<10}[{}] {:3.0f} %  {}", name(p.activity), bar, share * 100, rest);
  std::fflush(err());
  bar_is_open_ = true;
}

void Output::end_progress() {
  if (bar_is_open_) fmt::print(err(), "\n");
  bar_is_open_ = false;
  activity_.reset();
}

void Output::clear_table() {
  if (table_lines_ == 0) return;
  fmt::print(err(), "\x1b[{}A\r\x1b[J", table_lines_);
  std::fflush(streams_.err);
  table_lines_ = 0;
}

std::size_t Output::table_lines_max() const {
  constexpr std::size_t kUsual = 24;
  // The cursor stands in a line below.
  return std::max<std::size_t>(terminal_lines(streams_.err).value_or(kUsual), 3) - 1;
}

void Output::table(const std::vector<std::string>& lines) {
  clear_table();
  // Without wrapping at the edge, a line is a line and can be counted.
  std::string text = "\x1b[?7l";
  for (const std::string& line : lines) text += line + "\n";
  fmt::print(err(), "{}\x1b[?7h", text);
  std::fflush(streams_.err);
  table_lines_ = lines.size();
}

void Output::unit_failed(std::string_view port, const Error& error,
                         const std::vector<update::Finding>& findings, std::string_view and_now) {
  if (json_) return;
  const std::string failed = styled(
      "failed:", fmt::fg(fmt::terminal_color::red) | fmt::emphasis::bold, streams_.err_is_terminal);
  fmt::print(err(), "{:<9} {} {}{}{}\n", port, failed, message(error), and_now.empty() ? "" : "; ",
             and_now);
  if (findings.empty()) {
    fmt::print(err(), "            hint: {}\n", update::remedy(error).hint);
    return;
  }
  const update::Finding& first = findings.front();
  fmt::print(err(), "            cause: {} ({})\n", first.headline, update::name(first.certainty));
  if (!first.page.empty()) fmt::print(err(), "            more: docs/{}\n", first.page);
}

Json to_json(AddressRange range) {
  return {{"begin", range.begin}, {"end", range.end}};
}

Json to_json(const Error& error) {
  Json j = {{"code", static_cast<int>(error.code)},
            {"id", name(error.code)},
            {"stage", name(error.stage)},
            {"message", message(error)}};
  if (error.where.range) j["range"] = to_json(*error.where.range);
  if (error.where.block) j["block"] = *error.where.block;
  if (!error.where.name.empty()) j["name"] = error.where.name;
  if (!error.detail.empty()) j["detail"] = error.detail;
  if (error.device) {
    j["device"] = {{"status", sureflash::name(error.device->bStatus)},
                   {"state", sureflash::name(error.device->bState)},
                   {"poll_timeout_ms", error.device->bwPollTimeout_ms}};
  }
  if (error.os) j["os"] = *error.os;
  if (error.cause) j["cause"] = to_json(*error.cause);
  return j;
}

Json to_json(const update::Finding& f) {
  Json j = {{"id", f.id},
            {"severity", update::name(f.severity)},
            {"certainty", update::name(f.certainty)},
            {"headline", f.headline},
            {"evidence", f.evidence},
            {"what_to_do", f.what_to_do}};
  if (!f.page.empty()) j["page"] = fmt::format("docs/{}", f.page);
  return j;
}

void Output::finding(std::FILE* to, bool terminal, const update::Finding& f) {
  const std::string_view label = f.severity == update::Severity::Note ? "note:" : "cause:";
  fmt::print(to, "\n{} {} ({})\n",
             styled(label, fmt::fg(fmt::terminal_color::cyan) | fmt::emphasis::bold, terminal),
             f.headline, update::name(f.certainty));
  if (!f.evidence.empty()) fmt::print(to, "  evidence\n");
  for (const std::string& e : f.evidence) fmt::print(to, "    - {}\n", e);
  if (!f.what_to_do.empty()) fmt::print(to, "  what to do\n");
  for (const std::string& w : f.what_to_do) fmt::print(to, "    - {}\n", w);
  if (!f.page.empty()) fmt::print(to, "  more: docs/{}\n", f.page);
}

void Output::show(const update::Finding& f) {
  end_progress();
  if (!json_) finding(streams_.out, streams_.out_is_terminal, f);
}

void Output::error(const Error& error, const std::vector<update::Finding>& findings) {
  end_progress();
  causes_ = findings;
  const update::Remedy advice = update::remedy(error);
  if (json_) {
    Json j = to_json(error);
    j["hint"] = advice.hint;
    j["findings"] = Json::array();
    for (const update::Finding& f : findings) j["findings"].push_back(to_json(f));
    event("error", {{"ok", false}, {"error", std::move(j)}});
    return;
  }
  fmt::print(err(), "{} {}\n",
             styled("error:", fmt::fg(fmt::terminal_color::red) | fmt::emphasis::bold,
                    streams_.err_is_terminal),
             message(error));
  for (const Error* cause = error.cause.get(); cause != nullptr; cause = cause->cause.get()) {
    fmt::print(err(), "  {}\n", message(*cause));
  }
  if (findings.empty()) {
    fmt::print(err(), "  hint: {}\n", advice.hint);
    if (!advice.page.empty()) fmt::print(err(), "  more: docs/{}\n", advice.page);
  }
  for (const update::Finding& f : findings) finding(err(), streams_.err_is_terminal, f);
}

void Output::failed(std::string_view text, std::string_view hint) {
  end_progress();
  if (json_) return;
  fmt::print(err(), "{} {}\n  hint: {}\n",
             styled("error:", fmt::fg(fmt::terminal_color::red) | fmt::emphasis::bold,
                    streams_.err_is_terminal),
             text, hint);
}

bool Output::ask(std::string_view question) {
  end_progress();
  fmt::print(err(), "{} [y/N] ", question);
  std::fflush(err());
  char answer[16] = {};
  if (!wait_for_input()) {
    fmt::print(err(), "\n");
    return false;
  }
  if (std::fgets(answer, sizeof answer, stdin) == nullptr) return false;
  return capitalized(answer).starts_with('Y');
}

}  // namespace sureflash::cli
