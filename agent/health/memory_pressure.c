#include "agent/health/memory_pressure.h"

#include <stdlib.h>
#include <string.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define TEXT_LIMIT_BYTES 4096
#define NO_LIMIT_BYTES (1ull << 60)

double
memory_pressure_parse(const char *text)
{
    const char *line = strstr(text, "full avg10=");
    return line != NULL ? strtod(line + strlen("full avg10="), NULL) : 0;
}

uint64_t
memory_pressure_parse_limit(const char *text)
{
    uint64_t limit = strtoull(text, NULL, 10);
    return limit < NO_LIMIT_BYTES ? limit : 0;
}

/* The first of the files that is there; false: none. */
static bool
read_first(const char *const *paths, struct buffer *text)
{
    for (size_t i = 0; paths[i] != NULL; i++) {
        struct error *error = file_read(paths[i], TEXT_LIMIT_BYTES, text);
        bool is_read = error == NULL;
        error_free(error);
        if (is_read)
            return true;
    }
    return false;
}

static uint64_t
read_bytes(const char *const *paths)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    return read_first(paths, &text) ? memory_pressure_parse_limit(buffer_text(&text)) : 0;
}

void
memory_pressure_read(struct health_memory *memory)
{
    /* Inside a container the group is the root of what can be seen. */
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes", NULL};
    static const char *const used[] = {"/sys/fs/cgroup/memory.current",
                                       "/sys/fs/cgroup/memory/memory.usage_in_bytes", NULL};
    static const char *const pressures[] = {"/sys/fs/cgroup/memory.pressure",
                                            "/proc/pressure/memory", NULL};
    memory->limit_bytes = read_bytes(limits);
    memory->used_bytes = read_bytes(used);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    if (read_first(pressures, &text))
        memory->stalled_percent = memory_pressure_parse(buffer_text(&text));
    memory->measured_ms = clock_monotonic_ms();
}
