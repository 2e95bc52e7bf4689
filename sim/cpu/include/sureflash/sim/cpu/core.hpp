#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "sureflash/sim/cpu/bus.hpp"
#include "sureflash/sim/cpu/instruction.hpp"

/// A Cortex-M3 as a value with a clock: ARMv7-M, no MPU, no debug unit.
/// Sources: ARMv7-M Architecture Reference Manual (DDI 0403E); Cortex-M3 Technical Reference Manual
/// (DDI 0337I); for numbers that vary by chip: ST RM0008 and PM0056.
namespace sureflash::sim::cpu {

struct Config {
  std::uint32_t cpuid = 0x412FC231;
  unsigned irq_count = 68;                   ///< 1 to 240. STM32F105: 68 (RM0008, 10.1.2).
  unsigned priority_bits = 4;                ///< 3 to 8
  std::uint32_t systick_calibration = 9000;  ///< SYST_CALIB (RM0008, 10.1.1)
  /// How often CLKSOURCE = 0 counts: HCLK / 8 on an STM32F1.
  unsigned systick_divider = 8;
  /// Silicon buffers stores: the fault comes late, without address, unless ACTLR.DISDEFWBUF is set.
  /// Off: store faults are always precise, which is kinder to people; never the other way round.
  bool imprecise_store_faults = false;
};

/// Exception numbers. Interrupt n is kIrq0 + n.
namespace exception {
inline constexpr unsigned kReset = 1, kNmi = 2, kHardFault = 3, kMemManage = 4, kBusFault = 5,
                          kUsageFault = 6, kSvCall = 11, kDebugMonitor = 12, kPendSv = 14,
                          kSysTick = 15, kIrq0 = 16;
}

/// Bits of CFSR. Source: DDI 0403E, B3.2.15.
namespace cfsr {
inline constexpr std::uint32_t kIaccViol = 1U << 0, kDaccViol = 1U << 1, kMUnstkErr = 1U << 3,
                               kMStkErr = 1U << 4, kMmarValid = 1U << 7, kIBusErr = 1U << 8,
                               kPreciseErr = 1U << 9, kImpreciseErr = 1U << 10,
                               kUnstkErr = 1U << 11, kStkErr = 1U << 12, kBfarValid = 1U << 15,
                               kUndefInstr = 1U << 16, kInvState = 1U << 17, kInvPc = 1U << 18,
                               kNoCp = 1U << 19, kUnaligned = 1U << 24, kDivByZero = 1U << 25;
}
/// Bits of HFSR. Source: DDI 0403E, B3.2.16.
namespace hfsr {
inline constexpr std::uint32_t kVectTbl = 1U << 1, kForced = 1U << 30, kDebugEvt = 1U << 31;
}

/// One bit per exception number.
class ExceptionSet {
 public:
  bool test(unsigned n) const { return (words_[n / 64] >> (n % 64) & 1) != 0; }
  void assign(unsigned n, bool on) {
    const std::uint64_t bit = std::uint64_t{1} << (n % 64);
    words_[n / 64] = on ? words_[n / 64] | bit : words_[n / 64] & ~bit;
  }
  const std::array<std::uint64_t, 4>& words() const { return words_; }

 private:
  std::array<std::uint64_t, 4> words_{};
};

/// Everything the core remembers. A copy is a snapshot.
struct State {
  std::array<std::uint32_t, 16> r{};  ///< r[13]: the stack pointer in use. r[15] is scratch: see pc
  std::uint32_t pc = 0;               ///< address of the next instruction
  std::uint32_t other_sp = 0;         ///< MSP or PSP, whichever is not in use
  bool uses_psp = false;              ///< CONTROL.SPSEL; handler mode never does
  bool n = false, z = false, c = false, v = false, q = false;
  bool thumb = true;
  std::uint8_t it = 0;  ///< ITSTATE (DDI 0403E, A7.3.3)
  std::uint16_t ipsr = 0;
  bool primask = false, faultmask = false, unprivileged = false;
  std::uint8_t basepri = 0;
  bool exclusive = false;
  bool event = false;
  enum class Sleep : std::uint8_t { Awake, UntilInterrupt, UntilEvent } sleep = Sleep::Awake;
  bool lockup = false;
  std::uint64_t cycles = 0;
  std::uint64_t instructions = 0;

  ExceptionSet pending, active, enabled, level;
  std::array<std::uint8_t, 256> priority{};
  std::uint32_t vtor = 0, prigroup = 0, scr = 0, ccr = 0, cfsr = 0, hfsr = 0, dfsr = 0, mmfar = 0,
                bfar = 0, actlr = 0, demcr = 0, dwt_ctrl = 0;
  std::uint64_t cyccnt_base = 0;  ///< cycles - CYCCNT, while counting
  std::uint32_t cyccnt_stopped = 0;

