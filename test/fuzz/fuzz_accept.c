/* Accept headers and queries as anybody may send them. */
// sources: agent/web/accept.c agent/base/*.c
#include <stdint.h>
#include <stdlib.h>

#include "agent/base/memory.h"
#include "agent/web/accept.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) char *text = xstrndup((const char *)data, size);
    int weight = accept_weight(text, "text/plain", "0.0.4");
    if (weight < -1 || weight > 1000)
        abort();
    (void)accept_wants_text(text, text);
    (void)accept_wants_openmetrics(text);
    return 0;
}
