/* Metrics as text, for Prometheus (0.0.4) and in OpenMetrics 1.0.0: one family after the other. */
#ifndef VTAGENT_WEB_EXPOSITION_H
#define VTAGENT_WEB_EXPOSITION_H

#include "agent/base/buffer.h"

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

struct exposition {
    struct buffer *body;
    bool is_open; /* OpenMetrics */
    /* private */
    const char *name;
    enum metric_kind kind;
};
/* Begins a family. `name`: static text, without _total; its end tells the unit (seconds, bytes,
 * percent). */
void exposition_family(struct exposition *exposition, const char *name, enum metric_kind kind,
                       const char *help);
/* A sample of the family. The labels: name, value, … NULL; values are escaped. */
void exposition_sample(struct exposition *exposition, double value, ...) __attribute__((sentinel));
/* A histogram's parts: "_bucket" (its bound is a label "le"), "_sum", "_count". */
void exposition_part(struct exposition *exposition, const char *part, double value, ...)
    __attribute__((sentinel));
/* A family with one sample without labels. */
void exposition_gauge(struct exposition *exposition, const char *name, double value,
                      const char *help);
void exposition_end(struct exposition *exposition);
const char *exposition_content_type(const struct exposition *exposition);
/* A number as both forms want it: the shortest text that gives it back. */
#define EXPOSITION_NUMBER 32
const char *exposition_number(double value, char text[EXPOSITION_NUMBER]);
/* A bucket's bound: like a number, but never without a point ("1.0"). */
const char *exposition_bound(double value, char text[EXPOSITION_NUMBER]);

#endif
