/* What the host says about itself. Any thread. */
#ifndef VTAGENT_HANDLERS_HOST_METRICS_H
#define VTAGENT_HANDLERS_HOST_METRICS_H

#include "agent/tablet/tablet.h"

/* Load of the last minute per processor. */
struct error *host_load_average(double *ret_value) ERROR_MUST_CHECK;
/* Share of the file system that holds the data directory in use, 0 to 1. */
struct error *host_datadir_used_ratio(struct tablet_context *context, struct cancel *cancel,
                                      double *ret_value) ERROR_MUST_CHECK;

#endif
