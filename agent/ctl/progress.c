#include "agent/ctl/progress.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/base/clock.h"

struct progress {
    struct ctl *ctl;
    bool is_terminal, has_open_line;
    int64_t start_ms;
    double start_percent, last_percent; /* -1: none yet */
    double start_megabytes;             /* -1: not told */
};

struct progress *
progress_new(struct ctl *ctl)
{
    struct progress *progress = xcalloc(1, sizeof(*progress));
    progress->ctl = ctl;
    progress->is_terminal = isatty(fileno(ctl->err)) == 1;
    progress->last_percent = -1;
    return progress;
}

double
progress_percent(const char *text)
{
    const char *sign = strrchr(text, '%');
    const char *start = sign;
    while (start != NULL && start > text && (isdigit((unsigned char)start[-1]) || start[-1] == '.'))
        start--;
    if (start == NULL || start == sign || !isdigit((unsigned char)*start))
        return -1;
    double percent = strtod(start, NULL);
    return percent <= 100 ? percent : -1;
}

double
progress_megabytes(const char *text)
{
    const char *middle = strstr(text, " of ");
    const char *start = middle;
    while (start != NULL && start > text && isdigit((unsigned char)start[-1]))
        start--;
    if (start == NULL || start == middle)
        return -1;
    const char *unit = middle + strlen(" of ");
    unit += strspn(unit, "0123456789");
    return str_starts_with(unit, " MB") ? strtod(start, NULL) : -1;
}

char *
progress_duration(int64_t milliseconds)
{
    int64_t seconds = (milliseconds + 500) / 1000;
    if (seconds >= 3600)
        return xasprintf("%lldh%02lldm", (long long)(seconds / 3600),
                         (long long)(seconds % 3600 / 60));
    if (seconds >= 60)
        return xasprintf("%lldm%02llds", (long long)(seconds / 60), (long long)(seconds % 60));
    return xasprintf("%llds", (long long)seconds);
}

/* ", 52 MB/s, left: 3m20s" at the speed so far; "" when it cannot be told yet. A lower percentage
 * than the last is a new stage. Caller frees. */
static char *
speed_text(struct progress *progress, const char *text, double percent)
{
    int64_t now = clock_monotonic_ms();
    double megabytes = progress_megabytes(text);
    if (progress->last_percent < 0 || percent < progress->last_percent) {
        progress->start_ms = now;
        progress->start_percent = percent;
        progress->start_megabytes = megabytes;
    }
    progress->last_percent = percent;
    double done = percent - progress->start_percent;
    double passed_ms = (double)(now - progress->start_ms);
    if (done <= 0 || passed_ms <= 0)
        return xstrdup("");
    CLEANUP(freep) char *left = progress_duration((int64_t)((100 - percent) * passed_ms / done));
    if (megabytes < 0 || progress->start_megabytes < 0)
        return xasprintf(", left: %s", left);
    return xasprintf(", %.0f MB/s, left: %s",
                     (megabytes - progress->start_megabytes) * 1000 / passed_ms, left);
}

static void
close_line(struct progress *progress)
{
    if (progress->has_open_line)
        fputc('\n', progress->ctl->err);
    progress->has_open_line = false;
}

void
progress_show(struct progress *progress, int level, const char *text)
{
    FILE *stream = progress->ctl->err;
    double percent = progress_percent(text);
    bool tells_speed = strstr(text, "/s, ") != NULL;
    bool is_step = level == LOGUTIL__LEVEL__INFO && percent >= 0;
    if (progress->ctl->options.is_quiet && level == LOGUTIL__LEVEL__INFO)
        return;
    if (is_step && progress->is_terminal) {
        CLEANUP(freep)
        char *speed = tells_speed ? xstrdup("") : speed_text(progress, text, percent);
        fprintf(stream, "\r\033[K%s%s", text, speed);
        progress->has_open_line = true;
    } else {
        close_line(progress);
        const char *label = level == LOGUTIL__LEVEL__WARNING ? "warning: "
                            : level == LOGUTIL__LEVEL__ERROR ? "error: "
                                                             : "";
        fprintf(stream, "%s%s\n", label, text);
    }
    fflush(stream);
}

void
progress_free(struct progress *progress)
{
    close_line(progress);
    free(progress);
}
