/* The rows of `vtagent tablet`'s own options. */
#ifndef VTAGENT_CONFIG_OPTIONS_H
#define VTAGENT_CONFIG_OPTIONS_H

#include "agent/config.h"

extern const struct option_row config_option_rows[];
extern const size_t config_option_count;

#endif
