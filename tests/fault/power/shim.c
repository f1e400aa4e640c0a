/* Records what a process asks of a folder's disk, in order, and refuses it on demand.
 *
 * LD_PRELOAD this with
 *   FAULT_ROOT   the folder that is watched,
 *   FAULT_LOG    where each call is appended; without it nothing is recorded,
 *   FAULT_REFUSE a file of lines "CALL ERRNO": while it exists, these calls fail with that error.
 *
 * A record is: one letter, the size of what follows (8 bytes), fields of 8 bytes, then texts and data:
 *   O file            opened: path            (a file that is new, or was cut to nothing)
 *   W file offset     written: data
 *   T file size       cut or extended
 *   S file            synced; file 0: a folder, its path follows
 *   R                 renamed: from NUL to
 *   U                 removed: path
 *   M                 folder made: path
 *   A                 sent to a socket: data
 * A file is its inode number, which is not given to another while it is open. Calls are recorded under
 * a lock that is held over the call itself, so the order is the true one. What is sent is recorded
 * before it is sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define LARGEST_SENT 4096

static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;
static int book = -1;
static __thread int inside;

__attribute__((constructor)) static void begin(void) {
    const char *log = getenv("FAULT_LOG");
    if (log) book = REAL(open)(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int lock(void) {
    pthread_mutex_lock(&order);
    if (book >= 0) flock(book, LOCK_EX);
    return ++inside;
}

static void unlock(void) {
    int kept = errno;
    --inside;
    if (book >= 0) flock(book, LOCK_UN);
    pthread_mutex_unlock(&order);
    errno = kept;
}

static void record(char what, int numbers, const uint64_t *number, const void *data, size_t size) {
    if (book < 0) return;
    uint64_t length = 8 * numbers + size;
    struct iovec parts[] = {
        {&what, 1}, {&length, 8}, {(void *)number, 8 * numbers}, {(void *)data, size}};
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = REAL(writev);
    if (real(book, parts, 4) != (ssize_t)(9 + length)) abort();
}

static int watched(const char *path) {
    const char *root = getenv("FAULT_ROOT");
    size_t size = root ? strlen(root) : 0;
    return root && !strncmp(path, root, size) && (!path[size] || path[size] == '/');
}

/* The watched path of an open file or folder; 0 where it is none. */
static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, PATH_MAX - 1);
    if (size < 0) return 0;
    path[size] = 0;
    return watched(path);
}

static int absolute(int folder, const char *path, char *whole) {
    char base[PATH_MAX];
    int size;
    if (path[0] == '/') size = snprintf(whole, PATH_MAX, "%s", path);
    else if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : !path_of(folder, base)) return 0;
    else size = snprintf(whole, PATH_MAX, "%s/%s", base, path);
    return size < PATH_MAX && watched(whole);
}

static uint64_t inode(int file) {
    struct stat about;
    return fstat(file, &about) ? 0 : about.st_ino;
}

/* Whether the call is to be refused now; sets errno. */
static int refused(const char *call) {
    const char *list = getenv("FAULT_REFUSE");
    if (!list || access(list, F_OK)) return 0;
    FILE *file = fopen(list, "re");
    char name[32];
    int number, hit = 0;
    while (file && !hit && fscanf(file, "%31s %d", name, &number) == 2) hit = !strcmp(name, call);
    if (file) fclose(file);
    if (hit) errno = number;
    return hit;
}

static int opened(int file, const char *path, int flags, int was_there) {
    if (file >= 0 && (!was_there || flags & O_TRUNC)) {
        uint64_t number = inode(file);
        record('O', 1, &number, path, strlen(path));
    }
    return file;
}

#define OPEN(name, folder_parameter, folder, path, call)                                  \
    int name(folder_parameter const char *path, int flags, ...) {                         \
        mode_t mode = 0;                                                                  \
        char whole[PATH_MAX];                                                             \
        if (flags & (O_CREAT | O_TMPFILE)) {                                              \
            va_list more;                                                                 \
            va_start(more, flags);                                                        \
            mode = va_arg(more, mode_t);                                                  \
            va_end(more);                                                                 \
        }                                                                                 \
        if (inside || !(flags & (O_CREAT | O_TRUNC)) || !absolute(folder, path, whole))   \
            return call;                                                                  \
        lock();                                                                           \
        int was_there = !access(whole, F_OK), file = -1;                                  \
        if (was_there || !refused("open")) file = opened(call, whole, flags, was_there);  \
        unlock();                                                                         \
        return file;                                                                      \
    }

#define NONE
#define FOLDER int folder,
OPEN(open, NONE, AT_FDCWD, path, REAL(open)(path, flags, mode))
OPEN(open64, NONE, AT_FDCWD, path, REAL(open64)(path, flags, mode))
OPEN(openat, FOLDER, folder, path, REAL(openat)(folder, path, flags, mode))
OPEN(openat64, FOLDER, folder, path, REAL(openat64)(folder, path, flags, mode))

static ssize_t written(int file, uint64_t offset, const void *data, ssize_t size) {
    uint64_t numbers[] = {inode(file), offset};
    if (size > 0) record('W', 2, numbers, data, size);
    return size;
}

static int is_socket(int file) {
    struct stat about;
    return !fstat(file, &about) && S_ISSOCK(about.st_mode);
}

