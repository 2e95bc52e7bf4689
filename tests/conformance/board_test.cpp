// Goal: the instruction-level board is a USB device for programs that nobody here wrote: with a
// cable in, the example application hands it to the ROM, dfu-util programs the next version and
// leaves, and that version runs. Method: dfu-util as Debian ships it, on a testbed; then the pin of
// the light.
#include "sureflash/sim/board/board.hpp"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>

#include "sureflash/sim/export_test/testbed_fixture.hpp"

namespace sureflash::sim {
namespace {

using testing::HasSubstr;

Bytes read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> text((std::istreambuf_iterator<char>(in)), {});
  return {text.begin(), text.end()};
}

class BoardConformance : public TestbedFixture {
 protected:
  void TearDown() override {
    TestbedFixture::TearDown();
    board_.reset();
  }
  void plug(BoardOptions options) {
    const Bytes image = read_file(examples_ / "vbus-dfu.bin");
    ASSERT_FALSE(image.empty());
    const BoardSegment segment{0x08000000, image};
    auto board = Board::create(options, {&segment, 1});
    ASSERT_TRUE(board) << message(board.error());
    board_ = *std::move(board);
    board_->set_observer([this](const BoardEvent& event) {
      if (std::holds_alternative<PinChanged>(event.what)) ++toggles_;
    });
    add(*board_);
    serve();
  }
  bool runs_application() {
    return eventually([this] { return board_->state() == BoardState::Running; });
  }

  const std::filesystem::path examples_ = SUREFLASH_EXAMPLES "/vbus-dfu";
  std::unique_ptr<Board> board_;
  std::size_t toggles_ = 0;
};

TEST_F(BoardConformance, DfuUtilFindsTheRomThatTheApplicationEntered) {
  plug({});
  const Outcome list = run("dfu-util -l");
  EXPECT_EQ(list.status, 0);
  EXPECT_THAT(list.output, HasSubstr("alt=0, name=\"@Internal Flash  /0x08000000/128*002Kg\""));
}

TEST_F(BoardConformance, DfuUtilProgramsTheNextApplicationAndItRuns) {
  plug({.hse_hz = 14'745'600});
  const Bytes next = read_file(examples_ / "vbus-dfu-next.bin");
  std::filesystem::copy(examples_ / "vbus-dfu-next.bin", folder_ / "next.bin");
  const Outcome down = run("dfu-util -a 0 -s 0x08000000:leave -D next.bin");
  EXPECT_EQ(down.status, 0) << down.output;
  ASSERT_TRUE(runs_application());
  const std::scoped_lock lock(loop_.mutex());
  const ByteView flash = board_->chip().flash().bytes().first(next.size());
  EXPECT_EQ(Bytes(flash.begin(), flash.end()), next);
  toggles_ = 0;
  board_->advance_to(board_->now() + 10s);
  EXPECT_NEAR(static_cast<double>(toggles_), 80, 1);
}

}  // namespace
}  // namespace sureflash::sim
