/* GetPermissions: the grant tables, comparable between tablets and without secrets. */
#include <string.h>
#include <strings.h>

#include "agent/handlers/crc64.h"
#include "agent/handlers/message.h"
#include "agent/handlers/service.h"

static bool
is_column(const struct db_field *field, const char *name)
{
    return strcasecmp(field->name, name) == 0;
}

static Tabletmanagerdata__UserPermission *
user_permission(const struct db_result *result, size_t row)
{
    Tabletmanagerdata__UserPermission *user =
        message_new(&tabletmanagerdata__user_permission__descriptor);
    for (size_t i = 0; i < result->field_count; i++) {
        const struct db_field *field = &result->fields[i];
        const struct db_cell *cell = db_result_cell(result, row, i);
        const char *text = cell->data == NULL ? "" : cell->data;
        if (is_column(field, "host"))
            user->host = message_text(text);
        else if (is_column(field, "user"))
            user->user = message_text(text);
        else if (is_column(field, "password"))
            user->password_checksum = crc64_iso(text, cell->data == NULL ? 0 : cell->length_bytes);
        else if (!is_column(field, "password_last_changed") &&
                 !is_column(field, "authentication_string"))
            message_map_add(&tabletmanagerdata__user_permission__privileges_entry__descriptor,
                            &user->n_privileges, &user->privileges, field->name, text);
    }
    return user;
}

static Tabletmanagerdata__DbPermission *
db_permission(const struct db_result *result, size_t row)
{
    Tabletmanagerdata__DbPermission *permission =
        message_new(&tabletmanagerdata__db_permission__descriptor);
    for (size_t i = 0; i < result->field_count; i++) {
        const char *name = result->fields[i].name;
        const struct db_cell *cell = db_result_cell(result, row, i);
        const char *text = cell->data == NULL ? "" : cell->data;
        if (strcmp(name, "Host") == 0)
            permission->host = message_text(text);
        else if (strcmp(name, "Db") == 0)
            permission->db = message_text(text);
        else if (strcmp(name, "User") == 0)
            permission->user = message_text(text);
        else
            message_map_add(&tabletmanagerdata__db_permission__privileges_entry__descriptor,
                            &permission->n_privileges, &permission->privileges, name, text);
    }
    return permission;
}

HANDLER(handle_get_permissions)
{
    (void)request;
    Tabletmanagerdata__GetPermissionsResponse *out = response;
    CLEANUP(dba_done) struct dba dba = {0};
    TRY(handler_take_dba(call, &dba));
    CLEANUP(db_result_freep) struct db_result *users = NULL, *databases = NULL;
    TRY(db_query(dba.db, call->cancel, DB_NO_LIMIT, "SELECT * FROM mysql.user ORDER BY host, user",
                 &users));
    TRY(db_query(dba.db, call->cancel, DB_NO_LIMIT,
                 "SELECT * FROM mysql.db ORDER BY host, db, user", &databases));
    Tabletmanagerdata__Permissions *permissions =
        message_new(&tabletmanagerdata__permissions__descriptor);
    for (size_t i = 0; i < users->row_count; i++)
        message_append(&permissions->n_user_permissions, &permissions->user_permissions,
                       user_permission(users, i));
    for (size_t i = 0; i < databases->row_count; i++)
        message_append(&permissions->n_db_permissions, &permissions->db_permissions,
                       db_permission(databases, i));
    out->permissions = permissions;
    return NULL;
}
