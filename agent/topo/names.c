#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/topo/records.h"

#define NAME_MAX_LENGTH 64

struct error *
name_validate(const char *what, const char *name)
{
    size_t length = strlen(name);
    if (length == 0)
        return error_new(ERROR_INVALID_ARGUMENT, "%s is empty", what);
    if (length > NAME_MAX_LENGTH)
        return error_new(ERROR_INVALID_ARGUMENT, "%s '%s' is longer than %d characters", what, name,
                         NAME_MAX_LENGTH);
    for (const char *at = name; *at != '\0'; at++) {
        if (!isalnum((unsigned char)*at) && *at != '_' && *at != '-')
            return error_new(ERROR_INVALID_ARGUMENT,
                             "%s '%s' may hold only letters, digits, '_' and '-'", what, name);
    }
    return NULL;
}

static bool
is_alias_character(char character)
{
    return isalnum((unsigned char)character) || character == '_' || character == '-' ||
           character == '.';
}

struct error *
tablet_alias_parse(const char *text, struct tablet_alias *ret_alias)
{
    const char *dash = strrchr(text, '-');
    size_t cell_length = dash == NULL ? 0 : (size_t)(dash - text);
    bool is_valid =
        cell_length > 0 && cell_length < sizeof(ret_alias->cell) && isdigit((unsigned char)dash[1]);
    for (size_t i = 0; is_valid && i < cell_length; i++)
        is_valid = is_alias_character(text[i]);
    for (const char *at = is_valid ? dash + 1 : ""; *at != '\0'; at++)
        is_valid = is_valid && isdigit((unsigned char)*at);
    errno = 0;
    unsigned long long uid = is_valid ? strtoull(dash + 1, NULL, 10) : 0;
    if (!is_valid || errno != 0 || uid > UINT32_MAX)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not a tablet alias: expected <cell>-<uid>, like zone1-100", text);
    struct tablet_alias alias = {.uid = (uint32_t)uid};
    memcpy(alias.cell, text, cell_length);
    *ret_alias = alias;
    return NULL;
}

void
tablet_alias_format(const struct tablet_alias *alias, char text[TABLET_ALIAS_TEXT_MAX])
{
    (void)snprintf(text, TABLET_ALIAS_TEXT_MAX, "%s-%010u", alias->cell, (unsigned)alias->uid);
}

bool
tablet_alias_equal(const struct tablet_alias *a, const struct tablet_alias *b)
{
    return a->uid == b->uid && strcmp(a->cell, b->cell) == 0;
}

struct tablet_alias
tablet_alias_of(const Topodata__TabletAlias *message)
{
    struct tablet_alias alias = {0};
    if (message == NULL)
        return alias;
    (void)snprintf(alias.cell, sizeof(alias.cell), "%s", message->cell);
    alias.uid = message->uid;
    return alias;
}

bool
tablet_alias_is_zero(const struct tablet_alias *alias)
{
    return alias->cell[0] == '\0' && alias->uid == 0;
}

struct error *
keyspace_shard_parse(const char *text, char **ret_keyspace, char **ret_shard)
{
    const char *slash = strchr(text, '/');
    if (slash == NULL || strchr(slash + 1, '/') != NULL)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' is not a shard: expected <keyspace>/<shard>, like commerce/0", text);
    CLEANUP(freep) char *keyspace = xstrndup(text, (size_t)(slash - text));
    TRY(name_validate("keyspace", keyspace));
    TRY(shard_name_parse(slash + 1, ret_shard, NULL));
    *ret_keyspace = keyspace;
    keyspace = NULL;
    return NULL;
}

/* ---- Tablet types ---- */

/* In the order a person would list them; the first name of a type is the one we write. */
static const struct {
    const char *name;
    Topodata__TabletType type;
} type_names[] = {
    {"unknown", TOPODATA__TABLET_TYPE__UNKNOWN},
    {"primary", TOPODATA__TABLET_TYPE__PRIMARY},
    {"replica", TOPODATA__TABLET_TYPE__REPLICA},
    {"rdonly", TOPODATA__TABLET_TYPE__RDONLY},
    {"spare", TOPODATA__TABLET_TYPE__SPARE},
    {"experimental", TOPODATA__TABLET_TYPE__EXPERIMENTAL},
    {"backup", TOPODATA__TABLET_TYPE__BACKUP},
    {"restore", TOPODATA__TABLET_TYPE__RESTORE},
    {"drained", TOPODATA__TABLET_TYPE__DRAINED},
    {"master", TOPODATA__TABLET_TYPE__PRIMARY},
    {"batch", TOPODATA__TABLET_TYPE__RDONLY},
};

struct error *
tablet_type_parse(const char *text, Topodata__TabletType *ret_type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(type_names); i++) {
        if (strcasecmp(text, type_names[i].name) == 0) {
            *ret_type = type_names[i].type;
            return NULL;
        }
    }
    return error_new(ERROR_INVALID_ARGUMENT,
                     "'%s' is not a tablet type: expected primary, replica, rdonly, spare, "
                     "experimental, backup, restore or drained",
                     text);
}

const char *
tablet_type_name(Topodata__TabletType type)
{
    for (size_t i = 0; i < ARRAY_LENGTH(type_names); i++) {
        if (type_names[i].type == type)
            return type_names[i].name;
    }
    return "unknown";
}

bool
tablet_type_is_replica(Topodata__TabletType type)
{
    return type != TOPODATA__TABLET_TYPE__PRIMARY && type != TOPODATA__TABLET_TYPE__BACKUP &&
           type != TOPODATA__TABLET_TYPE__RESTORE && type != TOPODATA__TABLET_TYPE__DRAINED;
}

static bool
is_exchangeable(Topodata__TabletType type)
{
    return type == TOPODATA__TABLET_TYPE__REPLICA || type == TOPODATA__TABLET_TYPE__RDONLY ||
           type == TOPODATA__TABLET_TYPE__SPARE || type == TOPODATA__TABLET_TYPE__BACKUP ||
           type == TOPODATA__TABLET_TYPE__EXPERIMENTAL || type == TOPODATA__TABLET_TYPE__DRAINED;
}

bool
tablet_type_change_is_trivial(Topodata__TabletType from, Topodata__TabletType to)
{
    if (from == TOPODATA__TABLET_TYPE__RESTORE)
        return to == TOPODATA__TABLET_TYPE__SPARE;
    return is_exchangeable(from) && is_exchangeable(to);
}
