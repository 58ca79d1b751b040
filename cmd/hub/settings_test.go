package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// parse reads settings as main does.
func parse(t *testing.T, s *settings, args ...string) (*kong.Kong, error) {
	t.Helper()
	k, err := kong.New(s, kong.Vars{"version": "test"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(args)
	return k, err
}

func TestReadmeListsSettings(t *testing.T) {
	t.Parallel()
	k, err := parse(t, &settings{})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range k.Model.Flags {
		if f.Name == "help" || f.Name == "version" {
			continue
		}
		variable := "HUB_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if len(f.Envs) != 1 || f.Envs[0] != variable {
			t.Errorf("--%s is read from %v, not from %s", f.Name, f.Envs, variable)
		}
		standard := "`" + f.Default + "`"
		if !f.HasDefault {
			standard = "none"
		}
		if f.IsBool() {
			standard = "off"
		}
		want = append(want, fmt.Sprintf("| `--%s` | `%s` | %s | %s |", f.Name, variable, standard, f.Help))
	}
	compareRows(t, want, readmeRows(t, "## Settings"))
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ args, because string }{
		{"--admin-addr=:8081", "--insecure"},
		{"--admin-addr=192.0.2.1:8081", "--insecure"},
		{"--admin-addr=hub.example:8081", "--insecure"},
		{"--admin-addr=127.0.0.1", "--admin-addr"},
		{"--admin-addr=", "--admin-addr"},
		{"--admin-addr=127.0.0.1:8080", "is also --addr"},
		{"--addr=127.0.0.1", "host:port"},
		{"--addr=8080", "host:port"},
		{"--memory=99999999999GiB", "is not a size"},
		{"--retain-age=0s", "--retain-age"},
		{"--retain-messages=0", "--retain-messages"},
		{"--memory=0", "--memory"},
		{"--memory=-1", "is not a size"},
		{"--retain-bytes=16MB", "is not a size"},
		{"--retain-bytes=MiB", "is not a size"},
		{"--drain-wait=-1s", "--drain-wait"},
		{"--drain-window=-1s", "--drain-window"},
		{"--drain-window=61m", "--drain-window"},
		{"--log-format=xml", "--log-format"},
		{"--tls-cert=hub.pem", "--tls-key (HUB_TLS_KEY) belong together"},
		{"--tls-key=hub.key", "--tls-key (HUB_TLS_KEY) belong together"},
		{"--writer=fast", "--writer (HUB_WRITER): \"fast\" is no writer"},
	} {
		if _, err := parse(t, &settings{}, row.args); err == nil || !strings.Contains(err.Error(), row.because) {
			t.Errorf("%s: got error %v, want one that says %q", row.args, err, row.because)
		}
	}
}

func TestSettingsTaken(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"--addr=127.0.0.1:0"}, {"--addr=127.9.9.9:1"}, {"--addr=[::1]:8080"}, {"--addr=localhost:8080"},
		{"--addr=:8080", "--insecure"}, {"--writer=portable"}, {"--writer=auto"},
		{"--admin-addr=none"}, {"--admin-addr=[::1]:0"}, {"--admin-addr=:8081", "--insecure"}, {"--addr=127.0.0.1:0", "--admin-addr=127.0.0.1:0"},
	} {
		if _, err := parse(t, &settings{}, args...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for text, want := range map[string]size{"512": 512, "64KiB": 64 << 10, "3 MiB": 3 << 20, "2GiB": 2 << 30} {
		var s settings
		if _, err := parse(t, &s, "--memory="+text); err != nil || s.Memory != want {
			t.Errorf("--memory=%s is %d (%v), want %d", text, s.Memory, err, want)
		}
	}
}