  /// SysTick counted `systick_value` at `systick_since`; everything later is computed.
  std::uint32_t systick_ctrl = 0, systick_reload = 0, systick_value = 0;
  std::uint64_t systick_since = 0;
};

/// Why `run` came back.
enum class Stop : std::uint8_t {
  Deadline,         ///< the time is over
  Breakpoint,       ///< at a breakpoint, before the instruction
  Watchpoint,       ///< behind the instruction that touched a watched address
  BkptInstruction,  ///< BKPT, before it, with halt_on_bkpt
  Stepped,
  ResetRequested,
  Lockup,     ///< in lockup: time passes, nothing runs until reset or NMI
  Requested,  ///< Core::request_stop
};

struct Branch {
  std::uint32_t from = 0;
  std::uint32_t to = 0;
};

/// A fault as it happened, for reports: exact even where the registers of the chip are not.
struct FaultRecord {
  std::uint16_t exception = 0;  ///< the exception taken; 0: lockup
  std::uint32_t pc = 0;         ///< the instruction that faulted
  std::uint32_t cfsr = 0;       ///< bits of this fault only
  std::uint32_t hfsr = 0;
  std::optional<std::uint32_t> address;
  std::uint64_t cycle = 0;
  std::array<std::uint32_t, 16> registers{};  ///< at the instruction; [15] is `pc`
  std::uint32_t xpsr = 0;
  std::vector<Branch> branches;  ///< that led there, oldest first
};

/// What silicon lets pass in silence and is wrong all the same.
enum class Mistake : std::uint8_t {
  StackOverflow,  ///< a push or an exception entry on the main stack went below the limit
  DividedByZero,  ///< the result was 0, as CCR.DIV_0_TRP is off
};
struct MistakeRecord {
  Mistake what = Mistake::StackOverflow;
  std::uint32_t pc = 0;                       ///< the instruction
  std::array<std::uint32_t, 16> registers{};  ///< behind it; [15] is `pc`
  std::uint32_t xpsr = 0;
  std::vector<Branch> branches;  ///< that led there, oldest first
};

/// Where the core was at some time.
struct Moment {
  std::array<std::uint32_t, 16> registers{};  ///< [15]: the next instruction
  std::uint32_t xpsr = 0;
  std::vector<Branch> branches;  ///< that led there, oldest first
};

enum class Access : std::uint8_t { Read = 1, Write = 2, ReadWrite = 3 };

class Core {
 public:
  explicit Core(Bus& bus, Config config = {});
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  /// Maps, or replaces what was mapped in the same 16 MiB. `size` 0 unmaps.
  void map(const Memory& memory);
  /// Power-on and system reset: registers as DDI 0403E, B1.5.5; SP and PC from the table at 0. The
  /// clock goes on.
  void reset();

  /// Runs until the clock reaches `until` (an instruction may end a few cycles later), or something
  /// stops it.
  Stop run(std::uint64_t until);
  /// One instruction: of the handler, if an exception comes first. Asleep or locked up: time passes
  /// to the next event; Stop::Deadline when there is none.
  Stop step();
  /// From within bus callbacks: come back from `run` after this instruction.
  void request_stop();

  /// Cycles since construction.
  std::uint64_t now() const { return s_.cycles; }
  std::uint64_t instructions() const { return s_.instructions; }
  /// Lets the core wait.
  void stall(std::uint64_t cycles) { s_.cycles += cycles; }
  /// Bus::next_event() moved forward while no access of the core was under way.
  void events_changed() { slice_end_ = 0; }

  /// Level of an interrupt line, 0 to irq_count - 1. A rising edge pends; so does a line still high
  /// on return.
  void set_irq(unsigned line, bool level);
  void pend_nmi();

  /// r0 to r15. 13: the stack pointer in use; 15: address of the next instruction.
  std::uint32_t reg(unsigned number) const;
  void set_reg(unsigned number, std::uint32_t value);
  std::uint32_t xpsr() const;
  void set_xpsr(std::uint32_t value);
  std::uint32_t msp() const { return s_.uses_psp ? s_.other_sp : s_.r[13]; }
  std::uint32_t psp() const { return s_.uses_psp ? s_.r[13] : s_.other_sp; }
  std::uint32_t control() const {
    return static_cast<std::uint32_t>(s_.uses_psp) << 1 |
           static_cast<std::uint32_t>(s_.unprivileged);
  }
  bool handler_mode() const { return s_.ipsr != 0; }
  bool asleep() const { return s_.sleep != State::Sleep::Awake; }
  bool locked_up() const { return s_.lockup; }

