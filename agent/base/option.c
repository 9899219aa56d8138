#include "agent/base/option.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/clock.h"
#include "agent/base/file.h"

#define CONFIG_FILE_LIMIT_BYTES (1u << 20)

/* "_" and "-" are one; case counts. */
static bool
name_matches(const char *known, const char *given, size_t given_length)
{
    if (strlen(known) != given_length)
        return false;
    for (size_t i = 0; i < given_length; i++) {
        char character = given[i] == '_' ? '-' : given[i];
        if (known[i] != character)
            return false;
    }
    return true;
}

static const struct option_row *
find_row(const struct option_set *set, const char *name, size_t length)
{
    for (size_t i = 0; i < set->row_count; i++) {
        if (name_matches(set->rows[i].name, name, length) ||
            (length == 1 && set->rows[i].short_name == name[0]))
            return &set->rows[i];
    }
    return NULL;
}

static size_t
edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t length_a = strlen(a), length_b = strlen(b);
    if (length_a >= MOST || length_b >= MOST)
        return MOST;
    size_t row[MOST + 1];
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t above = row[j];
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = above + 1 < best ? above + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[length_b];
}

static struct error *
unknown_flag(const struct option_set *set, const char *name, size_t length)
{
    CLEANUP(freep) char *given = xstrndup(name, length);
    const char *nearest = NULL;
    size_t best = 4;
    for (size_t i = 0; i < set->row_count; i++) {
        size_t distance = edit_distance(set->rows[i].name, given);
        if (distance < best) {
            best = distance;
            nearest = set->rows[i].name;
        }
    }
    if (nearest != NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "unknown flag '--%s': did you mean '--%s'?", given,
                         nearest);
    return error_new(ERROR_INVALID_ARGUMENT, "unknown flag '--%s': see --help", given);
}

static struct error *
parse_integer(const char *text, bool has_suffix, int64_t *ret_value)
{
    char *end = NULL;
    long long value = strtoll(text, &end, 10);
    int64_t factor = 1;
    if (has_suffix && end != text && *end != '\0') {
        const char *suffixes = "KMGT";
        const char *found = strchr(suffixes, toupper((unsigned char)*end));
        if (found != NULL) {
            factor = (int64_t)1 << (10 * (found - suffixes + 1));
            end++;
            if (*end == 'i')
                end++;
            if (*end == 'B' || *end == 'b')
                end++;
        }
    }
    if (end == text || *end != '\0' || value > INT64_MAX / factor || value < INT64_MIN / factor)
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' is not a number%s", text,
                         has_suffix ? " of bytes like 512M" : "");
    *ret_value = value * factor;
    return NULL;
}

static struct error *
parse_flag(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"true", "1", "t", "yes", "on"};
    static const char *const no[] = {"false", "0", "f", "no", "off"};
    for (size_t i = 0; i < ARRAY_LENGTH(yes); i++) {
        if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
            *ret_value = strcasecmp(text, yes[i]) == 0;
            return NULL;
        }
    }
    return error_new(ERROR_INVALID_ARGUMENT, "'%s' is neither true nor false", text);
}

static struct error *
set_value(const struct option_row *row, const char *text, void *config)
{
    void *target = (char *)config + row->offset;
    struct error *error = NULL;
    switch (row->type) {
    case OPTION_FLAG:
        error = parse_flag(text, target);
        break;
    case OPTION_TEXT:
        str_replace(target, text);
        break;
    case OPTION_INTEGER:
        error = parse_integer(text, false, target);
        break;
    case OPTION_SIZE:
        error = parse_integer(text, true, target);
        break;
    case OPTION_DURATION:
        error = clock_parse_duration_ms(text, target);
        break;
    case OPTION_LIST:
        strv_split(target, text, ',');
        break;
    case OPTION_IGNORED:
    case OPTION_IGNORED_FLAG:
        break;
    }
    return error_wrap(error, "--%s", row->name);
}

static struct error *
set_defaults(const struct option_set *set, void *config)
{
    for (size_t i = 0; i < set->row_count; i++) {
        if (set->rows[i].value != NULL)
            TRY(set_value(&set->rows[i], set->rows[i].value, config));
    }
    return NULL;
}

