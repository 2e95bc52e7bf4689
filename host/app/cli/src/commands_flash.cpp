#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include "program_many.hpp"
#include "range.hpp"
#include "show.hpp"
#include "unit.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"
#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::cli {
namespace {

/// Keeps the chip and says "done", if there is proof: how every job that changes flash ends.
int finish(Output& output, Device& device, const update::Outcome& outcome,
           const std::string& done) {
  for (const std::string& warning : outcome.warnings) output.warning(warning);
  if (auto saved = device.save(); !saved) return report(output, saved.error());
  if (outcome.proven) {
    output.good("done: " + done);
  } else {
    output.error(Error(Errc::CannotUpload, "written, but nothing is proven").in(Stage::Verify), {});
  }
  return static_cast<int>(outcome.proven ? ExitCode::Done : ExitCode::Mismatch);
}

bool consent(const Options& options, Output& output, std::string_view question) {
  return options.yes || !output.interactive() || output.ask(question);
}

int start(Output& output, Opened& opened, std::uint32_t address) {
  auto started = opened.device->run(update::start_and_watch(opened.target, address), output);
  if (!started) return report(output, *opened.device, opened.target, started.error(), {});
  update::Evidence evidence;
  evidence.target = &opened.target;
  evidence.start_answer = started->answer;
  if (started->answer) {
    for (const update::Finding& note : update::find_causes(evidence)) {
      if (note.id == "start-answer") output.show(note);
    }
  }
  if (auto saved = opened.device->save(); !saved) return report(output, saved.error());
  output.line(fmt::format("started the program at {}", hex(address)));
  return 0;
}

/// A device without DfuSe: it alone knows where the firmware goes.
int download(const Options& options, Output& output, Opened& opened) {
  auto file = load_firmware(options, opened.target);
  if (!file) return report(output, file.error());
  output.field("image", fmt::format("{}: {}", options.file, text_size(file->size())));
  show_device(output, opened.device->label(), opened.target);
  output.field("plan", fmt::format("download {}; the device decides where it goes",
                                   text_size(file->size())));
  if (options.dry_run) {
    output.line("dry run: nothing was written");
    output.result("program", {{"dry_run", true}});
    return 0;
  }
  if (!consent(options, output, "Go on?")) {
    return report(output, Error(Errc::Interrupted, "nothing was changed"));
  }
  update::Observations seen;
  auto outcome = opened.device->run(update::download(opened.target, *file, seen), output);
  if (!outcome) return report(output, *opened.device, opened.target, outcome.error(), seen);
  const int code = finish(output, *opened.device, *outcome,
                          fmt::format("{} downloaded in {}, read back and equal to the file",
                                      text_size(file->size()), text(outcome->write_time)));
  if (code == 0) output.result("program", to_json(*outcome));
  return code;
}

/// The plan, after comparing.
Result<update::Plan> plan_opened(const Options& options, Output& output, Opened& opened,
                                 const image::Image& image) {
  auto planned = opened.device->run(plan_program(options, opened.target, image), output);
  output.end_progress();
  if (!planned) return fail(std::move(planned).error());
  if (planned->survey && planned->survey->stopped) {
    output.note("comparing was ended early: nearly everything differs");
  }
  return std::move(planned->plan);
}

int program_opened(const Options& options, Output& output, Opened& opened,
                   const LoadedImage& loaded, const update::Plan& plan) {
  update::Observations seen;
  auto outcome = opened.device->run(update::program(opened.target, plan, seen), output);
  if (!outcome) return report(output, *opened.device, opened.target, outcome.error(), seen);
  const Duration took = outcome->erase_time + outcome->write_time + outcome->verify_time;
  int code = finish(output, *opened.device, *outcome,
                    fmt::format("{} programmed in {}, read back and equal to the file",
                                text_size(loaded.image.size()), text(took)));
  if (code == 0 && options.run) code = start(output, opened, plan.start);
  if (code == 0) output.result("program", to_json(*outcome));
  return code;
}

/// The sectors in which something differs, joined, and the bytes in them.
void show_differences(Output& output, const update::Target& target,
                      std::span<const AddressRange> differences) {
  if (differences.empty()) return;
  Json sectors = Json::array();
  const auto show = [&](AddressRange sector, std::uint64_t bytes) {
    output.note(fmt::format("  differs: {}  {} in it", text(sector), count(bytes, "byte")));
    sectors.push_back({{"range", to_json(sector)}, {"bytes", bytes}});
  };
  AddressRange run;
  std::uint64_t bytes = 0;
  for (const AddressRange& d : differences) {
    const update::Area* area = target.area_at(d.begin);
    if (area == nullptr) continue;
    for (const AddressRange& sector : area->map.sectors(d)) {
      if (!run.empty() && sector.begin > run.end) {
        show(run, bytes);
        run = {};
      }
      if (run.empty()) {
        run = sector;
        bytes = 0;
      }
      run.end = sector.end;
      bytes += d.intersection(sector).size();
    }
  }
  if (!run.empty()) show(run, bytes);
  if (differences.size() >= update::kDifferencesMax) {
    output.note("  and perhaps more: only the first places are remembered");
  }
  output.event("differences", {{"sectors", std::move(sectors)}});
}

}  // namespace

