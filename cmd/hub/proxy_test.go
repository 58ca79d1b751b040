//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// startHAProxy starts HAProxy with deploy/haproxy/haproxy.cfg in front of the
// hubs, which must be up to three, and returns its URL once a hub answers
// through it. It ends with the test.
func startHAProxy(t *testing.T, hubs ...string) (url string) {
	t.Helper()
	config, err := filepath.Abs("../../deploy/haproxy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	return runHAProxy(t, config, hubs)
}

// startHastyHAProxy is startHAProxy with the shortest patience for silence.
func startHastyHAProxy(t *testing.T, hubs ...string) (url string) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/haproxy/haproxy.cfg")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "haproxy.cfg")
	hasty := replaceAll(t, string(text), "timeout client 60s", "timeout client "+hasty, "timeout server 60s", "timeout server "+hasty)
	if err := os.WriteFile(config, []byte(hasty), 0o600); err != nil {
		t.Fatal(err)
	}
	return runHAProxy(t, config, hubs)
}

// hasty is how long a hasty proxy bears silence.
const hasty = "4s"

func runHAProxy(t *testing.T, config string, hubs []string) (url string) {
	t.Helper()
	errors, err := filepath.Abs("../../deploy/haproxy")
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	command := exec.Command("haproxy", "-db", "-f", config)
	command.Env = append(os.Environ(), "HAPROXY_BIND="+addr, "HAPROXY_ERRORS="+errors)
	for i := range 3 { // with fewer hubs, some are there twice
		command.Env = append(command.Env, fmt.Sprintf("HUB%d=%s", i+1, hubs[i%len(hubs)]))
	}
	startProxy(t, command, "http://"+addr)
	return "http://" + addr
}

// startNginx does the same with nginx, deploy/nginx/tickertape.conf and any
// number of hubs.
func startNginx(t *testing.T, hubs ...string) (url string) {
	t.Helper()
	return runNginx(t, hubs)
}

// startOldNginx is startNginx for those who leave out the version of HTTP:
// nginx then buffers all that does not say otherwise itself.
func startOldNginx(t *testing.T, hubs ...string) (url string) {
	t.Helper()
	return runNginx(t, hubs, "proxy_http_version 1.1;", "")
}

// startHastyNginx is startNginx with the shortest patience for silence.
func startHastyNginx(t *testing.T, hubs ...string) (url string) {
	t.Helper()
	return runNginx(t, hubs, "client_body_timeout 1h;", "client_body_timeout "+hasty+";")
}

// runNginx starts it with the old texts of tickertape.conf replaced by new
// ones.
func runNginx(t *testing.T, hubs []string, oldnew ...string) (url string) {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	site, err := os.ReadFile("../../deploy/nginx/tickertape.conf")
	if err != nil {
		t.Fatal(err)
	}
	oldnew = append(oldnew, "server 127.0.0.1:8080;", "server "+strings.Join(hubs, "; server ")+";", "listen 80;", "listen "+addr+";")
	text := replaceAll(t, string(site), oldnew...)
	for name, content := range map[string]string{"tickertape.conf": text, "nginx.conf": nginxConf} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	startProxy(t, exec.Command("nginx", "-e", "stderr", "-p", dir, "-c", "nginx.conf"), "http://"+addr)
	return "http://" + addr
}

// replaceAll replaces texts that must be there.
func replaceAll(t *testing.T, text string, oldnew ...string) string {
	t.Helper()
	for i := 0; i < len(oldnew); i += 2 {
		if !strings.Contains(text, oldnew[i]) {
			t.Fatalf("the proxy's configuration lacks %q", oldnew[i])
		}
	}
	return strings.NewReplacer(oldnew...).Replace(text)
}

// nginxConf has what a Debian machine has around a site, as far as it bears on
// streams. The rest lets anyone run nginx, from a folder of its own.
const nginxConf = `
daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {
	worker_connections 768;
}
http {
	sendfile on;
	tcp_nopush on;
	default_type application/octet-stream;
	gzip on;
	gzip_types *; # not Debian's; some want all compressed

	access_log off;
	client_body_temp_path body;
	proxy_temp_path proxy;
	fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi;
	scgi_temp_path scgi;
	include tickertape.conf;
}
`

// startProxy starts a proxy that ends with the test, and waits until a hub
// answers through it.
func startProxy(t *testing.T, command *exec.Cmd, url string) {
	t.Helper()
	var log bytes.Buffer // read when the program has ended
	command.Stdout, command.Stderr = &log, &log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
		if t.Failed() {
			t.Logf("%s:\n%s", command.Path, log.String())
		}
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for limit := time.Now().Add(endTime); ; time.Sleep(10 * time.Millisecond) {
		status, body := answered(client.Get(url + "/readyz"))
		if status == http.StatusOK {
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended:\n%s", command.Path, log.String())
		default:
		}
		if time.Now().After(limit) {
			t.Fatalf("no hub answers through %s: %d %s", command.Path, status, body)
		}
	}
}
