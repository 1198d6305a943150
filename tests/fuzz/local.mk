# Fuzz targets: as ordinary tests they replay the kept inputs; "make fuzz" runs
# them under libFuzzer for FUZZ_SECONDS each, "make fuzz-merge" then adds to the
# kept inputs what covers more.
FUZZ_TARGETS = \
	tests/fuzz/fuzz_handshake \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_value \
	tests/fuzz/fuzz_wire
FUZZ_COMMON = tests/fuzz/fuzz.h tests/fuzz/fuzz_count.c
FUZZ_LIBS = src/auth/libauth.la src/wire/libwire.la src/value/libvalue.la \
	src/util/libutil.la
FUZZ_WRAP = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

check_PROGRAMS += $(FUZZ_TARGETS)
TESTS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus

tests_fuzz_fuzz_handshake_SOURCES = tests/fuzz/fuzz_handshake.c \
	tests/fuzz/fuzz_main.c $(FUZZ_COMMON)
tests_fuzz_fuzz_handshake_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_handshake_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_WRAP)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c \
	tests/fuzz/fuzz_main.c $(FUZZ_COMMON)
tests_fuzz_fuzz_json_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_WRAP)
tests_fuzz_fuzz_value_SOURCES = tests/fuzz/fuzz_value.c \
	tests/fuzz/fuzz_main.c $(FUZZ_COMMON)
tests_fuzz_fuzz_value_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_value_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_WRAP)
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c \
	tests/fuzz/fuzz_main.c $(FUZZ_COMMON)
tests_fuzz_fuzz_wire_LDADD = $(FUZZ_LIBS)
tests_fuzz_fuzz_wire_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_WRAP)

CLANG ?= clang
FUZZ_SECONDS ?= 60
FUZZ_CFLAGS = -g -O1 -fsanitize=fuzzer,address,undefined \
	-fno-sanitize-recover=undefined
FUZZ_CODE = $(addprefix $(top_srcdir)/,tests/fuzz/fuzz_count.c \
	$(filter %.c,$(src_util_libutil_la_SOURCES) \
	$(src_value_libvalue_la_SOURCES) $(src_wire_libwire_la_SOURCES) \
	$(src_auth_libauth_la_SOURCES)))

tests/fuzz/run/%: $(top_srcdir)/tests/fuzz/%.c $(FUZZ_CODE)
	$(AM_V_CC)$(MKDIR_P) tests/fuzz/run/corpus/$*
	$(AM_V_at)$(CLANG) $(FUZZ_CFLAGS) -std=gnu11 $(DEFS) $(AM_CPPFLAGS) \
		$(JANSSON_CFLAGS) $(FUZZ_WRAP) \
		-o $@ $(filter %.c,$^) $(JANSSON_LIBS) -lm

FUZZERS = $(FUZZ_TARGETS:tests/fuzz/%=tests/fuzz/run/%)

fuzz: $(FUZZERS)
	for t in $(FUZZ_TARGETS:tests/fuzz/%=%); do \
		echo "$$t: $(FUZZ_SECONDS) s"; \
		tests/fuzz/run/$$t -max_total_time=$(FUZZ_SECONDS) \
			-max_len=2048 -print_final_stats=1 -verbosity=0 \
			-artifact_prefix=tests/fuzz/run/ \
			tests/fuzz/run/corpus/$$t \
			$(top_srcdir)/tests/fuzz/corpus/$$t || exit 1; \
	done

fuzz-merge: $(FUZZERS)
	for t in $(FUZZ_TARGETS:tests/fuzz/%=%); do \
		tests/fuzz/run/$$t -merge=1 -verbosity=0 \
			$(top_srcdir)/tests/fuzz/corpus/$$t \
			tests/fuzz/run/corpus/$$t || exit 1; \
	done

mostlyclean-local:
	rm -rf tests/fuzz/run

.PHONY: fuzz fuzz-merge
