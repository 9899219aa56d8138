#include "agent/web/assets.h"

/* Paths are from the top, where the compiler runs. The Makefile names the files as what this
 * depends on. */
#define ASSET(name, path)                                                                          \
    __asm__(".section .rodata\n"                                                                   \
            ".global " #name "\n" #name ":\n"                                                      \
            ".incbin \"" path "\"\n"                                                               \
            ".byte 0\n"                                                                            \
            ".previous\n")

ASSET(asset_page_css, "agent/web/page.css");
ASSET(asset_page_js, "agent/web/page.js");
