/* For the tests: loaded before all else, it makes the world worse. FOLDER/full names what part of a path has no room left (files keep what they have),
   FOLDER/clock by how many seconds the wall clock is wrong. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static int content(const char *path, char *into, int size)
{
    int file = (int) syscall(SYS_openat, AT_FDCWD, path, O_RDONLY);
    if (file < 0)
        return 0;
    long length = syscall(SYS_read, file, into, size - 1);
    syscall(SYS_close, file);
    into[length < 0 ? 0 : length] = '\0';
    return length > 0;
}

/* Whether these bytes would make the file longer where there is no room. */
static int full(int fd, long end)
{
    char where[100], link[64], path[1024];
    struct stat is;
    if (!content(FOLDER "/full", where, sizeof(where)) || fstat(fd, &is) != 0 || !S_ISREG(is.st_mode) || end <= is.st_size)
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    if (strstr(path, where) == NULL)
        return 0;
    errno = ENOSPC;
    return 1;
}

static long sum(const struct iovec *parts, int count)
{
    long bytes = 0;
    for (int i = 0; i < count; ++i)
        bytes += (long) parts[i].iov_len;
    return bytes;
}

#define PWRITE(name) \
    ssize_t name(int fd, const void *from, size_t size, off_t at) \
    { \
        ssize_t (*next)(int, const void *, size_t, off_t) = (ssize_t (*)(int, const void *, size_t, off_t)) dlsym(RTLD_NEXT, #name); \
        return full(fd, at + (long) size) ? -1 : next(fd, from, size, at); \
    }
#define PWRITEV(name) \
    ssize_t name(int fd, const struct iovec *parts, int count, off_t at) \
    { \
        ssize_t (*next)(int, const struct iovec *, int, off_t) = (ssize_t (*)(int, const struct iovec *, int, off_t)) dlsym(RTLD_NEXT, #name); \
        return full(fd, at + sum(parts, count)) ? -1 : next(fd, parts, count, at); \
    }
PWRITE(pwrite)
PWRITE(pwrite64)
PWRITEV(pwritev)
PWRITEV(pwritev64)

static long wrong(void)
{
    static long seconds;
    static struct timespec looked;
    struct timespec now;
    char text[32];
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (now.tv_sec != looked.tv_sec || now.tv_nsec - looked.tv_nsec > 20000000) {
        looked = now;
        seconds = content(FOLDER "/clock", text, sizeof(text)) ? atol(text) : 0;
    }
    return seconds;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec is;
    (void) zone;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &is);
    now->tv_sec = is.tv_sec + wrong();
    now->tv_usec = is.tv_nsec / 1000;
    return 0;
}

int clock_gettime(clockid_t which, struct timespec *now)
{
    int result = (int) syscall(SYS_clock_gettime, which, now);
    if (which == CLOCK_REALTIME)
        now->tv_sec += wrong();
    return result;
}

time_t time(time_t *now)
{
    struct timespec is;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &is);
    is.tv_sec += wrong();
    if (now != NULL)
        *now = is.tv_sec;
    return is.tv_sec;
}
