# Integration tests: a line for each file of bats tests.
INTEGRATION_TESTS = \
	tests/integration/build.bats

TESTS += $(INTEGRATION_TESTS)
EXTRA_DIST += $(INTEGRATION_TESTS) tests/integration/bats-tap \
	tests/integration/helper.bash
