# Manual pages.
dist_man_MANS += \
	man/cadred.8 \
	man/cadre.7
