/* SPDX-License-Identifier: MIT */
/*
 * A library of native tasks: energies of a chain of point charges.
 *
 *   cc -shared -fPIC -o libsim.so libsim.c $(pkg-config --cflags --libs cadre)
 *   cadre eval --native ./libsim.so:energy n=1000 gap=0.5
 */
#include <cadre/native.h>

CADRE_NATIVE(energy)
{
	double gap, sum = 0;
	int64_t n;

	if (cadre_value_int64_at(cadre_call_arg(call, "n"), 0, &n) < 0 || n < 0)
		return cadre_call_fail(call, "n must be a whole number");
	if (cadre_value_double_at(cadre_call_arg(call, "gap"), 0, &gap) < 0 ||
	    !(gap > 0))
		return cadre_call_fail(call, "gap must be a positive number");
	for (int64_t i = 0; i < n; i++) {
		if (i % 256 == 0 && cadre_call_cancelled(call))
			return cadre_call_fail(call, "stopped");
		for (int64_t k = i + 1; k < n; k++)
			sum += ((k - i) % 2 == 0 ? 1 : -1) /
			       (gap * (double)(k - i));
	}
	return cadre_call_return(call, cadre_value_of_double(sum));
}
