/* The agent's configuration: what `vtagent tablet`'s flags set. Rows in config.c. */
#ifndef VTAGENT_CONFIG_H
#define VTAGENT_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "agent/base/option.h"

struct config; /* defined by the daemon; the job worker gets its values as arguments */

#endif