  /// Memory as a debugger sees it: no side effects, no faults. @returns bytes done before the first
  /// that is not there.
  std::size_t peek(std::uint32_t address, std::span<std::uint8_t> bytes);
  /// Stores as the core would, but into read-only memory too.
  std::size_t poke(std::uint32_t address, std::span<const std::uint8_t> bytes);

  void add_breakpoint(std::uint32_t address);
  void remove_breakpoint(std::uint32_t address);
  void add_watchpoint(std::uint32_t begin, std::uint32_t size, Access access);
  void remove_watchpoint(std::uint32_t begin);
  /// The address that was touched when run returned Stop::Watchpoint.
  std::uint32_t watch_hit() const { return watch_hit_; }
  /// BKPT stops `run` instead of being a fault.
  void set_halt_on_bkpt(bool on) { halt_on_bkpt_ = on; }

  /// From now on `run` comes back with Stop::Requested after a mistake: for stack overflow once,
  /// for divisions once for each place. @param[in] stack_limit  Lowest address that the main stack
  /// may use; 0: any.
  void watch_for_mistakes(std::uint32_t stack_limit);
  /// Those since the last call, oldest first.
  std::vector<MistakeRecord> take_mistakes() { return std::exchange(mistakes_, {}); }

  const std::optional<FaultRecord>& last_fault() const { return last_fault_; }
  /// What the last reset put an end to.
  const Moment& before_reset() const { return before_reset_; }
  /// Taken branches, exception entries and returns included, oldest first; at most 32.
  std::vector<Branch> last_branches() const;

  /// Memory is not part of it: its owner saves that.
  const State& state() const { return s_; }
  void restore(const State& state);

 private:
  struct Fault;
  struct Cached {
    std::uint32_t code = 0;
    Instruction instruction;
  };
  struct Watch {
    std::uint32_t begin, size;
    Access access;
  };
  static constexpr std::size_t kCacheSize = 1 << 14;

  // core.cpp
  void look_around();
  void run_slice();
  // execute.cpp
  template <bool kTraced>
  void execute_slice();
  const Instruction& fetch();
  const Instruction& fetch_slow();
  const Instruction* in_it_block(const Instruction& in);
  bool condition_holds(unsigned condition) const;
  void execute(const Instruction& in);
  // alu.hpp
  void write(unsigned reg, std::uint32_t value);
  std::uint32_t shift(Shift kind, unsigned amount, std::uint32_t value, bool& carry) const;
  std::uint32_t add(std::uint32_t x, std::uint32_t y, bool carry, bool sets_flags);
  std::uint32_t operand(const Instruction& in) const;
  void set_nz(std::uint32_t value);
  template <bool kKeeps = true, class F>
  void logic_imm(const Instruction& in, F f);
  template <bool kKeeps = true, class F>
  void logic_reg(const Instruction& in, F f);
  void shift_by_register(const Instruction& in, Shift kind);
  void branch(std::uint32_t target);
  void branch_exchange(std::uint32_t target);
  // execute_memory.cpp and the loads and stores of execute.cpp
  template <unsigned kSize, bool kSigned = false>
  void load_register(const Instruction& in, std::uint32_t address);
  template <unsigned kSize, bool kSigned = false>
  void load_indexed(const Instruction& in);
  template <unsigned kSize>
  void store_indexed(const Instruction& in);
  template <class F>
  void unprivileged(F access);
  void load_multiple(const Instruction& in, bool before);
  void store_multiple(const Instruction& in, bool before);
  void load_dual(const Instruction& in, std::uint32_t base);
  void store_dual(const Instruction& in);
  void load_exclusive(const Instruction& in, unsigned size);
  void store_exclusive(const Instruction& in, unsigned size);
  void table_branch(const Instruction& in, unsigned size);
  // execute_misc.cpp
  void multiply_long(const Instruction& in);
  void divide(const Instruction& in);
  void bit_field(const Instruction& in);
  void saturate(const Instruction& in);
  void extend(const Instruction& in);
  std::uint32_t read_special(std::uint32_t number) const;
  void write_special(const Instruction& in);
  void change_masks(const Instruction& in);
  void supervisor_call();
  void breakpoint_instruction();

