package redisbus_test

import (
	"strings"
	"testing"

	"tickertape/internal/redisbus"
)

// TestBadURL gives URLs that cannot be used: the error says so, without what
// may be a password.
func TestBadURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "localhost", "http://:hunter2@host", "redis://:hunter2@host/x", "redis://:hunter2@host/1/2",
		"redis://:hun%zzter2@host", "redis://user:12/hunter2@host:6379/0", "redis://user:12?hunter2@host:6379/0", "redis://user:12#/hunter2@host:6379/0",
		"redis://:hunter2@host?db=x", "redis://:hunter2@host?hunter2=1", "redis://:hunter2@host:port", "redis://:redis: hunter2 @host", "hunter2:hunter2@host",
		"sentinel+redis://:hunter2@host/name", "redis+sentinel:hunter2@host/name", "redis+sentinel://", "redis+sentinel://:hunter2@host",
		"redis+sentinel://:hunter2@host:26379,other:26379/", "redis+sentinel://:hunter2@host,/name", "redis+sentinel://:hunter2@,host/name",
		"redis+sentinel://:hunter2@host:0/name", "redis+sentinel://:hunter2@host:65536/name", "redis+sentinel://:hunter2@host:hunter2/name",
		"redis+sentinel://:hunter2@::1/name", "redis+sentinel://:hunter2@host/name/x", "redis+sentinel://:hunter2@host/name/0/1", "redis+sentinel://:hunter2@host/na%zzme",
		"redis+sentinel://user:12/hunter2@host:26379/name", "redis+sentinel://user:12#hunter2@host:26379/name", "redis+sentinel://host/name?sentinel_passwort=hunter2",
		"redis+sentinel://host/name?sentinel_password=%zzhunter2", "redis+sentinel://:hunt er2@host/name",
		"redis+cluster://", "redis+cluster://:hunter2@host/1", "redis+cluster://:hunter2@host/name", "redis+cluster://:hunter2@host?db=1",
		"redis+cluster://user:12/hunter2@host", "rediss+cluster://:hunter2@host,ho st", "redis+cluster://host?sentinel_password=hunter2", "unix+cluster://:hunter2@host"} {
		_, err := redisbus.Open(redisbus.Options{URL: url})
		if err == nil {
			t.Errorf("%q is taken", url)
			continue
		}
		if text := err.Error(); !strings.Contains(text, "redis://") && !strings.Contains(text, "redis+") || strings.Contains(text, "hunter2") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for url, want := range map[string]string{
		"redis+sentinel://:hunter2@host:26379": "lacks the name of the primary",
		"redis+cluster://:hunter2@host/3":      "has no databases",
	} {
		_, err := redisbus.Open(redisbus.Options{URL: url})
		says(t, err, want)
	}
	for _, prefix := range []string{"tt:", "tt:{}:", "{a", "a b{0}", strings.Repeat("{a}", 30)} {
		if _, err := redisbus.Open(redisbus.Options{URL: "redis://localhost", Prefix: prefix}); err == nil {
			t.Errorf("the prefix %q is taken", prefix)
		}
	}
}

// TestNames has a bus name what its URL names, and nothing that is secret.
func TestNames(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"redis://u:hunter2@127.0.0.1:1/3":                                                "Redis at 127.0.0.1:1, database 3",
		"redis+sentinel://127.0.0.1/tape":                                                "Redis at the primary tape of the Sentinels at 127.0.0.1:26379, database 0",
		"redis+sentinel://u:hunter2@127.0.0.1:1,[::1]/a%20b/3?sentinel_password=hunter2": "Redis at the primary a b of the Sentinels at 127.0.0.1:1, [::1]:26379, database 3",
		"rediss+sentinel://:hunter2%2F@[::1]:1/tape/?skip_verify=true":                   "Redis at the primary tape of the Sentinels at [::1]:1, database 0",
		"redis+cluster://u:hunter2@127.0.0.1:1,127.0.0.1":                                "Redis Cluster at 127.0.0.1:1, 127.0.0.1:6379",
		"rediss+cluster://127.0.0.1:1/0":                                                 "Redis Cluster at 127.0.0.1:1",
	} {
		if got := openBus(t, redisbus.Options{URL: url}).Name(); got != want {
			t.Errorf("%s is named %q, want %q", url, got, want)
		}
	}
}
