#include "run.hpp"

int main(int argc, char** argv) {
  return sureflash::cli::main(argc, argv);
}
