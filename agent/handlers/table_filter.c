#include "agent/handlers/table_filter.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/base/memory.h"

struct pattern {
    char *name; /* NULL: the expression */
    regex_t expression;
};
struct pattern_list {
    struct pattern *items;
    size_t count;
};
struct table_filter {
    struct pattern_list wanted, excluded;
};

static void
list_done(struct pattern_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].name == NULL)
            regfree(&list->items[i].expression);
        free(list->items[i].name);
    }
    free(list->items);
}

static struct error *
compile(const char *entry, const char *what, struct pattern *pattern)
{
    const char *start = entry + strspn(entry, "/");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == '/')
        length--;
    CLEANUP(freep) char *text = xstrndup(start, length);
    int code = regcomp(&pattern->expression, text, REG_EXTENDED | REG_NOSUB);
    if (code == 0)
        return NULL;
    char reason[128];
    regerror(code, &pattern->expression, reason, sizeof(reason));
    return error_new(ERROR_UNKNOWN, "cannot compile regexp %s for %s: %s", text, what, reason);
}

static struct error *
list_fill(struct pattern_list *list, char *const *entries, size_t count, const char *what)
{
    list->items = xcalloc(count == 0 ? 1 : count, sizeof(*list->items));
    for (size_t i = 0; i < count; i++) {
        struct pattern *pattern = &list->items[i];
        if (entries[i][0] == '/')
            TRY(compile(entries[i], what, pattern));
        else
            pattern->name = xstrdup(entries[i]);
        list->count++;
    }
    return NULL;
}

struct error *
table_filter_new(char *const *tables, size_t table_count, char *const *excluded,
                 size_t excluded_count, struct table_filter **ret_filter)
{
    CLEANUP(table_filter_freep) struct table_filter *filter = xcalloc(1, sizeof(*filter));
    TRY(list_fill(&filter->wanted, tables, table_count, "table"));
    TRY(list_fill(&filter->excluded, excluded, excluded_count, "excludeTable"));
    *ret_filter = filter;
    filter = NULL;
    return NULL;
}

static bool
list_matches(const struct pattern_list *list, const char *table)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct pattern *pattern = &list->items[i];
        bool matches = pattern->name != NULL
                           ? strcasecmp(pattern->name, table) == 0
                           : regexec(&pattern->expression, table, 0, NULL, 0) == 0;
        if (matches)
            return true;
    }
    return false;
}

bool
table_filter_includes(const struct table_filter *filter, const char *table)
{
    if (filter->wanted.count > 0 && !list_matches(&filter->wanted, table))
        return false;
    return !list_matches(&filter->excluded, table);
}

void
table_filter_free(struct table_filter *filter)
{
    if (filter == NULL)
        return;
    list_done(&filter->wanted);
    list_done(&filter->excluded);
    free(filter);
}

void
table_filter_freep(struct table_filter **filter)
{
    table_filter_free(*filter);
}
