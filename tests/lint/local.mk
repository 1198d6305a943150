# Checks of the sources themselves.
LINT_TESTS = \
	tests/lint/cppcheck.sh \
	tests/lint/format.sh \
	tests/lint/layers.sh \
	tests/lint/man.sh \
	tests/lint/shell.sh \
	tests/lint/style.sh

TESTS += $(LINT_TESTS)
EXTRA_DIST += $(LINT_TESTS) tests/lint/cppcheck.txt .clang-format
