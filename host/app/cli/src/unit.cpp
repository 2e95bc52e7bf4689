#include "unit.hpp"

#include "range.hpp"
#include "sha256.hpp"
#include "show.hpp"

#include "sureflash/base/text.hpp"
#include "sureflash/update/dfu_mode.hpp"

namespace sureflash::cli {
namespace {

std::string digest(const image::Image& image) {
  std::string bytes;
  for (const image::Segment& s : image.segments()) bytes.append(s.data.begin(), s.data.end());
  return sha256(bytes);
}

/// --entry: one word for the way, or where the code lies.
Result<update::EntryOptions> entry_options(const Options& options, const update::Target& target) {
  constexpr std::pair<std::string_view, update::WayBack> kWays[] = {
      {"pin", update::WayBack::BootPin},
      {"jump", update::WayBack::EntryCode},
      {"empty", update::WayBack::EmptyCheck},
      {"loader", update::WayBack::OwnLoader}};
  update::EntryOptions entry{.keep = options.keep_entry};
  for (const std::string& word : options.entry) {
    const auto* way =
        std::ranges::find(kWays, word, &std::pair<std::string_view, update::WayBack>::first);
    if (way != std::end(kWays)) {
      entry.way = way->second;
      continue;
    }
    TRY_ASSIGN(const AddressRange range, parse_range(word, target));
    entry.code.push_back(range);
  }
  if (!entry.code.empty() &&
      entry.way.value_or(update::WayBack::EntryCode) != update::WayBack::EntryCode) {
    return fail(Errc::Usage, "--entry: only the code of a jump has a place");
  }
  return entry;
}

Result<update::PlanOptions> plan_options(const Options& options, const update::Target& target) {
  constexpr double kWordVolts = 2.7;
  TRY_ASSIGN(update::EntryOptions entry, entry_options(options, target));
  return update::PlanOptions{
      .vector_table =
          options.data ? update::VectorTableCheck::Skip : update::VectorTableCheck::Require,
      .may_wipe = options.may_wipe,
      .new_chip = options.new_chip,
      .width = options.vdd >= kWordVolts ? stm32::ProgramWidth::Word : stm32::ProgramWidth::Usual,
      .entry = std::move(entry),
      .repair = options.repair};
}

/// Whether the code of the way back has to change, which --keep-entry refuses, shows only when the
/// flash was compared.
update::PlanOptions before_comparing(const Options& options, update::PlanOptions how) {
  how.entry.keep = how.entry.keep && options.full;
  return how;
}

class UnitJob {
 public:
  UnitJob(const UnitRequest& request, Unit& unit) : request_(request), unit_(unit) {}

  Task<> run() {
    co_await update::enter_dfu_mode(update::kDfuModeTimeout);
    unit_.target = co_await update::identify(request_.identify);
    const update::Target& target = *unit_.target;
    unit_.name.serial = target.descriptors.serial;
    if (target.unique_id) unit_.name.uid = digits(*target.unique_id);
    if (target.descriptors.dfu.dfuse) {
      co_await program(target);
    } else {
      co_await download(target);
    }
  }

 private:
  Task<> program(const update::Target& target) {
    if (!request_.image) co_await fail(Errc::NeedsBase);
    // The pre-flight comes before any reading, and before a row is taken.
    const auto how = co_await plan_options(request_.options, target);
    static_cast<void>(co_await update::make_plan(target, *request_.image,
                                                 before_comparing(request_.options, how)));
    const image::Image image = co_await image_of_this_unit();
    unit_.image_sha256 = digest(image);
    auto done = co_await caught(program(target, image));
    if (unit_.row && !request_.options.dry_run) co_await settle_row(done.has_value());
    co_await std::move(done);
    if (request_.options.run && !request_.options.dry_run) {
      co_await update::start(target, unit_.plan->start);
      unit_.started = true;
    }
  }