/* A list given at a stronger place replaces the weaker one's. */
static void
clear_list(const struct option_row *row, void *config)
{
    if (row->type == OPTION_LIST)
        strv_done((struct strv *)(void *)((char *)config + row->offset));
}

static struct error *
set_from_file(const struct option_set *set, const char *path, void *config)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(path, CONFIG_FILE_LIMIT_BYTES, &text));
    CLEANUP(strv_done) struct strv lines = {.items = NULL};
    strv_split(&lines, buffer_text(&text), '\n');
    for (size_t i = 0; i < lines.count; i++) {
        char *line = lines.items[i];
        if (line[0] == '#')
            continue;
        char *equals = strchr(line, '=');
        if (equals == NULL)
            return error_new(ERROR_INVALID_ARGUMENT, "'%s': expected 'name = value', got '%s'",
                             path, line);
        size_t length = (size_t)(equals - line);
        while (length > 0 && isspace((unsigned char)line[length - 1]))
            length--;
        const struct option_row *row = find_row(set, line, length);
        if (row == NULL)
            return error_wrap(unknown_flag(set, line, length), "'%s'", path);
        clear_list(row, config);
        TRY(error_wrap(set_value(row, equals + 1 + strspn(equals + 1, " \t"), config), "'%s'",
                       path));
    }
    return NULL;
}

static struct error *
set_from_environment(const struct option_set *set, void *config)
{
    if (set->environment_prefix == NULL)
        return NULL;
    for (size_t i = 0; i < set->row_count; i++) {
        CLEANUP(freep) char *name = xasprintf("%s_%s", set->environment_prefix, set->rows[i].name);
        for (char *at = name; *at != '\0'; at++)
            *at = *at == '-' ? '_' : (char)toupper((unsigned char)*at);
        const char *value = getenv(name);
        if (value == NULL)
            continue;
        clear_list(&set->rows[i], config);
        TRY(error_wrap(set_value(&set->rows[i], value, config), "environment %s", name));
    }
    return NULL;
}

struct given {
    const struct option_row *row;
    const char *value; /* NULL: a flag without one */
    bool is_negated;
};

/* Reads argv[*index] (and maybe the next) as a flag. */
static struct error *
read_flag(const struct option_set *set, int argc, char *const *argv, int *index, struct given *ret)
{
    const char *name = argv[*index] + 1 + (argv[*index][1] == '-');
    const char *equals = strchr(name, '=');
    size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
    struct given given = {.row = find_row(set, name, length)};
    if (given.row == NULL && length > 3 && strncmp(name, "no-", 3) == 0) {
        given.row = find_row(set, name + 3, length - 3);
        given.is_negated = given.row != NULL && given.row->type == OPTION_FLAG;
        if (!given.is_negated)
            given.row = NULL;
    }
    if (given.row == NULL)
        return unknown_flag(set, name, length);
    bool takes_value = given.row->type != OPTION_FLAG && given.row->type != OPTION_IGNORED_FLAG;
    if (equals != NULL) {
        given.value = equals + 1;
    } else if (takes_value) {
        if (*index + 1 >= argc)
            return error_new(ERROR_INVALID_ARGUMENT, "--%s needs a value", given.row->name);
        given.value = argv[++*index];
    }
    *ret = given;
    return NULL;
}

static struct error *
apply_given(const struct given *given, void *config)
{
    const char *value = given->value != NULL ? given->value : "true";
    TRY(set_value(given->row, value, config));
    if (given->is_negated) {
        bool *flag = (bool *)((char *)config + given->row->offset);
        *flag = !*flag;
    }
    return NULL;
}

