/* For the tests: loaded before all else, ends the process right after it has cut off a table's file for the n-th time, n being in FLAG. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void count_down(int fd)
{
    char link[64], path[1024];
    int left = 0;
    FILE *flag = fopen(FLAG, "r+");
    if (flag == NULL)
        return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    if (strstr(path, "/base/") != NULL && fscanf(flag, "%d", &left) == 1) {
        rewind(flag);
        fprintf(flag, "%d\n", left - 1);
        fflush(flag);
        if (left == 1) {
            unlink(FLAG);
            kill(getpid(), SIGKILL);
        }
    }
    fclose(flag);
}

int ftruncate(int fd, off_t length)
{
    int (*next)(int, off_t) = (int (*)(int, off_t)) dlsym(RTLD_NEXT, "ftruncate");
    int result = next(fd, length);
    count_down(fd);
    return result;
}

int ftruncate64(int fd, off64_t length)
{
    int (*next)(int, off64_t) = (int (*)(int, off64_t)) dlsym(RTLD_NEXT, "ftruncate64");
    int result = next(fd, length);
    count_down(fd);
    return result;
}