  Result<image::Image> image_of_this_unit() {
    if (request_.rows == nullptr) return *request_.image;
    if (request_.options.dry_run) {
      return patched(*request_.image, request_.patches, request_.rows->table(),
                     request_.rows->table().rows.front());
    }
    TRY_ASSIGN(const std::size_t row, request_.rows->take(unit_.name));
    auto image = patched(*request_.image, request_.patches, request_.rows->table(),
                         request_.rows->table().rows[row]);
    if (image) {
      unit_.row = row;
      return image;
    }
    TRY(request_.rows->give_back(row, unit_.name));
    return image;
  }

  Task<> program(const update::Target& target, const image::Image& image) {
    Planned planned = co_await plan_program(request_.options, target, image);
    if (planned.survey) unit_.compare_time = planned.survey->took;
    unit_.plan = std::move(planned.plan);
    if (request_.options.dry_run) co_return;
    unit_.outcome = co_await update::program(target, *unit_.plan, unit_.seen);
    if (!unit_.outcome->proven) {
      co_await fail(Error(Errc::CannotUpload, "written, but nothing is proven").in(Stage::Verify));
    }
  }

  Task<> settle_row(bool proven) {
    if (proven) {
      co_await request_.rows->use(*unit_.row, unit_.name);
    } else {
      co_await request_.rows->give_back(*unit_.row, unit_.name);
      unit_.row.reset();
    }
  }

  Task<> download(const update::Target& target) {
    if (request_.rows != nullptr) {
      co_await fail(Errc::Unsupported, "a device without DfuSe has no addresses to patch");
    }
    const Bytes file = co_await load_firmware(request_.options, target);
    unit_.image_sha256 = sha256({reinterpret_cast<const char*>(file.data()), file.size()});
    if (request_.options.dry_run) co_return;
    unit_.outcome = co_await update::download(target, file, unit_.seen);
    if (!unit_.outcome->proven) {
      co_await fail(Error(Errc::CannotUpload, "written, but nothing is proven").in(Stage::Verify));
    }
  }

  static std::unexpected<Error> fail(Error error) { return sureflash::fail(std::move(error)); }
  static std::unexpected<Error> fail(Errc code, std::string detail = {}) {
    return sureflash::fail(code, std::move(detail));
  }

  const UnitRequest& request_;
  Unit& unit_;
};

}  // namespace

Task<Planned> plan_program(const Options& options, const update::Target& target,
                           const image::Image& image) {
  update::PlanOptions how = co_await plan_options(options, target);
  // Named: GCC 12 destroys temporaries of a braced list around co_await twice.
  const update::PlanOptions first = before_comparing(options, how);
  Planned planned;
  planned.plan = co_await update::make_plan(target, image, first);
  if (options.full) co_return planned;
  planned.survey = co_await update::survey(target, image, first);
  how.survey = planned.survey;
  planned.plan = co_await update::make_plan(target, image, how);
  co_return planned;
}

Result<const stm32::Chip*> chosen_chip(const Options& options) {
  if (options.chip.empty()) return nullptr;
  const stm32::Chip* chip = stm32::find_chip(options.chip);
  if (chip != nullptr) return chip;
  std::string why = "no chip is called \"" + options.chip + "\"";
  const auto several = stm32::find_chips(options.chip);
  if (!several.empty()) {
    why = "\"" + options.chip + "\" may be";
    for (const stm32::Chip* c : several) why += " " + std::string(c->name);
  }
  return fail(Errc::Usage, why);
}

Task<> program_unit(const UnitRequest& request, Unit& unit) {
  const Duration began = co_await time_of_last_answer();
  UnitJob job(request, unit);
  auto done = co_await caught(job.run());
  unit.took = co_await time_of_last_answer() - began;
  if (done) co_return;
  unit.error = std::move(done).error();
  if (!unit.target) co_return;
  auto causes = co_await caught(update::diagnose(*unit.target, *unit.error, unit.seen));
  if (causes) unit.findings = *std::move(causes);
}

}  // namespace sureflash::cli