int program(const Options& options, Output& output) {
  // A file that cannot be right is found out before any device is touched; one without addresses
  // may be right for a device that knows where it goes.
  auto loaded = load_image(options);
  if (!loaded && loaded.error().code != Errc::NeedsBase) return report(output, loaded.error());
  if (concerns_many(options)) return program_many(options, output, loaded);
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  if (!opened->target.descriptors.dfu.dfuse) return download(options, output, *opened);
  if (!loaded) return report(output, loaded.error());
  show_image(output, options.file, loaded->format, loaded->image);
  show_device(output, opened->device->label(), opened->target);
  auto plan = plan_opened(options, output, *opened, loaded->image);
  if (!plan) return report(output, *opened->device, opened->target, plan.error(), {});
  show_plan(output, *plan, options.dry_run ? PlanDetail::All : PlanDetail::Usual);
  output.event("plan", to_json(*plan));
  if (options.dry_run) {
    output.line("dry run: nothing was erased or written");
    output.result("program", {{"dry_run", true}, {"plan", to_json(*plan)}});
    return 0;
  }
  if (!consent(options, output, "Go on?")) {
    return report(output, Error(Errc::Interrupted, "nothing was changed"));
  }
  return program_opened(options, output, *opened, *loaded, *plan);
}

int verify(const Options& options, Output& output) {
  auto loaded = load_image(options);
  if (!loaded) return report(output, loaded.error());
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  update::Observations seen;
  auto outcome = opened->device->run(update::verify(opened->target, loaded->image, seen), output);
  if (!outcome) {
    show_differences(output, opened->target, seen.differences);
    return report(output, *opened->device, opened->target, outcome.error(), seen);
  }
  output.good(fmt::format("equal: {} read back in {}", text_size(outcome->bytes_verified),
                          text(outcome->verify_time)));
  output.result("verify", to_json(*outcome));
  return 0;
}

int read(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  const update::Area* flash = opened->target.flash();
  if (flash == nullptr && !options.address) {
    return report(output, *opened->device, opened->target, Error(Errc::NoLayout), {});
  }
  const std::uint64_t begin = options.address.value_or(flash ? flash->map.bounds().begin : 0);
  const update::Area* area = opened->target.area_at(begin);
  const std::uint64_t size = options.size.value_or(area ? area->map.bounds().end - begin : 0);
  auto bytes =
      opened->device->run(update::read(opened->target, AddressRange::sized(begin, size)), output);
  if (!bytes) return report(output, *opened->device, opened->target, bytes.error(), {});

  image::Image image;
  if (auto done = image.insert(static_cast<std::uint32_t>(begin), *bytes); !done) {
    return report(output, done.error());
  }
  const auto format = image::format_from_name(options.output_format.empty()
                                                  ? options.file.substr(options.file.rfind('.') + 1)
                                                  : options.output_format);
  auto file = image::write(format.value_or(image::Format::Binary), image);
  if (!file) return report(output, file.error());
  if (auto done = write_file(options.file, *file, output.out()); !done) {
    return report(output, done.error());
  }
  if (options.file != "-") {
    output.good(fmt::format("done: {} from {} into {}", text_size(size), hex(begin), options.file));
  }
  output.result("read", {{"file", options.file}, {"begin", begin}, {"size", size}});
  return 0;
}

int erase(const Options& options, Output& output) {
  if (options.all == !options.ranges.empty()) {
    return report(output, Error(Errc::Usage, "name sectors or ranges, or --all"));
  }
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  std::vector<AddressRange> ranges;
  for (const std::string& word : options.ranges) {
    auto range = parse_range(word, opened->target);
    if (!range) return report(output, range.error());
    ranges.push_back(*range);
  }
  if (options.all) {
    output.line("erase the whole flash (mass erase)");
  }
  for (const AddressRange& range : ranges) {
    for (const AddressRange& s : opened->target.flash()->map.sectors(range)) {
      output.line(fmt::format("erase {}  {}", text(s), text_size(s.size())));
    }
  }
  if (options.dry_run) {
    output.line("dry run: nothing was erased");
    output.result("erase", {{"dry_run", true}});
    return 0;
  }
  if (!consent(options, output, "Everything in there is lost. Go on?")) {
    return report(output, Error(Errc::Interrupted, "nothing was changed"));
  }
  update::Observations seen;
  auto job = options.all ? update::erase_all(opened->target, seen)
                         : update::erase(opened->target, ranges, seen);
  auto outcome = opened->device->run(std::move(job), output);
  if (!outcome) return report(output, *opened->device, opened->target, outcome.error(), seen);
  const int code = finish(output, *opened->device, *outcome,
                          fmt::format("{} erased in {} and proven blank",
                                      text_size(outcome->bytes_erased), text(outcome->erase_time)));
  if (code == 0) output.result("erase", to_json(*outcome));
  return code;
}

int run_program(const Options& options, Output& output) {
  int exit = 0;
  auto opened = open_target(options, output, exit);
  if (!opened) return exit;
  const update::Area* flash = opened->target.flash();
  const std::uint64_t address =
      options.address.value_or(flash != nullptr ? flash->map.bounds().begin : 0x08000000);
  const int code = start(output, *opened, static_cast<std::uint32_t>(address));
  if (code == 0) output.result("run", {{"address", address}});
  return code;
}

}  // namespace sureflash::cli
