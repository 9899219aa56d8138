/* The machine: space on the data directory's disk, memory, certificates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/base/clock.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"
#include "agent/health/certificate.h"
#include "agent/health/memory_pressure.h"
#include "agent/health/probe.h"

#define CERTIFICATES ARRAY_LENGTH(((struct health_options *)0)->certificate_files)

struct host_state {
    struct certificate_file certificates[CERTIFICATES];
};

static int64_t
interval_of(const struct health_options *options)
{
    return options->rules.interval_ms;
}

static void *
state_new(const struct health_options *options)
{
    struct host_state *state = xcalloc(1, sizeof(*state));
    for (size_t i = 0; i < CERTIFICATES; i++)
        state->certificates[i].path = options->certificate_files[i];
    return state;
}

static void
state_free(void *state)
{
    free(state);
}

static void
ask_space(const struct health_options *options, struct health_disk *disk)
{
    if (str_is_empty(options->disk_directory))
        return;
    struct error *error =
        file_system_space(options->disk_directory, &disk->free_bytes, &disk->total_bytes);
    if (error != NULL)
        snprintf(disk->space_error, sizeof(disk->space_error), "%s", error->message);
    error_free(error);
    disk->measured_ms = clock_monotonic_ms();
}

/* The one that expires first. */
static void
ask_certificates(struct host_state *state, struct health_certificate *answer)
{
    answer->measured_ms = clock_monotonic_ms();
    for (size_t i = 0; i < CERTIFICATES; i++) {
        struct certificate_file *file = &state->certificates[i];
        if (str_is_empty(file->path))
            continue;
        certificate_file_look(file);
        if (file->error[0] != '\0')
            memcpy(answer->error, file->error, sizeof(answer->error));
        if (file->expires_ns == 0 ||
            (answer->expires_ns != 0 && answer->expires_ns <= file->expires_ns))
            continue;
        answer->expires_ns = file->expires_ns;
        snprintf(answer->file, sizeof(answer->file), "%s", file->path);
    }
}

static void
ask(void *state, const struct health_options *options, struct health_facts *answer)
{
    ask_space(options, &answer->disk);
    memory_pressure_read(&answer->memory);
    ask_certificates(state, &answer->certificate);
}

static void
store(struct health_facts *facts, struct health_facts *answer)
{
    facts->disk.measured_ms = answer->disk.measured_ms;
    facts->disk.free_bytes = answer->disk.free_bytes;
    facts->disk.total_bytes = answer->disk.total_bytes;
    memcpy(facts->disk.space_error, answer->disk.space_error, sizeof(facts->disk.space_error));
    facts->memory = answer->memory;
    facts->certificate = answer->certificate;
}

const struct probe_kind probe_host = {
    .name = "host",
    .interval_ms = interval_of,
    .state_new = state_new,
    .state_free = state_free,
    .ask = ask,
    .store = store,
};
