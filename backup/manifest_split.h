/* A MANIFEST of 100,000 files as one tree of JSON values takes ten times its bytes. Cut in two,
 * what is around the array of files is one small text, and the files are read one by one. */
#ifndef VTAGENT_BACKUP_MANIFEST_SPLIT_H
#define VTAGENT_BACKUP_MANIFEST_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "agent/base/buffer.h"

/* Bytes of the text that was cut. */
struct manifest_slice {
    const char *start;
    size_t size;
};
/* Appends the text to *rest with "[]" in place of the first array whose key, in the outermost
 * object, is `key`, whatever its case; *ret_elements is what was between the brackets. False: there
 * is no such array that ends, nothing was appended. What is cut is not checked otherwise. */
bool manifest_cut(const char *text, size_t size, const char *key, struct buffer *rest,
                  struct manifest_slice *ret_elements);
/* Takes the first element off *elements: the bytes up to a comma that separates elements. False:
 * none is left. */
bool manifest_next_element(struct manifest_slice *elements, struct manifest_slice *ret_element);
size_t manifest_element_count(struct manifest_slice elements);

#endif
