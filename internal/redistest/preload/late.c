/* Preloaded, it makes a program's clock be behind by LATE_BY seconds. Clocks
 * that only measure time go on as they are. */
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long behind(void)
{
	const char *seconds = getenv("LATE_BY");
	return seconds ? atol(seconds) : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
	int result = syscall(SYS_clock_gettime, id, t);
	if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
		t->tv_sec -= behind();
	return result;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
	struct timespec now;
	int result = clock_gettime(CLOCK_REALTIME, &now);
	(void)zone;
	t->tv_sec = now.tv_sec;
	t->tv_usec = now.tv_nsec / 1000;
	return result;
}

time_t time(time_t *t)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (t)
		*t = now.tv_sec;
	return now.tv_sec;
}
