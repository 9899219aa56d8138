#include "agent/web/metrics.h"

#include <dirent.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/error.h"
#include "agent/base/file.h"
#include "agent/base/memory.h"

#define CODE_COUNT 18 /* gRPC's 17 and CLUSTER_EVENT */
#define PROC_LIMIT_BYTES 4096

static const int64_t bounds_us[] = {500,     1000,    2500,    5000,     10000,
                                    25000,   50000,   100000,  250000,   500000,
                                    1000000, 2500000, 5000000, 10000000, 60000000};
#define BOUND_COUNT ARRAY_LENGTH(bounds_us)

struct method {
    char *path;
    char *service;    /* between the slashes; two services have methods of one name */
    const char *name; /* after the last slash */
    _Atomic uint64_t codes[CODE_COUNT];
    _Atomic uint64_t buckets[BOUND_COUNT + 1];
    _Atomic uint64_t sum_us;
};

struct metrics {
    size_t count; /* without the one for unknown methods, which is last */
    struct method *methods;
};

static int
compare_methods(const void *a, const void *b)
{
    return strcmp(((const struct method *)a)->path, ((const struct method *)b)->path);
}

static void
init_method(struct method *method, const char *path)
{
    const char *slash = strrchr(path, '/');
    method->path = xstrdup(path);
    method->service = slash != NULL && slash > path ? xstrndup(path + 1, (size_t)(slash - path - 1))
                                                    : xstrdup("");
    method->name = method->path + (slash != NULL ? slash + 1 - path : 0);
}

struct metrics *
metrics_new(const char *const *paths, size_t count)
{
    struct metrics *metrics = xcalloc(1, sizeof(*metrics));
    metrics->count = count;
    metrics->methods = xcalloc(count + 1, sizeof(*metrics->methods));
    for (size_t i = 0; i < count; i++)
        init_method(&metrics->methods[i], paths[i]);
    qsort(metrics->methods, count, sizeof(*metrics->methods), compare_methods);
    init_method(&metrics->methods[count], "other");
    return metrics;
}

void
metrics_free(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (size_t i = 0; i <= metrics->count; i++) {
        free(metrics->methods[i].path);
        free(metrics->methods[i].service);
    }
    free(metrics->methods);
    free(metrics);
}

static struct method *
find_method(struct metrics *metrics, const char *path)
{
    struct method key = {.path = (char *)(uintptr_t)path};
    struct method *found =
        bsearch(&key, metrics->methods, metrics->count, sizeof(*metrics->methods), compare_methods);
    return found != NULL ? found : &metrics->methods[metrics->count];
}

void
metrics_count(struct metrics *metrics, const char *path, int code, int64_t microseconds)
{
    struct method *method = find_method(metrics, path);
    size_t index = code >= 0 && code < CODE_COUNT ? (size_t)code : (size_t)ERROR_UNKNOWN;
    atomic_fetch_add_explicit(&method->codes[index], 1, memory_order_relaxed);
    size_t bucket = 0;
    while (bucket < BOUND_COUNT && microseconds > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&method->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&method->sum_us, (uint64_t)(microseconds > 0 ? microseconds : 0),
                              memory_order_relaxed);
}

static uint64_t
load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static uint64_t
method_total(const struct method *method)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= BOUND_COUNT; i++)
        total += load(&method->buckets[i]);
    return total;
}

uint64_t
metrics_total(const struct metrics *metrics)
{
    uint64_t total = 0;
    for (size_t i = 0; i <= metrics->count; i++)
        total += method_total(&metrics->methods[i]);
    return total;
}

static void
print_codes(const struct method *method, struct exposition *exposition)
{
    for (size_t code = 0; code < CODE_COUNT; code++) {
        uint64_t count = load(&method->codes[code]);
        if (count != 0)
            exposition_sample(exposition, (double)count, "grpc_service", method->service,
                              "grpc_method", method->name, "grpc_code",
                              error_code_name((enum error_code)code), NULL);
    }
}

static void
print_bucket(const struct method *method, const char *bound, uint64_t sum,
             struct exposition *exposition)
{
    exposition_part(exposition, "_bucket", (double)sum, "grpc_service", method->service,
                    "grpc_method", method->name, "le", bound, NULL);
}

static void
print_histogram(const struct method *method, struct exposition *exposition)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        char bound[EXPOSITION_NUMBER];
        sum += load(&method->buckets[i]);
        print_bucket(method, exposition_bound((double)bounds_us[i] / 1e6, bound), sum, exposition);
    }
    sum += load(&method->buckets[BOUND_COUNT]);
    print_bucket(method, "+Inf", sum, exposition);
    exposition_part(exposition, "_sum", (double)load(&method->sum_us) / 1e6, "grpc_service",
                    method->service, "grpc_method", method->name, NULL);
    exposition_part(exposition, "_count", (double)sum, "grpc_service", method->service,
                    "grpc_method", method->name, NULL);
}

void
metrics_print(const struct metrics *metrics, struct exposition *exposition)
{
    exposition_family(exposition, "vttablet_grpc_server_handled", METRIC_COUNTER,
                      "Calls answered, by method and code.");
    for (size_t i = 0; i <= metrics->count; i++)
        print_codes(&metrics->methods[i], exposition);
    exposition_family(exposition, "vttablet_grpc_server_handling_seconds", METRIC_HISTOGRAM,
                      "Time until a call was answered.");
    for (size_t i = 0; i <= metrics->count; i++) {
        if (method_total(&metrics->methods[i]) > 0)
            print_histogram(&metrics->methods[i], exposition);
    }
}

/* ---- This process ---- */

static uint64_t
count_open_files(void)
{
    CLEANUP(closedirp) DIR *directory = opendir("/proc/self/fd");
    uint64_t count = 0;
    while (directory != NULL && readdir(directory) != NULL)
        count++;
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

/* Field `number` (1-based) of /proc/self/stat's part after the command's name. */
static uint64_t
stat_field(const char *after_name, int number)
{
    const char *at = after_name;
    for (int i = 1; i < number && at != NULL; i++) {
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

struct process_stats
process_stats_read(void)
{
    struct process_stats stats = {.open_files = count_open_files()};
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    CLEANUP(error_freep)
    struct error *error = file_read("/proc/self/stat", PROC_LIMIT_BYTES, &text);
    const char *at = error == NULL ? strrchr(buffer_text(&text), ')') : NULL;
    if (at == NULL)
        return stats;
    at += 2; /* now field 3, the state, is number 1 */
    double ticks = (double)sysconf(_SC_CLK_TCK);
    stats.cpu_seconds = (double)(stat_field(at, 12) + stat_field(at, 13)) / ticks;
    stats.threads = stat_field(at, 18);
    stats.resident_bytes = stat_field(at, 22) * (uint64_t)sysconf(_SC_PAGESIZE);
    return stats;
}
