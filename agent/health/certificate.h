/* When a certificate in a file expires. Read again when the file changes. One thread at a time. */
#ifndef VTAGENT_HEALTH_CERTIFICATE_H
#define VTAGENT_HEALTH_CERTIFICATE_H

#include "agent/base/error.h"
#include "agent/health/facts.h"

struct certificate_file {
    const char *path;   /* borrowed */
    int64_t expires_ns; /* of its first certificate; 0: not known */
    char error[HEALTH_TEXT];
    /* private */
    int64_t modified_ns, size;
};
void certificate_file_look(struct certificate_file *file);
/* Of the first certificate in PEM text. INVALID_ARGUMENT when there is none. */
struct error *certificate_expiry(const char *pem, size_t size,
                                 int64_t *ret_expires_ns) ERROR_MUST_CHECK;

#endif
