# Integration tests: a line for each file of bats tests.
INTEGRATION_TESTS = \
	tests/integration/abi.bats \
	tests/integration/build.bats \
	tests/integration/cli_docs.bats \
	tests/integration/cli_eval.bats \
	tests/integration/cli_faults.bats \
	tests/integration/cli_log.bats \
	tests/integration/cli_map.bats \
	tests/integration/cli_run.bats \
	tests/integration/cli_start.bats \
	tests/integration/quickstart.bats

TESTS += $(INTEGRATION_TESTS)
EXTRA_DIST += $(INTEGRATION_TESTS) tests/integration/bats-tap \
	tests/integration/helper.bash
