# The dispatcher among peers that fail: sim.c.  "make check" runs some seeds,
# "make soak-sim" many (SOAK_RUNS), from a different one each time.
check_PROGRAMS += tests/simulation/sim
TESTS += tests/simulation/sim
tests_simulation_sim_SOURCES = \
	tests/simulation/actors.c \
	tests/simulation/oracle.c \
	tests/simulation/scale.c tests/simulation/scale.h \
	tests/simulation/sim.c \
	tests/simulation/world.c tests/simulation/world.h
tests_simulation_sim_LDADD = src/dispatch/libdispatch.la src/wire/libwire.la \
	src/value/libvalue.la src/util/libutil.la

SOAK_RUNS = 200
soak-sim: tests/simulation/sim
	tests/simulation/sim --seed "$$(date +%s)" --runs $(SOAK_RUNS) \
		--steps 2000000
.PHONY: soak-sim
