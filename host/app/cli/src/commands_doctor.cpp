#include "bundle.hpp"
#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include "range.hpp"
#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/update/evidence.hpp"

namespace sureflash::cli {
namespace {

/// The sector that --may-write names.
Result<AddressRange> trial_sector(const std::string& word, const update::Target& target) {
  TRY_ASSIGN(const AddressRange range, parse_range(word, target));
  const update::Area* flash = target.flash();
  const auto sectors = flash->map.sectors(range);
  if (sectors.size() != 1) {
    return fail(Error(Errc::Usage, "--may-write names one sector").in(Stage::Plan));
  }
  return sectors.front();
}

/// nullopt: not wanted, or reported (then `exit` is set).
std::optional<update::Trial> trial(const Options& options, Output& output, Opened& opened,
                                   int& exit) {
  if (options.may_write.empty()) return std::nullopt;
  auto sector = trial_sector(options.may_write, opened.target);
  if (!sector) {
    exit = report(output, sector.error());
    return std::nullopt;
  }
  output.line(
      fmt::format("trial     {} is erased and written, then its content is put back; a "
                  "power cut in between loses it",
                  text(*sector)));
  if (!options.yes && output.interactive() && !output.ask("Go on?")) {
    exit = report(output, Error(Errc::Interrupted, "nothing was changed"));
    return std::nullopt;
  }
  auto done = opened.device->run(update::try_sector(opened.target, *sector), output);
  if (auto saved = opened.device->save(); !saved) output.warning(message(saved.error()));
  if (done) return *std::move(done);
  exit = report(output, done.error());
  return std::nullopt;
}

void show_trial(Output& output, const update::Trial& trial) {
  if (trial.error) {
    output.field("trial", "failed: " + message(*trial.error));
  } else {
    output.field("trial", fmt::format("erased in {}, written in {}, read back and right",
                                      text(trial.seen.erase->took), text(trial.seen.write->took)));
  }
}

/// Writes the support bundle, if one is wanted. `opened` is null when there is no device.
int keep_bundle(const Options& options, Output& output, const Opened* opened,
                const std::vector<update::Finding>& findings, int exit) {
  if (options.bundle.empty()) return exit;
  const std::string text =
      support_bundle(opened, findings).dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  auto written = write_file(options.bundle, Bytes(text.begin(), text.end()), output.out());
  if (!written) return report(output, written.error());
  output.line(fmt::format("bundle    {}: look through it before you send it", options.bundle));
  return exit;
}

int conclude(Output& output, const std::vector<update::Finding>& findings) {
  Json list = Json::array();
  int problems = 0;
  for (const update::Finding& f : findings) {
    problems += f.severity == update::Severity::Problem ? 1 : 0;
    output.show(f);
    list.push_back(to_json(f));
  }
  if (problems == 0) output.good("nothing is in the way of an update");
  output.result("doctor", {{"problems", problems}, {"findings", std::move(list)}});
  return static_cast<int>(problems == 0 ? ExitCode::Done : ExitCode::Device);
}

}  // namespace

int doctor(const Options& options, Output& output) {
  int exit = 0;
  std::optional<proto::StatusReply> found;
  auto opened = open_target(options, output, exit, Mode::AsItIs, &found);
  if (!opened) return keep_bundle(options, output, nullptr, output.causes_of_last_error(), exit);
  show_device(output, opened->device->label(), opened->target);
  const auto tried = trial(options, output, *opened, exit);
  if (exit != 0) return exit;
  if (tried) show_trial(output, *tried);
  const Error* error = tried && tried->error ? &*tried->error : nullptr;
  auto evidence = opened->device->run(
      update::gather(opened->target, error, tried ? tried->seen : update::Observations{}), output);
  if (!evidence) return report(output, evidence.error());
  evidence->found = found;
  const auto findings = update::find_causes(*evidence);
  return keep_bundle(options, output, &*opened, findings, conclude(output, findings));
}

}  // namespace sureflash::cli
