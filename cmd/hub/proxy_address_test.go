//go:build unix

package main_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"
)

// TestClientsAddress: through either proxy the hub learns which address a client has,
// whatever that says of itself.
func TestClientsAddress(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T, ...string) string{"haproxy": startHAProxy, "nginx": startNginx} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			hub := startProcess(t, "", "HUB_TRUSTED_PROXIES=127.0.0.1")
			proxy := strings.TrimPrefix(start(t, strings.TrimPrefix(hub.url, "http://")), "http://")
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, Timeout: endTime}
			for i, claim := range []string{"", "X-Forwarded-For: 203.0.113.7\r\n", "X-Forwarded-For: 203.0.113.7, 127.0.0.1\r\nX-Forwarded-For: 203.0.113.8\r\n"} {
				conn, err := dialer.Dial("tcp", proxy)
				if err != nil {
					t.Fatal(err)
				}
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(endTime))
				if _, err := fmt.Fprintf(conn, "GET /events?topic=claim%d HTTP/1.1\r\nHost: hub\r\n%s\r\n", i, claim); err != nil {
					t.Fatal(err)
				}
				for lines := bufio.NewReader(conn); ; {
					line, err := lines.ReadString('\n')
					if err != nil {
						t.Fatal(err)
					}
					if line == "event: hub.open\n" {
						break
					}
				}
				_ = conn.Close()
				ended := func() string {
					for line := range strings.Lines(hub.log.String()) {
						if strings.Contains(line, "stream ended") && strings.Contains(line, fmt.Sprintf("[claim%d]", i)) {
							return line
						}
					}
					return ""
				}
				hub.until("the stream has ended", func() bool { return ended() != "" })
				if line := ended(); !strings.Contains(line, " remote=127.0.0.9 ") {
					t.Errorf("it said %q, and the hub took it for %q", claim, line)
				}
			}
		})
	}
}
