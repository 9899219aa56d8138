#include "agent/rpc/auth.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "agent/base/file.h"
#include "agent/base/log.h"
#include "agent/base/memory.h"
#include "agent/rpc/stamp.h"

enum { FILE_LIMIT_BYTES = 4 * 1024 * 1024 };

struct user {
    char *name, *password;
};

struct users {
    struct user *items;
    size_t count;
};

struct auth_server {
    char *path;
    struct stamp stamp;
    struct users users;
};

static void
users_done(struct users *users)
{
    for (size_t i = 0; i < users->count; i++) {
        free(users->items[i].name);
        free(users->items[i].password);
    }
    free(users->items);
    *users = (struct users){.items = NULL};
}

static struct error *
read_json(const char *path, json_t **ret_json)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(path, FILE_LIMIT_BYTES, &text));
    json_error_t problem;
    json_t *json = json_loadb(buffer_text(&text), text.length_bytes, 0, &problem);
    if (json == NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' is not JSON: line %d: %s", path,
                         problem.line, problem.text);
    *ret_json = json;
    return NULL;
}

static struct error *
read_user(const char *path, const json_t *entry, struct user *ret_user)
{
    const char *name = json_string_value(json_object_get(entry, "Username"));
    const char *password = json_string_value(json_object_get(entry, "Password"));
    if (name == NULL || password == NULL)
        return error_new(ERROR_INVALID_ARGUMENT,
                         "'%s' has an entry without the texts \"Username\" and \"Password\"", path);
    *ret_user = (struct user){xstrdup(name), xstrdup(password)};
    return NULL;
}

static struct error *
read_users(const char *path, struct users *ret_users)
{
    json_t *json = NULL;
    TRY(read_json(path, &json));
    struct users users = {.items = NULL};
    struct error *error = NULL;
    if (!json_is_array(json))
        error = error_new(ERROR_INVALID_ARGUMENT, "'%s' must hold a list of users", path);
    users.items = xcalloc(json_array_size(json) + 1, sizeof(*users.items));
    for (size_t i = 0; error == NULL && i < json_array_size(json); i++) {
        error = read_user(path, json_array_get(json, i), &users.items[users.count]);
        users.count += error == NULL;
    }
    json_decref(json);
    if (error != NULL) {
        users_done(&users);
        return error;
    }
    *ret_users = users;
    return NULL;
}

struct error *
auth_server_new(const char *users_file, struct auth_server **ret_auth)
{
    struct auth_server *auth = xcalloc(1, sizeof(*auth));
    auth->path = xstrdup(users_file);
    auth->stamp = stamp_of(users_file);
    struct error *error = read_users(users_file, &auth->users);
    if (error != NULL) {
        auth_server_free(auth);
        return error_wrap(error, "read the users allowed to call");
    }
    *ret_auth = auth;
    return NULL;
}

void
auth_server_free(struct auth_server *auth)
{
    if (auth == NULL)
        return;
    users_done(&auth->users);
    free(auth->path);
    free(auth);
}

static void
refresh(struct auth_server *auth)
{
    struct stamp now = stamp_of(auth->path);
    if (stamp_equal(&now, &auth->stamp))
        return;
    auth->stamp = now;
    struct users users;
    struct error *error = read_users(auth->path, &users);
    if (error != NULL) {
        log_error_take(LOG_LEVEL_WARN, "rpc", error, "the users allowed to call stay as they were");
        return;
    }
    users_done(&auth->users);
    auth->users = users;
}

static const grpc_slice *
find_value(const grpc_metadata_array *metadata, const char *key)
{
    for (size_t i = 0; i < metadata->count; i++)
        if (grpc_slice_str_cmp(metadata->metadata[i].key, key) == 0)
            return &metadata->metadata[i].value;
    return NULL;
}

/* Takes the same time whatever the first difference is. */
static bool
is_equal(const grpc_slice *given, const char *expected)
{
    size_t length = strlen(expected);
    if (GRPC_SLICE_LENGTH(*given) != length)
        return false;
    const uint8_t *bytes = GRPC_SLICE_START_PTR(*given);
    unsigned difference = 0;
    for (size_t i = 0; i < length; i++)
        difference |= (unsigned)bytes[i] ^ (unsigned char)expected[i];
    return difference == 0;
}

struct error *
auth_server_check(struct auth_server *auth, const grpc_metadata_array *metadata)
{
    refresh(auth);
    const grpc_slice *name = find_value(metadata, "username");
    const grpc_slice *password = find_value(metadata, "password");
    if (name == NULL || password == NULL)
        return error_new(ERROR_UNAUTHENTICATED, "username and password must be provided");
    for (size_t i = 0; i < auth->users.count; i++)
        if (is_equal(name, auth->users.items[i].name) &&
            is_equal(password, auth->users.items[i].password))
            return NULL;
    return error_new(ERROR_PERMISSION_DENIED,
                     "auth failure: caller \"%.*s\" provided invalid credentials",
                     (int)(GRPC_SLICE_LENGTH(*name) < 256 ? GRPC_SLICE_LENGTH(*name) : 256),
                     (const char *)GRPC_SLICE_START_PTR(*name));
}

/* The core refuses a call with other characters in a header. */
static bool
is_legal_value(const char *text)
{
    return grpc_header_nonbin_value_is_legal(grpc_slice_from_static_string(text)) != 0;
}

struct error *
auth_client_read(const char *client_file, struct auth_client *ret_auth)
{
    if (str_is_empty(client_file)) {
        *ret_auth = (struct auth_client){.username = NULL};
        return NULL;
    }
    json_t *json = NULL;
    struct error *error = read_json(client_file, &json);
    struct user user;
    if (error == NULL)
        error = read_user(client_file, json, &user);
    json_decref(json);
    if (error != NULL)
        return error_wrap(error, "read the credentials for calls");
    if (!is_legal_value(user.name) || !is_legal_value(user.password)) {
        free(user.name);
        free(user.password);
        return error_new(ERROR_INVALID_ARGUMENT, "'%s' has characters that gRPC cannot send",
                         client_file);
    }
    *ret_auth = (struct auth_client){user.name, user.password};
    return NULL;
}

size_t
auth_client_fill(const struct auth_client *auth, grpc_metadata metadata[2])
{
    if (auth->username == NULL)
        return 0;
    memset(metadata, 0, 2 * sizeof(*metadata));
    metadata[0].key = grpc_slice_from_static_string("username");
    metadata[0].value = grpc_slice_from_copied_string(auth->username);
    metadata[1].key = grpc_slice_from_static_string("password");
    metadata[1].value = grpc_slice_from_copied_string(auth->password);
    return 2;
}

void
auth_release_metadata(grpc_metadata *metadata, size_t count)
{
    for (size_t i = 0; i < count; i++)
        grpc_slice_unref(metadata[i].value);
}

void
auth_client_done(struct auth_client *auth)
{
    free(auth->username);
    free(auth->password);
    *auth = (struct auth_client){.username = NULL};
}
