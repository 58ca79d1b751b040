//go:build unix

package main_test

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tickertape/internal/redistest"
)

// configure writes a configuration file and returns its name.
func configure(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "tickertape.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// post posts a raw body.
func (p *process) post(path, body string) (status int, answer string) {
	return answered(p.client.Post(p.url+path, "", strings.NewReader(body)))
}

// The rules of the file count on both buses.
func TestRulesCount(t *testing.T) {
	t.Parallel()
	file := configure(t, "rules:\n- selector: quotes.*\n  kind: latest\n  keys: 2\n- {selector: typing.**, kind: ephemeral}\n")
	for _, bus := range []string{"memory", "shared"} {
		t.Run(bus, func(t *testing.T) {
			t.Parallel()
			p := startProcess(t, bus, "HUB_CONFIG="+file)
			for i, row := range []struct {
				query  string
				status int
				word   string
			}{
				{"topic=quotes.A&key=x", 200, "id"},
				{"topic=quotes.A", 400, "key is missing"},
				{"topic=quotes.A&key=y", 200, "id"},
				{"topic=quotes.A&key=z", 422, "may not have more than 2 keys"},
				{"topic=quotes.A&key=x", 200, "id"},
				{"topic=typing.a.b", 200, "id"},
				{"topic=typing.a.b&lease=30s", 400, "lease is not for topic"},
				{"topic=quotes.A.B", 200, "id"},
			} {
				if status, answer := p.post("/publish?"+row.query, "hi"); status != row.status || !strings.Contains(answer, row.word) {
					t.Errorf("publish %d, %s: %d %s", i, row.query, status, answer)
				}
			}
			_, list := p.get("/topics")
			if strings.Count(list, `"topic"`) != 2 || !strings.Contains(list, `"topic":"quotes.A","kind":"latest","state":"open","retained":2`) || !strings.Contains(list, `"topic":"quotes.A.B","kind":"log"`) {
				t.Errorf("the topics are %s", list)
			}
		})
	}
}

func TestBadRulesEndTheHub(t *testing.T) {
	t.Parallel()
	file := configure(t, "rules:\n- selector: quotes.*\n  kind: latest\n  keys: 0\n")
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{file: file + ":4: keys is", file + ".no": "no such file", filepath.Dir(file): "is a directory"} {
		c := exec.CommandContext(t.Context(), program)
		c.Env = append(os.Environ(), "TEST_AS_HUB=1", "HUB_ADDR=127.0.0.1:0", "HUB_ADMIN_ADDR=none", "HUB_CONFIG="+name)
		out, err := c.CombinedOutput()
		if err == nil || c.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), want) || !strings.Contains(string(out), "HUB_CONFIG") {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// Nodes of one Redis whose rules differ both say so, and serve all the same.
func TestRulesThatDifferAreSaid(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	file := configure(t, "rules:\n- {selector: quotes.*, kind: latest}\n")
	one := startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_CONFIG="+file)
	same := startProcess(t, "", "HUB_REDIS="+redis.URL, "HUB_CONFIG="+file)
	for _, p := range []*process{one, same} {
		if status, body := p.get("/readyz"); status != http.StatusOK || strings.Contains(body, "warning") {
			t.Errorf("with the same rules: %d %s", status, body)
		}
	}
	other := startProcess(t, "", "HUB_REDIS="+redis.URL)
	for _, p := range []*process{one, same, other} {
		p.until("it knows of other rules", func() bool {
			status, body := p.get("/readyz")
			return status == http.StatusOK && strings.Contains(body, `"warning":"another node has other rules`)
		})
	}
}

// A cancel on one node is told at once to whoever writes to the topic by a
// stream to another one, through a proxy too.
func TestCancelReachesStreamsOfOtherNodes(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	one, other := startProcess(t, "", "HUB_REDIS="+redis.URL), startProcess(t, "", "HUB_REDIS="+redis.URL)
	for name, start := range map[string]func(*testing.T, ...string) string{"HAProxy": startHAProxy, "nginx": startNginx, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := &process{t: t, url: one.url, client: one.client}
			if start != nil {
				edge = edge.through(start)
			}
			send, finish := edge.streamIn()
			send(fmt.Sprintf(`{"topic":%q,"data":1,"lease":"1h"}`, name)) // and the body stays open
			other.until("the line is published", func() bool { status, _ := other.get("/topics/" + name); return status == http.StatusOK })
			for range 2 {
				if status, answer := other.post("/topics/"+name+"/cancel", ""); status != http.StatusOK || !strings.Contains(answer, `"status":"cancelled"`) {
					t.Errorf("the cancel is answered %d %s", status, answer)
				}
			}
			if status, answer, _ := finish(); status != http.StatusConflict || !strings.Contains(answer, `"topic_status":"cancelled","published":1`) {
				t.Errorf("the stream is answered %d %s", status, answer)
			}
			if status, answer := edge.post("/publish?topic="+name, "more"); status != http.StatusConflict || !strings.Contains(answer, "cancelled") {
				t.Errorf("the next publish is answered %d %s", status, answer)
			}
		})
	}
}
