#include "failure.hpp"

#include "surroundings.hpp"
#include "unit.hpp"

#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::cli {

int report(Output& output, const Error& error) {
  update::Evidence evidence;
  evidence.error = &error;
  evidence.around = surroundings(error);
  output.error(error, update::find_causes(evidence));
  return static_cast<int>(exit_code(error.code));
}

int report(Output& output, Device& device, const update::Target& target, const Error& error,
           const update::Observations& seen) {
  output.end_progress();
  // A diagnosis runs without progress, and also after the first Ctrl-C.
  auto findings = transport::run(device.transport(), update::diagnose(target, error, seen));
  output.error(error, findings ? *findings : std::vector<update::Finding>{});
  if (auto saved = device.save(); !saved) output.warning(message(saved.error()));
  return static_cast<int>(exit_code(error.code));
}

std::optional<Opened> open_target(const Options& options, Output& output, int& exit, Mode mode,
                                  std::optional<proto::StatusReply>* found) {
  update::IdentifyOptions identify;
  const auto chip = chosen_chip(options);
  if (!chip) {
    exit = report(output, chip.error());
    return std::nullopt;
  }
  identify.chip = *chip;
  auto device = Device::open(options);
  if (!device) {
    exit = report(output, device.error());
    return std::nullopt;
  }
  if (mode == Mode::Dfu) {
    auto entered = (*device)->run(update::enter_dfu_mode(update::kDfuModeTimeout), output);
    if (!entered) {
      exit = report(output, std::move(entered).error().in(Stage::Open));
      return std::nullopt;
    }
    if (*entered == update::EnteredDfuMode::Detached) {
      output.note("the application was running; it was told to enter DFU mode");
    }
  }
  if (found != nullptr) {
    auto state = (*device)->run(update::look_at_state(), output);
    if (state) *found = *state;
  }
  auto target = (*device)->run(update::identify(identify), output);
  if (!target) {
    Error error = std::move(target).error();
    if (error.stage == Stage::None) error.stage = Stage::Identify;
    exit = report(output, error);
    return std::nullopt;
  }
  for (const std::string& warning : target->warnings) output.warning(warning);
  return Opened{*std::move(device), *std::move(target)};
}

}  // namespace sureflash::cli