  // access.hpp, access.cpp
  template <unsigned kSize>
  std::uint32_t load(std::uint32_t address);
  template <unsigned kSize>
  void store(std::uint32_t address, std::uint32_t value);
  std::uint32_t load_slow(std::uint32_t address, unsigned size);
  void store_slow(std::uint32_t address, unsigned size, std::uint32_t value);
  std::uint32_t load_aligned(std::uint32_t address, unsigned size, Purpose purpose);
  void store_aligned(std::uint32_t address, unsigned size, std::uint32_t value);
  BusReply bus_read(std::uint32_t address, unsigned size, Purpose purpose);
  BusReply bus_write(std::uint32_t address, unsigned size, std::uint32_t value);
  BusReply bit_band_write(std::uint32_t address, unsigned size, std::uint32_t value);
  void check_alignment(std::uint32_t address, unsigned size) const;
  void store_failed(std::uint32_t address);
  void watch(std::uint32_t address, unsigned size, Access access);
  void use_fast_paths();

  // mistakes.cpp
  void check_stack();
  void divided_by_zero();
  void made_mistake(Mistake what);

  // exceptions.cpp
  bool privileged() const { return s_.ipsr != 0 || !s_.unprivileged; }
  int priority_of(unsigned exception) const;
  int group_priority(int priority) const;
  int execution_priority(bool with_primask = true) const;
  unsigned best_pending(int below) const;
  void pend(unsigned exception);
  void attention();
  void take_fault(const Fault& fault);
  void lock_up();
  unsigned derived(unsigned original, unsigned exception, std::uint32_t cfsr_bits);
  void enter(unsigned exception, std::uint32_t return_address);
  void take(unsigned exception, std::uint32_t exc_return);
  bool push_frame(std::uint32_t return_address, std::uint32_t& exc_return);
  bool pop_frame(std::uint32_t exc_return);
  void exception_return(std::uint32_t exc_return);
  void return_failed(std::uint32_t exc_return);
  void deactivate(unsigned exception);
  void select_stack(bool process);
  void take_pending();
  void wait_for(State::Sleep what);
  bool wakes() const;
  void pass_time(std::uint64_t until);
  void record_fault(unsigned exception, std::uint32_t cfsr_bits, std::uint32_t hfsr_bits,
                    std::optional<std::uint32_t> address);

  // system.cpp
  std::uint32_t system_read(std::uint32_t address, unsigned size, Purpose purpose);
  void system_write(std::uint32_t address, unsigned size, std::uint32_t value);
  std::uint32_t read_register(std::uint32_t address, Purpose purpose);
  void write_register(std::uint32_t address, std::uint32_t value);
  std::uint32_t read_nvic(std::uint32_t address) const;
  void write_nvic(std::uint32_t address, std::uint32_t value);
  std::uint32_t read_icsr() const;
  void write_icsr(std::uint32_t value);
  void write_aircr(std::uint32_t value);
  std::uint32_t read_shcsr() const;
  void write_shcsr(std::uint32_t value);
  std::uint32_t read_priorities(unsigned first) const;
  void write_priorities(unsigned first, std::uint32_t value);
  void write_dwt_ctrl(std::uint32_t value);
  // systick.cpp
  std::uint64_t systick_period() const;
  std::uint32_t systick_count() const;
  std::uint64_t systick_deadline() const;
  void systick_rebase();
  void systick_sync();
  std::uint32_t read_systick(std::uint32_t address, Purpose purpose);
  void write_systick(std::uint32_t address, std::uint32_t value);

  Bus& bus_;
  const Config config_;
  State s_;
  std::uint32_t next_pc_ = 0;       ///< where the instruction under way leads
  std::uint8_t it_of_current_ = 0;  ///< ITSTATE to stack when the instruction under way faults
  std::uint64_t slice_end_ = 0;     ///< the inner loop ends here; 0: look around first
  bool check_pending_ = true;
  std::optional<Stop> stop_;
  bool single_step_ = false;
  /// Where something other than the clock stopped `run`: a breakpoint there does not stop it again.
  std::optional<std::uint32_t> resume_at_;

  std::array<Memory, 256> memory_{};  ///< by the top byte of the address
  std::array<Memory, 256> fast_{};    ///< the same, empty while there are watchpoints
  Memory code_{};                     ///< memory the program counter is in
  std::unique_ptr<std::array<Cached, kCacheSize>> cache_;
  Instruction uncached_;

  std::vector<std::uint32_t> breakpoints_;
  std::vector<Watch> watches_;
  std::uint32_t watch_hit_ = 0;
  bool halt_on_bkpt_ = false;
  bool watches_mistakes_ = false;
  std::uint32_t stack_limit_ = 0;
  std::vector<std::uint32_t> divisions_;  ///< places that were reported
  std::vector<MistakeRecord> mistakes_;
  std::optional<FaultRecord> last_fault_;
  Moment before_reset_;
  std::array<Branch, 32> branches_{};
  std::uint32_t branch_count_ = 0;
};

}  // namespace sureflash::sim::cpu
