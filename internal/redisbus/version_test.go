package redisbus_test

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"sync"
	"testing"

	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestTooOldRedis meets a server that says it is of a version that lacks what
// the scripts need.
func TestTooOldRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for version, ends := range map[string]bool{"6.0.": true, "6.2.": false} {
		bus := openBus(t, redisbus.Options{URL: "redis://" + calledVersion(t, server.Addr, version)})
		if !ends {
			if tell(t, bus, "a", "1"); bus.Ready() != nil {
				t.Errorf("%sx does not do: %v", version, bus.Ready())
			}
			continue
		}
		says(t, <-run(t, bus), "6.2.0 is the oldest that works")
	}
}

// calledVersion returns the address of a way to the server on which its
// version begins with other digits, as many as "7.0.".
func calledVersion(t *testing.T, server, version string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			passing.Go(func() { passOn(client, server, version) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); passing.Wait() })
	return listener.Addr().String()
}

func passOn(client net.Conn, server, version string) {
	defer func() { _ = client.Close() }()
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	var asking sync.WaitGroup
	defer asking.Wait()
	defer func() { _ = conn.Close() }()
	asking.Go(func() { _, _ = io.Copy(conn, client); _ = conn.Close() })
	for answers := bufio.NewReader(conn); ; {
		line, err := answers.ReadBytes('\n')
		line = bytes.Replace(line, []byte("redis_version:7.0."), []byte("redis_version:"+version), 1)
		if _, failed := client.Write(line); err != nil || failed != nil {
			_ = client.Close()
			return
		}
	}
}
