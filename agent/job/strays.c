/* Workers that were left behind. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "agent/base/clock.h"
#include "agent/base/log.h"
#include "agent/job/registry_private.h"

#define COMPONENT "job"

static int64_t
age_seconds(const struct job_stray *stray)
{
    return (clock_wall_ns() - stray->since_ns) / 1000000000;
}

static bool
has_ended(const struct job_stray *stray)
{
    pid_t result = waitpid(stray->pid, NULL, WNOHANG);
    return result == stray->pid || (result < 0 && errno != EINTR);
}

/* Under the lock. */
static void
reap(struct job_registry *registry)
{
    for (size_t i = 0; i < registry->stray_count;) {
        struct job_stray *stray = &registry->strays[i];
        if (!has_ended(stray)) {
            i++;
            continue;
        }
        LOG_INFO(COMPONENT,
                 "the worker (pid %d) that hung in the backup storage has ended after "
                 "%lld s",
                 stray->pid, (long long)age_seconds(stray));
        registry->stray_count--;
        memmove(stray, stray + 1, (registry->stray_count - i) * sizeof(*stray));
    }
}

void
job_registry_add_stray(struct job_registry *registry, int pid, const char *text)
{
    LOG_WARN(COMPONENT, "a worker (pid %d) was killed and does not end, it is left behind: %s", pid,
             text);
    if (registry == NULL)
        return;
    pthread_mutex_lock(&registry->lock);
    if (registry->stray_count < JOB_STRAYS_MOST) {
        struct job_stray *stray = &registry->strays[registry->stray_count++];
        *stray = (struct job_stray){.pid = pid, .since_ns = clock_wall_ns()};
        snprintf(stray->text, sizeof(stray->text), "%s", text);
    }
    pthread_mutex_unlock(&registry->lock);
}

size_t
job_registry_read_strays(struct job_registry *registry,
                         struct job_stray ret_strays[JOB_STRAYS_MOST])
{
    if (registry == NULL)
        return 0;
    pthread_mutex_lock(&registry->lock);
    reap(registry);
    size_t count = registry->stray_count;
    memcpy(ret_strays, registry->strays, count * sizeof(ret_strays[0]));
    pthread_mutex_unlock(&registry->lock);
    return count;
}

struct error *
job_registry_check_strays(struct job_registry *registry)
{
    struct job_stray strays[JOB_STRAYS_MOST];
    size_t count = job_registry_read_strays(registry, strays);
    if (count < JOB_STRAYS_MOST)
        return NULL;
    return error_new(
        ERROR_UNAVAILABLE,
        "%zu workers hang in the backup storage, the first (pid %d) for %lld s: repair "
        "or unmount it first (%s)",
        count, strays[0].pid, (long long)age_seconds(&strays[0]), strays[0].text);
}
