/* SPDX-License-Identifier: MIT */
#include <cadre/native.h>

/* The native tasks that are measured. */

CADRE_NATIVE(noop)
{
	return cadre_call_return(call, cadre_value_null());
}

CADRE_NATIVE(echo)
{
	return cadre_call_return_borrowed(call, cadre_call_arg(call, "x"));
}
