#include "commands.hpp"
#include "failure.hpp"
#include "files.hpp"
#include "range.hpp"
#include "show.hpp"
#include <fmt/format.h>

#include "sureflash/base/text.hpp"

namespace sureflash::cli {
namespace {

std::string extension(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  const std::size_t slash = path.rfind('/');
  if (dot == std::string::npos || (slash != std::string::npos && dot < slash)) return {};
  return path.substr(dot + 1);
}

Result<image::Format> wanted_format(const Options& options) {
  const std::string word =
      options.output_format.empty() ? extension(options.output_file) : options.output_format;
  const auto format = image::format_from_name(word);
  if (!format) {
    return fail(
        Error(Errc::FormatUnknown, "say what to write with --to (bin, hex, srec, dfu, dfuse, uf2)")
            .named(options.output_file));
  }
  return *format;
}

Error no_usb_id(const std::string& word) {
  return Error(Errc::Usage, "\"" + word + "\" is no VID:PID (as in 0483:df11)");
}

}  // namespace

int image_info(const Options& options, Output& output) {
  auto loaded = load_image(options);
  if (!loaded) return report(output, loaded.error());
  show_image(output, options.file, loaded->format, loaded->image);
  output.result("image info", {{"file", options.file},
                               {"format", image::name(loaded->format)},
                               {"image", to_json(loaded->image)}});
  return 0;
}

int image_convert(const Options& options, Output& output) {
  auto loaded = load_image(options);
  if (!loaded) return report(output, loaded.error());
  for (const std::string& warning : loaded->image.warnings) output.warning(warning);
  auto format = wanted_format(options);
  if (!format) return report(output, format.error());
  image::WriteOptions write;
  if (loaded->image.ids) write.ids = *loaded->image.ids;
  if (!options.usb_id.empty()) {
    const auto id = parse_usb_id(options.usb_id);
    if (!id) return report(output, no_usb_id(options.usb_id));
    write.ids = image::DfuIds{.idVendor = id->vendor, .idProduct = id->product};
  }
  if (options.alt_setting) write.alt_setting = static_cast<std::uint8_t>(*options.alt_setting);
  auto bytes = image::write(*format, loaded->image, write);
  if (!bytes) return report(output, std::move(bytes).error().named(options.output_file));
  if (auto done = write_file(options.output_file, *bytes, output.out()); !done) {
    return report(output, done.error());
  }
  if (options.output_file != "-") {
    output.good(fmt::format("done: {}, {} as {}", options.output_file, text_size(bytes->size()),
                            image::name(*format)));
  }
  output.result(
      "image convert",
      {{"file", options.output_file}, {"format", image::name(*format)}, {"bytes", bytes->size()}});
  return 0;
}

}  // namespace sureflash::cli
