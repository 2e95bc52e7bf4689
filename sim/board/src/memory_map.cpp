#include "memory_map.hpp"

#include <algorithm>
#include <array>

#include "sureflash/base/text.hpp"

namespace sureflash::sim {
namespace {

constexpr std::string_view kTimer =
    "CR1 CR2 SMCR DIER SR EGR CCMR1 CCMR2 CCER CNT PSC ARR RCR CCR1 CCR2 CCR3 CCR4 BDTR DCR DMAR";
constexpr std::string_view kGpio = "CRL CRH IDR ODR BSRR BRR LCKR";
constexpr std::string_view kUsart = "SR DR BRR CR1 CR2 CR3 GTPR";
constexpr std::string_view kSpi = "CR1 CR2 SR DR CRCPR RXCRCR TXCRCR I2SCFGR I2SPR";
constexpr std::string_view kI2c = "CR1 CR2 OAR1 OAR2 DR SR1 SR2 CCR TRISE";
constexpr std::string_view kCan = "MCR MSR TSR RF0R RF1R IER ESR BTR";
constexpr std::string_view kAdc =
    "SR CR1 CR2 SMPR1 SMPR2 JOFR1 JOFR2 JOFR3 JOFR4 HTR LTR SQR1 SQR2 SQR3 JSQR JDR1 JDR2 JDR3 "
    "JDR4 DR";
constexpr std::string_view kDma =
    "ISR IFCR CCR1 CNDTR1 CPAR1 CMAR1 - CCR2 CNDTR2 CPAR2 CMAR2 - CCR3 CNDTR3 CPAR3 CMAR3 - CCR4 "
    "CNDTR4 CPAR4 CMAR4 - CCR5 CNDTR5 CPAR5 CMAR5 - CCR6 CNDTR6 CPAR6 CMAR6 - CCR7 CNDTR7 CPAR7 "
    "CMAR7";
constexpr std::string_view kBkp =
    "- DR1 DR2 DR3 DR4 DR5 DR6 DR7 DR8 DR9 DR10 RTCCR CR CSR - - DR11 DR12 DR13 DR14 DR15 DR16 "
    "DR17 DR18 DR19 DR20 DR21 DR22 DR23 DR24 DR25 DR26 DR27 DR28 DR29 DR30 DR31 DR32 DR33 DR34 "
    "DR35 DR36 DR37 DR38 DR39 DR40 DR41 DR42";

/// In order of address. Enable bits: RM0008, 8.3.6 to 8.3.8.
constexpr auto kBlocks = std::to_array<Block>({
    {"TIM2", 0x40000000, 0x400, Gate::Apb1, 0, kTimer},
    {"TIM3", 0x40000400, 0x400, Gate::Apb1, 1, kTimer},
    {"TIM4", 0x40000800, 0x400, Gate::Apb1, 2, kTimer},
    {"TIM5", 0x40000C00, 0x400, Gate::Apb1, 3, kTimer},
    {"TIM6", 0x40001000, 0x400, Gate::Apb1, 4, kTimer},
    {"TIM7", 0x40001400, 0x400, Gate::Apb1, 5, kTimer},
    {"RTC", 0x40002800, 0x400, Gate::Always, 0, "CRH CRL PRLH PRLL DIVH DIVL CNTH CNTL ALRH ALRL"},
    {"WWDG", 0x40002C00, 0x400, Gate::Apb1, 11, "CR CFR SR"},
    {"IWDG", 0x40003000, 0x400, Gate::Always, 0, "KR PR RLR SR"},
    {"SPI2", 0x40003800, 0x400, Gate::Apb1, 14, kSpi},
    {"SPI3", 0x40003C00, 0x400, Gate::Apb1, 15, kSpi},
    {"USART2", 0x40004400, 0x400, Gate::Apb1, 17, kUsart},
    {"USART3", 0x40004800, 0x400, Gate::Apb1, 18, kUsart},
    {"UART4", 0x40004C00, 0x400, Gate::Apb1, 19, kUsart},
    {"UART5", 0x40005000, 0x400, Gate::Apb1, 20, kUsart},
    {"I2C1", 0x40005400, 0x400, Gate::Apb1, 21, kI2c},
    {"I2C2", 0x40005800, 0x400, Gate::Apb1, 22, kI2c},
    {"CAN1", 0x40006400, 0x400, Gate::Apb1, 25, kCan},
    {"CAN2", 0x40006800, 0x400, Gate::Apb1, 26, kCan},
    {"BKP", 0x40006C00, 0x400, Gate::Apb1, 27, kBkp},
    {"PWR", 0x40007000, 0x400, Gate::Apb1, 28, "CR CSR"},
    {"DAC", 0x40007400, 0x400, Gate::Apb1, 29,
     "CR SWTRIGR DHR12R1 DHR12L1 DHR8R1 DHR12R2 DHR12L2 DHR8R2 DHR12RD DHR12LD DHR8RD DOR1 DOR2"},
    {"AFIO", 0x40010000, 0x400, Gate::Apb2, 0, "EVCR MAPR EXTICR1 EXTICR2 EXTICR3 EXTICR4 - MAPR2"},
    {"EXTI", 0x40010400, 0x400, Gate::Always, 0, "IMR EMR RTSR FTSR SWIER PR"},
    {"GPIOA", 0x40010800, 0x400, Gate::Apb2, 2, kGpio},
    {"GPIOB", 0x40010C00, 0x400, Gate::Apb2, 3, kGpio},
    {"GPIOC", 0x40011000, 0x400, Gate::Apb2, 4, kGpio},
    {"GPIOD", 0x40011400, 0x400, Gate::Apb2, 5, kGpio},
    {"GPIOE", 0x40011800, 0x400, Gate::Apb2, 6, kGpio},
    {"ADC1", 0x40012400, 0x400, Gate::Apb2, 9, kAdc},
    {"ADC2", 0x40012800, 0x400, Gate::Apb2, 10, kAdc},
    {"TIM1", 0x40012C00, 0x400, Gate::Apb2, 11, kTimer},
    {"SPI1", 0x40013000, 0x400, Gate::Apb2, 12, kSpi},
    {"USART1", 0x40013800, 0x400, Gate::Apb2, 14, kUsart},
    {"DMA1", 0x40020000, 0x400, Gate::Ahb, 0, kDma},
    {"DMA2", 0x40020400, 0x400, Gate::Ahb, 1, kDma},
    {"RCC", 0x40021000, 0x400, Gate::Always, 0,
     "CR CFGR CIR APB2RSTR APB1RSTR AHBENR APB2ENR APB1ENR BDCR CSR AHBRSTR CFGR2"},
    {"FLASH", 0x40022000, 0x400, Gate::Always, 0, "ACR KEYR OPTKEYR SR CR AR - OBR WRPR"},
    {"CRC", 0x40023000, 0x400, Gate::Ahb, 6, "DR IDR CR"},
    {"OTG_FS", 0x50000000, 0x40000, Gate::Ahb, 12, ""},
});

/// The `index`-th of the names, or "".
std::string_view nth_name(std::string_view names, std::uint32_t index) {
  for (; index != 0 && !names.empty(); --index) {
    const std::size_t blank = names.find(' ');
    names.remove_prefix(blank == std::string_view::npos ? names.size() : blank + 1);
  }
  return names.substr(0, names.find(' '));
}

}  // namespace

std::span<const Block> blocks() {
  return kBlocks;
}

const Block* find_block(std::uint32_t address) {
  // One entry for each KiB behind the bridges and of the first AHB peripherals.
  constexpr std::uint32_t kBegin = 0x40000000, kKib = 0x400;
  static constexpr auto kTable = [] {
    std::array<std::int8_t, 0x90> table{};
    table.fill(-1);
    for (std::size_t i = 0; i + 1 < kBlocks.size(); ++i) {
      table[(kBlocks[i].base - kBegin) / kKib] = static_cast<std::int8_t>(i);
    }
    return table;
  }();
  const std::uint32_t index = (address - kBegin) / kKib;
  if (index < kTable.size()) return kTable[index] < 0 ? nullptr : &kBlocks[kTable[index]];
  const Block& usb = kBlocks.back();
  return address - usb.base < usb.size ? &usb : nullptr;
}

const Block& block(std::string_view name) {
  return *std::ranges::find(kBlocks, name, &Block::name);
}

std::string register_name(std::uint32_t address) {
  const Block* at = find_block(address);
  if (at == nullptr) return hex(address);
  const std::uint32_t offset = address - at->base;
  const std::string_view name = nth_name(at->registers, offset / 4);
  std::string text(at->name);
  return name.empty() || name == "-" ? text + "+" + hex(offset, 3) : text + "_" + std::string(name);
}

bool behind_apb_bridge(std::uint32_t address) {
  return address >= 0x40000000 && address < 0x40018000;
}

}  // namespace sureflash::sim