/* One walk over the words: with config NULL it only looks for --config-file. */
static struct error *
walk_words(const struct option_set *set, int argc, char *const *argv, void *config,
           struct strv *ret_rest, struct strv *ret_ignored, const char **ret_config_file)
{
    CLEANUP(strv_done) struct strv seen_lists = {.items = NULL};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            for (i++; config != NULL && i < argc; i++)
                strv_add(ret_rest, argv[i]);
            break;
        }
        if (argv[i][0] != '-' || argv[i][1] == '\0') {
            if (config != NULL)
                strv_add(ret_rest, argv[i]);
            continue;
        }
        struct given given = {.row = NULL};
        TRY(read_flag(set, argc, argv, &i, &given));
        if (config == NULL) {
            if (strcmp(given.row->name, "config-file") == 0)
                *ret_config_file = given.value;
            continue;
        }
        if (given.row->type == OPTION_LIST && !strv_contains(&seen_lists, given.row->name)) {
            clear_list(given.row, config);
            strv_add(&seen_lists, given.row->name);
        }
        bool is_ignored =
            given.row->type == OPTION_IGNORED || given.row->type == OPTION_IGNORED_FLAG;
        if (is_ignored && ret_ignored != NULL && !strv_contains(ret_ignored, given.row->name))
            strv_add(ret_ignored, given.row->name);
        TRY(apply_given(&given, config));
    }
    return NULL;
}

struct error *
option_parse(const struct option_set *set, int argc, char *const *argv, void *config,
             struct strv *ret_rest, struct strv *ret_ignored)
{
    const char *config_file = NULL;
    TRY(walk_words(set, argc, argv, NULL, NULL, NULL, &config_file));
    TRY(set_defaults(set, config));
    if (!str_is_empty(config_file))
        TRY(set_from_file(set, config_file, config));
    TRY(set_from_environment(set, config));
    return walk_words(set, argc, argv, config, ret_rest, ret_ignored, &config_file);
}

static const char *
type_word(enum option_type type)
{
    switch (type) {
    case OPTION_TEXT:
        return " text";
    case OPTION_INTEGER:
        return " number";
    case OPTION_DURATION:
        return " duration";
    case OPTION_SIZE:
        return " bytes";
    case OPTION_LIST:
        return " list";
    case OPTION_FLAG:
    case OPTION_IGNORED:
    case OPTION_IGNORED_FLAG:
        break;
    }
    return "";
}

void
option_print_help(const struct option_set *set, FILE *stream)
{
    const char *group = NULL;
    for (size_t i = 0; i < set->row_count; i++) {
        const struct option_row *row = &set->rows[i];
        if (row->type == OPTION_IGNORED || row->type == OPTION_IGNORED_FLAG)
            continue;
        if (row->group != NULL && !str_equal(row->group, group)) {
            group = row->group;
            fprintf(stream, "\n%s:\n", group);
        }
        CLEANUP(freep) char *left = xasprintf("--%s%s", row->name, type_word(row->type));
        fprintf(stream, "  %-44s %s", left, row->help != NULL ? row->help : "");
        if (!str_is_empty(row->value) && strcmp(row->value, "false") != 0)
            fprintf(stream, " (default %s)", row->value);
        fputc('\n', stream);
    }
}

static void
print_value(const struct option_row *row, const void *config, FILE *stream)
{
    const void *field = (const char *)config + row->offset;
    if (row->type == OPTION_FLAG) {
        fputs(*(const bool *)field ? "true" : "false", stream);
    } else if (row->type == OPTION_TEXT) {
        const char *text = *(char *const *)field;
        bool is_secret = str_ends_with(row->name, "password") && !str_is_empty(text);
        fputs(is_secret ? "********" : text != NULL ? text : "", stream);
    } else if (row->type == OPTION_LIST) {
        CLEANUP(freep) char *text = strv_join(field, ",");
        fputs(text, stream);
    } else {
        fprintf(stream, "%lld%s", (long long)*(const int64_t *)field,
                row->type == OPTION_DURATION ? "ms" : "");
    }
}

void
option_print_config(const struct option_set *set, const void *config, FILE *stream)
{
    for (size_t i = 0; i < set->row_count; i++) {
        const struct option_row *row = &set->rows[i];
        if (row->type == OPTION_IGNORED || row->type == OPTION_IGNORED_FLAG)
            continue;
        fprintf(stream, "%s = ", row->name);
        print_value(row, config, stream);
        fputc('\n', stream);
    }
}

void
option_done(const struct option_set *set, void *config)
{
    for (size_t i = 0; i < set->row_count; i++) {
        void *field = (char *)config + set->rows[i].offset;
        if (set->rows[i].type == OPTION_TEXT)
            freep(field);
        else if (set->rows[i].type == OPTION_LIST)
            strv_done(field);
    }
}
