# Integration tests: a line for each file of bats tests.
INTEGRATION_TESTS = \
	tests/integration/abi.bats \
	tests/integration/build.bats \
	tests/integration/quickstart.bats

TESTS += $(INTEGRATION_TESTS)
EXTRA_DIST += $(INTEGRATION_TESTS) tests/integration/bats-tap \
	tests/integration/helper.bash
