#include "agent/health/certificate.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "agent/base/file.h"

#define FILE_LIMIT_BYTES (1u << 20)

struct error *
certificate_expiry(const char *pem, size_t size, int64_t *ret_expires_ns)
{
    BIO *memory = BIO_new_mem_buf(pem, (int)size);
    X509 *certificate = PEM_read_bio_X509(memory, NULL, NULL, NULL);
    BIO_free(memory);
    if (certificate == NULL)
        return error_new(ERROR_INVALID_ARGUMENT, "no certificate in PEM form");
    struct tm end;
    int is_read = ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end);
    X509_free(certificate);
    if (is_read != 1)
        return error_new(ERROR_INVALID_ARGUMENT, "its time of expiry cannot be read");
    *ret_expires_ns = (int64_t)timegm(&end) * 1000000000;
    return NULL;
}

static struct error *
read_expiry(struct certificate_file *file)
{
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    TRY(file_read(file->path, FILE_LIMIT_BYTES, &text));
    return error_wrap(certificate_expiry(buffer_text(&text), text.length_bytes, &file->expires_ns),
                      "'%s'", file->path);
}

void
certificate_file_look(struct certificate_file *file)
{
    struct stat status = {.st_size = 0};
    if (stat(file->path, &status) != 0) {
        snprintf(file->error, sizeof(file->error), "'%s': %s", file->path, strerror(errno));
        file->modified_ns = 0;
        return;
    }
    int64_t modified_ns = (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
    if (modified_ns == file->modified_ns && status.st_size == file->size)
        return;
    file->modified_ns = modified_ns;
    file->size = status.st_size;
    file->error[0] = '\0';
    file->expires_ns = 0;
    struct error *error = read_expiry(file);
    if (error != NULL)
        snprintf(file->error, sizeof(file->error), "%s", error->message);
    error_free(error);
}
