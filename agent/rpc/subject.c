#include "agent/rpc/subject.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <stdbool.h>
#include <string.h>

#include "agent/base/buffer.h"
#include "agent/base/memory.h"

/* In the order of the text. */
static const struct attribute {
    const char *name;
    int id;
    bool is_single; /* the last one counts; else all stand together */
} ATTRIBUTES[] = {
    {"SERIALNUMBER", NID_serialNumber, true},
    {"CN", NID_commonName, true},
    {"OU", NID_organizationalUnitName, false},
    {"O", NID_organizationName, false},
    {"POSTALCODE", NID_postalCode, false},
    {"STREET", NID_streetAddress, false},
    {"L", NID_localityName, false},
    {"ST", NID_stateOrProvinceName, false},
    {"C", NID_countryName, false},
};

static void
add_escaped(struct buffer *text, const unsigned char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool is_edge = i == 0 || i + 1 == length;
        if ((value[i] != '\0' && strchr(",+\"\\<>;", value[i]) != NULL) ||
            (value[i] == ' ' && is_edge) || (value[i] == '#' && i == 0))
            buffer_append(text, "\\", 1);
        buffer_append(text, &value[i], 1);
    }
}

static bool
add_value(struct buffer *text, const char *separator, const struct attribute *attribute,
          const X509_NAME_ENTRY *entry)
{
    unsigned char *value = NULL;
    int length = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry));
    if (length < 0 || (length == 0 && attribute->is_single)) {
        OPENSSL_free(value);
        return false;
    }
    buffer_appendf(text, "%s%s=", separator, attribute->name);
    add_escaped(text, value, (size_t)length);
    OPENSSL_free(value);
    return true;
}

static const char *
separator_of(const struct buffer *text)
{
    return text->length_bytes == 0 ? "" : ",";
}

static void
add_attribute(struct buffer *text, const X509_NAME *name, const struct attribute *attribute)
{
    const char *separator = separator_of(text);
    int index = -1, last = -1;
    while ((index = X509_NAME_get_index_by_NID(name, attribute->id, index)) >= 0) {
        last = index;
        if (!attribute->is_single &&
            add_value(text, separator, attribute, X509_NAME_get_entry(name, index)))
            separator = "+";
    }
    if (attribute->is_single && last >= 0)
        add_value(text, separator, attribute, X509_NAME_get_entry(name, last));
}

static bool
is_known(const X509_NAME_ENTRY *entry)
{
    int id = OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry));
    for (size_t i = 0; i < ARRAY_LENGTH(ATTRIBUTES); i++)
        if (ATTRIBUTES[i].id == id)
            return true;
    return false;
}

/* Go reads a value as text and writes it anew: printable where that can be, else UTF-8. */
static int
encode(const X509_NAME_ENTRY *entry, unsigned char **ret_der)
{
    unsigned char *value = NULL;
    int length = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry));
    if (length < 0)
        return -1;
    bool is_printable = ASN1_PRINTABLE_type(value, length) == V_ASN1_PRINTABLESTRING;
    ASN1_STRING *text =
        ASN1_STRING_type_new(is_printable ? V_ASN1_PRINTABLESTRING : V_ASN1_UTF8STRING);
    ASN1_STRING_set0(text, value, length);
    int size =
        is_printable ? i2d_ASN1_PRINTABLESTRING(text, ret_der) : i2d_ASN1_UTF8STRING(text, ret_der);
    ASN1_STRING_free(text);
    return size;
}

static void
add_other(struct buffer *text, const X509_NAME_ENTRY *entry)
{
    char name[128];
    unsigned char *der = NULL;
    int size = encode(entry, &der);
    if (size < 0)
        return;
    OBJ_obj2txt(name, sizeof(name), X509_NAME_ENTRY_get_object(entry), 1);
    buffer_appendf(text, "%s%s=#", separator_of(text), name);
    for (int i = 0; i < size; i++)
        buffer_appendf(text, "%02x", der[i]);
    OPENSSL_free(der);
}

char *
subject_text(X509 *certificate)
{
    const X509_NAME *name = X509_get_subject_name(certificate);
    CLEANUP(buffer_done) struct buffer text = BUFFER_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(ATTRIBUTES); i++)
        add_attribute(&text, name, &ATTRIBUTES[i]);
    for (int i = X509_NAME_entry_count(name) - 1; i >= 0; i--) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        if (!is_known(entry))
            add_other(&text, entry);
    }
    return buffer_take(&text);
}
