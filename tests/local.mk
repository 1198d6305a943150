TEST_EXTENSIONS = .sh .bats
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh

# Programs and scripts: tap-run makes one TAP stream of what they say.
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/tap-run
SH_LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/tap-run $(SHELL)
BATS_LOG_DRIVER = $(TAP_DRIVER)
AM_BATS_LOG_DRIVER_FLAGS = --ignore-exit
BATS_LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/integration/bats-tap

EXTRA_DIST += tests/tap-run tests/abi/libcadre.symbols scripts/job

# Findings of sanitizers go to files, because nobody reads what a daemon's
# worker prints; a crash shall be one, as tests of crashes expect.
SANITIZER_OPTIONS = log_path=$(abs_top_builddir)/tests/sanitizer.report
ASAN_SIGNALS = handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0

# What tests are told: where the sources are, and where the programs, which
# are tested as they would be installed.
AM_TESTS_ENVIRONMENT = \
	CADRE_SRCDIR='$(abs_top_srcdir)'; export CADRE_SRCDIR; \
	CADRE_BUILDDIR='$(abs_top_builddir)'; export CADRE_BUILDDIR; \
	CADRE_STAGE='$(abs_top_builddir)/tests/stage'; export CADRE_STAGE; \
	CADRE_BINDIR='$(bindir)'; export CADRE_BINDIR; \
	CADRE_LIBDIR='$(libdir)'; export CADRE_LIBDIR; \
	CADRE_INCLUDEDIR='$(includedir)'; export CADRE_INCLUDEDIR; \
	CADRE_CADRED='$(abs_top_builddir)/tests/stage$(bindir)/cadred'; \
	export CADRE_CADRED; \
	CADRE_LIBEXECDIR='$(abs_top_builddir)/tests/stage$(libexecdir)/cadre'; \
	export CADRE_LIBEXECDIR; \
	CADRE_SANITIZER='$(CADRE_SANITIZER_LIST)'; export CADRE_SANITIZER; \
	CADRE_TEST_CFLAGS='$(CADRE_TEST_CFLAGS)'; export CADRE_TEST_CFLAGS; \
	ASAN_OPTIONS='$(SANITIZER_OPTIONS):$(ASAN_SIGNALS)'; \
	export ASAN_OPTIONS; \
	UBSAN_OPTIONS='$(SANITIZER_OPTIONS):print_stacktrace=1'; \
	export UBSAN_OPTIONS; \
	TSAN_OPTIONS='$(SANITIZER_OPTIONS)'; export TSAN_OPTIONS; \
	BATS='$(BATS)'; export BATS; \
	CC='$(CC)'; export CC;

# The installation that is tested, below the build tree.
tests/stage.stamp: $(bin_PROGRAMS) $(lib_LTLIBRARIES) $(noinst_LTLIBRARIES) \
		$(cadrelibexec_PROGRAMS) $(dist_man_MANS) \
		$(cadreinclude_HEADERS) cadre.pc
	$(AM_V_GEN)rm -rf tests/stage
	$(AM_V_at)$(MKDIR_P) tests
	$(AM_V_at)$(MAKE) $(AM_MAKEFLAGS) install \
		DESTDIR='$(abs_top_builddir)/tests/stage' >tests/stage.log 2>&1 \
		|| { cat tests/stage.log; exit 1; }
	$(AM_V_at)echo >$@
check_DATA += tests/stage.stamp
CLEANFILES += tests/stage.stamp tests/stage.log tests/sanitizer.report.*
clean-local:
	rm -rf tests/stage

include tests/lint/local.mk
include tests/integration/local.mk
include tests/fuzz/local.mk
include tests/simulation/local.mk
include tests/bench/local.mk