static void sent(int socket, const void *data, size_t size) {
    if (inside || book < 0 || !size || !is_socket(socket)) return;
    lock();
    record('A', 0, NULL, data, size < LARGEST_SENT ? size : LARGEST_SENT);
    unlock();
}

ssize_t write(int file, const void *data, size_t size) {
    char path[PATH_MAX];
    if (inside) return REAL(write)(file, data, size);
    if (!path_of(file, path)) return sent(file, data, size), REAL(write)(file, data, size);
    lock();
    ssize_t done = -1;
    if (!refused("write")) {
        off_t offset = fcntl(file, F_GETFL) & O_APPEND ? lseek(file, 0, SEEK_END) : lseek(file, 0, SEEK_CUR);
        done = written(file, offset, data, REAL(write)(file, data, size));
    }
    unlock();
    return done;
}

#define PWRITE(name, type)                                                               \
    ssize_t name(int file, const void *data, size_t size, type offset) {                 \
        char path[PATH_MAX];                                                             \
        if (inside || !path_of(file, path)) return REAL(name)(file, data, size, offset); \
        lock();                                                                          \
        ssize_t done = -1;                                                               \
        if (!refused("pwrite"))                                                          \
            done = written(file, offset, data, REAL(name)(file, data, size, offset));    \
        unlock();                                                                        \
        return done;                                                                     \
    }
PWRITE(pwrite, off_t)
PWRITE(pwrite64, off64_t)

/* Nobody we watch uses these on files; whoever begins to must be recorded first. */
#define NEVER(name, parameters, arguments)                      \
    ssize_t name parameters {                                   \
        char path[PATH_MAX];                                    \
        if (!inside && path_of(file, path)) abort();            \
        return REAL(name) arguments;                            \
    }
NEVER(writev, (int file, const struct iovec *parts, int count), (file, parts, count))
NEVER(pwritev, (int file, const struct iovec *parts, int count, off_t offset), (file, parts, count, offset))

#define SYNC(name)                                                \
    int name(int file) {                                          \
        char path[PATH_MAX];                                      \
        if (inside || !path_of(file, path)) return REAL(name)(file); \
        lock();                                                   \
        int failed = refused("fsync") ? -1 : REAL(name)(file);    \
        struct stat about;                                        \
        if (!failed && !fstat(file, &about)) {                    \
            uint64_t number = S_ISDIR(about.st_mode) ? 0 : about.st_ino; \
            record('S', 1, &number, number ? "" : path, number ? 0 : strlen(path)); \
        }                                                         \
        unlock();                                                 \
        return failed;                                            \
    }
SYNC(fsync)
SYNC(fdatasync)

#define TRUNCATE(name, type)                                                   \
    int name(int file, type size) {                                            \
        char path[PATH_MAX];                                                   \
        if (inside || !path_of(file, path)) return REAL(name)(file, size);     \
        lock();                                                                \
        uint64_t numbers[] = {inode(file), size};                              \
        int failed = refused("truncate") ? -1 : REAL(name)(file, size);        \
        if (!failed) record('T', 2, numbers, NULL, 0);                         \
        unlock();                                                              \
        return failed;                                                         \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

static void renamed(const char *from, const char *to) {
    char both[2 * PATH_MAX];
    int size = snprintf(both, sizeof both, "%s%c%s", from, 0, to);
    record('R', 0, NULL, both, size);
}

#define RENAME(name, parameters, from_folder, to_folder, call)                             \
    int name parameters {                                                                  \
        char one[PATH_MAX], other[PATH_MAX];                                               \
        if (inside || !absolute(from_folder, from, one) || !absolute(to_folder, to, other)) \
            return call;                                                                   \
        lock();                                                                            \
        int failed = refused("rename") ? -1 : call;                                        \
        if (!failed) renamed(one, other);                                                  \
        unlock();                                                                          \
        return failed;                                                                     \
    }
RENAME(rename, (const char *from, const char *to), AT_FDCWD, AT_FDCWD, REAL(rename)(from, to))
RENAME(renameat, (int a, const char *from, int b, const char *to), a, b, REAL(renameat)(a, from, b, to))

#define ONE_PATH(name, letter, parameters, folder, call)                \
    int name parameters {                                               \
        char whole[PATH_MAX];                                           \
        if (inside || !absolute(folder, path, whole)) return call;      \
        lock();                                                         \
        int failed = refused(#name) ? -1 : call;                        \
        if (!failed) record(letter, 0, NULL, whole, strlen(whole));     \
        unlock();                                                       \
        return failed;                                                  \
    }
ONE_PATH(unlink, 'U', (const char *path), AT_FDCWD, REAL(unlink)(path))
ONE_PATH(unlinkat, 'U', (int folder, const char *path, int flags), folder, REAL(unlinkat)(folder, path, flags))
ONE_PATH(mkdir, 'M', (const char *path, mode_t mode), AT_FDCWD, REAL(mkdir)(path, mode))
ONE_PATH(mkdirat, 'M', (int folder, const char *path, mode_t mode), folder, REAL(mkdirat)(folder, path, mode))

ssize_t send(int socket, const void *data, size_t size, int flags) {
    sent(socket, data, size);
    return REAL(send)(socket, data, size, flags);
}

ssize_t sendto(int socket, const void *data, size_t size, int flags, const struct sockaddr *to, socklen_t length) {
    sent(socket, data, size);
    return REAL(sendto)(socket, data, size, flags, to, length);
}
