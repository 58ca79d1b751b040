package main

import (
	"maps"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// compose is what docker-compose.yml says, as far as it is checked.
type compose struct {
	Services map[string]service
}

type service struct {
	Environment     map[string]string
	EnvFile         []string `yaml:"env_file"`
	Command         []string
	Volumes         []string
	StopGracePeriod string `yaml:"stop_grace_period"`
}

func readCompose(t *testing.T) (c compose) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(read(t, "../../docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// hubs returns the services that run a hub, by name, each with all that its
// environment says.
func (c compose) hubs(t *testing.T) map[string]map[string]string {
	t.Helper()
	hubs := map[string]map[string]string{}
	for name, s := range c.Services {
		if strings.HasPrefix(name, "hub") {
			hubs[name] = map[string]string{}
			for _, file := range s.EnvFile {
				maps.Copy(hubs[name], readEnv(t, "../../"+file))
			}
			maps.Copy(hubs[name], s.Environment)
		}
	}
	if len(hubs) != 3 {
		t.Fatalf("%d hubs in docker-compose.yml", len(hubs))
	}
	return hubs
}

// readEnv reads a file of lines NAME=value.
func readEnv(t *testing.T, file string) map[string]string {
	t.Helper()
	env := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^([^#\s=]+)=(.*)$`).FindAllStringSubmatch(read(t, file), -1) {
		env[m[1]] = m[2]
	}
	return env
}

func TestComposeSetsWhatHubsKnow(t *testing.T) {
	t.Parallel()
	k, err := parse(t, &settings{})
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for _, f := range k.Model.Flags {
		known = append(known, f.Envs...)
	}
	for name, env := range readCompose(t).hubs(t) {
		if !strings.HasPrefix(env["HUB_REDIS"], "redis://redis:") {
			t.Errorf("%s: HUB_REDIS is %q", name, env["HUB_REDIS"])
		}
		for variable := range env {
			if !slices.Contains(known, variable) {
				t.Errorf("%s: hubs know no %s", name, variable)
			}
		}
	}
}

// Prometheus finds each hub's metrics, and hubs on one machine do not take
// each other's address.
func TestHubsHaveMetrics(t *testing.T) {
	t.Parallel()
	for name, env := range readCompose(t).hubs(t) {
		if env["HUB_ADMIN_ADDR"] != ":8081" {
			t.Errorf("%s: HUB_ADMIN_ADDR is %q", name, env["HUB_ADMIN_ADDR"])
		}
	}
	admins := matches(t, "../../scripts/up.env", `HUB\d_ADMIN:=([0-9.:]+)`)
	slices.Sort(admins)
	if len(slices.Compact(admins)) != 3 {
		t.Errorf("scripts/up.env has the admin addresses %v", admins)
	}
}

// A hub is not killed before it has sent its clients away.
func TestComposeWaitsForTheDrain(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	for name, env := range c.hubs(t) {
		grace := duration(t, c.Services[name].StopGracePeriod)
		if ends := duration(t, env["HUB_DRAIN_WAIT"]) + duration(t, env["HUB_DRAIN_WINDOW"]) + closeTime + shutdownTime + adminTime; grace <= ends {
			t.Errorf("%s may take %v to end, and is given %v", name, ends, grace)
		}
	}
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Redis must lose nothing that hubs have acknowledged: neither to make room,
// nor when it is started anew.
func TestRedisKeepsAll(t *testing.T) {
	t.Parallel()
	redis := readCompose(t).Services["redis"]
	if !slices.Equal(redis.Command, []string{"redis-server", "/usr/local/etc/redis/redis.conf"}) ||
		!slices.Contains(redis.Volumes, "./deploy/redis:/usr/local/etc/redis:ro") || !slices.Contains(redis.Volumes, "redis:/data") {
		t.Errorf("Redis does not run with deploy/redis/redis.conf and a volume: %+v", redis)
	}
	lines := strings.Split(read(t, "../../deploy/redis/redis.conf"), "\n")
	for _, want := range []string{"maxmemory-policy noeviction", "appendonly yes"} {
		if !slices.Contains(lines, want) {
			t.Errorf("redis.conf lacks %q", want)
		}
	}
}

// haproxyVariables returns what haproxy.cfg takes from the environment.
func haproxyVariables(t *testing.T) []string {
	t.Helper()
	names := matches(t, "../../deploy/haproxy/haproxy.cfg", `"\$\{(\w+)\}`)
	slices.Sort(names)
	return slices.Compact(names)
}

func TestComposeNamesHAProxysHubs(t *testing.T) {
	t.Parallel()
	c := readCompose(t)
	env := c.Services["haproxy"].Environment
	if got, want := slices.Sorted(maps.Keys(env)), haproxyVariables(t); !slices.Equal(got, want) {
		t.Errorf("HAProxy is given %v, and takes %v", got, want)
	}
	for name := range c.hubs(t) {
		if got := env[strings.ToUpper(name)]; got != name+":8080" {
			t.Errorf("HAProxy looks for %s at %q", name, got)
		}
	}
}

// "make up" must give HAProxy all that it takes, and run what Docker runs.
func TestUpRunsWhatComposeRuns(t *testing.T) {
	t.Parallel()
	command := exec.Command("bash", "-euc", `. scripts/up.env; exec "$@"`, "bash", "haproxy", "-c", "-f", "deploy/haproxy/haproxy.cfg")
	command.Dir = "../.."
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("HAProxy does not take its configuration: %v\n%s", err, out)
	}
	script := read(t, "../../scripts/up")
	for name, s := range readCompose(t).Services {
		for _, file := range s.EnvFile {
			if !strings.Contains(script, ". "+file+"\n") {
				t.Errorf("scripts/up does not read %s of %s", file, name)
			}
		}
	}
	for _, file := range []string{"deploy/redis/redis.conf", "deploy/haproxy/haproxy.cfg"} {
		if !strings.Contains(script, file) {
			t.Errorf("scripts/up does not use %s", file)
		}
	}
}
