#include "agent/web/exposition.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/memory.h"

static const char *const kind_names[] = {
    [METRIC_GAUGE] = "gauge",
    [METRIC_COUNTER] = "counter",
    [METRIC_HISTOGRAM] = "histogram",
};

static const char *
find_unit(const char *name)
{
    static const char *const units[] = {"seconds", "bytes", "percent"};
    const char *last = strrchr(name, '_');
    for (size_t i = 0; last != NULL && i < ARRAY_LENGTH(units); i++) {
        if (str_equal(last + 1, units[i]))
            return units[i];
    }
    return NULL;
}

/* Prometheus' text names a counter's family as its sample. */
static const char *
family_suffix(const struct exposition *exposition)
{
    return exposition->kind == METRIC_COUNTER && !exposition->is_open ? "_total" : "";
}

void
exposition_family(struct exposition *exposition, const char *name, enum metric_kind kind,
                  const char *help)
{
    exposition->name = name;
    exposition->kind = kind;
    const char *suffix = family_suffix(exposition);
    const char *unit = find_unit(name);
    buffer_appendf(exposition->body, "# HELP %s%s %s\n# TYPE %s%s %s\n", name, suffix, help, name,
                   suffix, kind_names[kind]);
    if (exposition->is_open && unit != NULL)
        buffer_appendf(exposition->body, "# UNIT %s %s\n", name, unit);
}

const char *
exposition_number(double value, char text[EXPOSITION_NUMBER])
{
    if (isnan(value))
        return "NaN";
    if (isinf(value))
        return value > 0 ? "+Inf" : "-Inf";
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, EXPOSITION_NUMBER, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    return text;
}

const char *
exposition_bound(double value, char text[EXPOSITION_NUMBER])
{
    const char *number = exposition_number(value, text);
    size_t length = strlen(number);
    if (number == text && strpbrk(text, ".e") == NULL && length + 2 < EXPOSITION_NUMBER)
        memcpy(text + length, ".0", sizeof(".0"));
    return number;
}

/* A label's value: \, " and newlines escaped. */
static void
add_label(struct buffer *body, const char *name, const char *value)
{
    buffer_appendf(body, "%s=\"", name);
    for (; *value != '\0'; value++) {
        if (*value == '\n') {
            buffer_append_text(body, "\\n");
            continue;
        }
        if (*value == '"' || *value == '\\')
            buffer_append_char(body, '\\');
        buffer_append_char(body, *value);
    }
    buffer_append_char(body, '"');
}

static void
add_sample(struct exposition *exposition, const char *part, double value, va_list labels)
{
    struct buffer *body = exposition->body;
    char text[EXPOSITION_NUMBER];
    const char *mark = "{";
    buffer_appendf(body, "%s%s", exposition->name, part);
    for (const char *name = va_arg(labels, const char *); name != NULL;
         name = va_arg(labels, const char *)) {
        buffer_append_text(body, mark);
        add_label(body, name, va_arg(labels, const char *));
        mark = ",";
    }
    buffer_appendf(body, "%s %s\n", *mark == ',' ? "}" : "", exposition_number(value, text));
}

void
exposition_sample(struct exposition *exposition, double value, ...)
{
    va_list labels;
    va_start(labels, value);
    add_sample(exposition, exposition->kind == METRIC_COUNTER ? "_total" : "", value, labels);
    va_end(labels);
}

void
exposition_part(struct exposition *exposition, const char *part, double value, ...)
{
    va_list labels;
    va_start(labels, value);
    add_sample(exposition, part, value, labels);
    va_end(labels);
}

void
exposition_gauge(struct exposition *exposition, const char *name, double value, const char *help)
{
    exposition_family(exposition, name, METRIC_GAUGE, help);
    exposition_sample(exposition, value, NULL);
}

void
exposition_end(struct exposition *exposition)
{
    if (exposition->is_open)
        buffer_append_text(exposition->body, "# EOF\n");
}

const char *
exposition_content_type(const struct exposition *exposition)
{
    return exposition->is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                               : "text/plain; version=0.0.4; charset=utf-8";
}
