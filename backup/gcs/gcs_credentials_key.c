/* A service account's key file: we sign what we claim, and get a token for it (RFC 7523). */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "agent/base/clock.h"
#include "backup/gcs/gcs_credentials.h"

#define LIFETIME_S 3600
#define DEFAULT_TOKEN_URI "https://oauth2.googleapis.com/token"

static void
free_bio(BIO **bio)
{
    BIO_free(*bio);
}

static void
free_key(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void
free_digest(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

/* base64url, without padding. */
static char *
encode(const void *data, size_t size)
{
    char *text = xmalloc(size / 3 * 4 + 5);
    int length = EVP_EncodeBlock((unsigned char *)text, data, (int)size);
    while (length > 0 && text[length - 1] == '=')
        length--;
    text[length] = '\0';
    for (char *at = text; *at != '\0'; at++) {
        if (*at == '+')
            *at = '-';
        else if (*at == '/')
            *at = '_';
    }
    return text;
}

/* Asks nobody for a pass phrase. */
static int
no_passphrase(char *text, int size, int is_for_writing, void *data)
{
    (void)text;
    (void)size;
    (void)is_for_writing;
    (void)data;
    return -1;
}

static struct error *
read_key(const char *pem, EVP_PKEY **ret_key)
{
    CLEANUP(free_bio) BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    if (key == NULL || EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA) {
        EVP_PKEY_free(key);
        return error_new(ERROR_FAILED_PRECONDITION,
                         "private_key is not an RSA key in PEM: make a new key for the account");
    }
    *ret_key = key;
    return NULL;
}

static struct error *
sign(EVP_PKEY *key, const char *text, char **ret_signature)
{
    unsigned char bytes[1024];
    size_t size = sizeof(bytes);
    CLEANUP(free_digest) EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context == NULL || EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) != 1 ||
        EVP_DigestSign(context, bytes, &size, (const unsigned char *)text, strlen(text)) != 1)
        return error_new(ERROR_FAILED_PRECONDITION, "private_key cannot sign: make a new key");
    *ret_signature = encode(bytes, size);
    return NULL;
}

struct error *
gcs_jwt_make(const char *private_key_pem, const char *key_id, const char *email,
             const char *audience, int64_t now_s, char **ret_jwt)
{
    CLEANUP(free_key) EVP_PKEY *key = NULL;
    TRY(read_key(private_key_pem, &key));
    CLEANUP(buffer_done) struct buffer head = BUFFER_INIT;
    buffer_append_text(&head, "{\"alg\":\"RS256\",\"typ\":\"JWT\"");
    if (!str_is_empty(key_id)) {
        buffer_append_text(&head, ",\"kid\":");
        buffer_append_json_string(&head, key_id);
    }
    buffer_append_char(&head, '}');
    CLEANUP(buffer_done) struct buffer claims = BUFFER_INIT;
    buffer_append_text(&claims, "{\"iss\":");
    buffer_append_json_string(&claims, email);
    buffer_append_text(&claims, ",\"aud\":");
    buffer_append_json_string(&claims, audience);
    buffer_appendf(&claims, ",\"scope\":\"" GCS_SCOPE "\",\"iat\":%lld,\"exp\":%lld}",
                   (long long)now_s, (long long)now_s + LIFETIME_S);
    CLEANUP(freep) char *head_text = encode(head.data, head.length_bytes);
    CLEANUP(freep) char *claims_text = encode(claims.data, claims.length_bytes);
    CLEANUP(freep) char *signed_text = xasprintf("%s.%s", head_text, claims_text);
    CLEANUP(freep) char *signature = NULL;
    TRY(sign(key, signed_text, &signature));
    *ret_jwt = xasprintf("%s.%s", signed_text, signature);
    return NULL;
}

static const char *
token_uri(const struct gcs_credentials *credentials)
{
    const char *text = json_string_value(json_object_get(credentials->json, "token_uri"));
    return str_is_empty(text) ? DEFAULT_TOKEN_URI : text;
}

static struct error *
make(const struct gcs_credentials *credentials, char **ret_jwt)
{
    const char *email, *pem;
    const char *id = json_string_value(json_object_get(credentials->json, "private_key_id"));
    TRY(gcs_credentials_text(credentials, credentials->json, "client_email", &email));
    TRY(gcs_credentials_text(credentials, credentials->json, "private_key", &pem));
    return error_wrap(gcs_jwt_make(pem, id, email, token_uri(credentials),
                                   clock_wall_ns() / 1000000000LL, ret_jwt),
                      "credentials '%s'", credentials->origin);
}

static struct error *
check(const struct gcs_credentials *credentials)
{
    CLEANUP(freep) char *jwt = NULL;
    TRY(make(credentials, &jwt));
    return gcs_credentials_check_url(credentials, token_uri(credentials));
}

static struct error *
fetch(const struct gcs_credentials *credentials, struct gcs_http *http, struct cancel *cancel,
      struct gcs_grant *ret_grant)
{
    CLEANUP(freep) char *jwt = NULL;
    TRY(make(credentials, &jwt));
    CLEANUP(freep)
    char *form = xasprintf(
        "grant_type=urn%%3Aietf%%3Aparams%%3Aoauth%%3Agrant-type%%3Ajwt-bearer&assertion=%s", jwt);
    return gcs_credentials_post_form(credentials, http, token_uri(credentials), form, cancel,
                                     ret_grant);
}

const struct gcs_credentials_kind gcs_kind_service_account = {"service_account", check, fetch};
