/* Figures of this machine that Vitess's throttler asks for. */
#ifndef VTAGENT_SUPERVISOR_HOST_METRICS_H
#define VTAGENT_SUPERVISOR_HOST_METRICS_H

#include "agent/base/error.h"

/* Used part of the file system that holds the data: 0 empty, 1 full. */
struct error *host_metrics_used_ratio(const char *data_directory,
                                      double *ret_ratio) ERROR_MUST_CHECK;
/* Load average of the last minute, by processor. */
struct error *host_metrics_load(double *ret_load) ERROR_MUST_CHECK;

#endif
