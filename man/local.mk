# Manual pages.
dist_man_MANS += \
	man/cadre.7
