// Placeholder so that the target builds step by step.
#include "conformance_fixture.hpp"
