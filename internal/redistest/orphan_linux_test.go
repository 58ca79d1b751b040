package redistest_test

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"tickertape/internal/redistest"
)

// A test's process that is killed has no time to clean up.
func TestServerDiesWithItsTest(t *testing.T) {
	t.Parallel()
	const role = "REDISTEST_ORPHAN"
	if os.Getenv(role) != "" {
		s := redistest.Start(t)
		_, _ = os.Stdout.WriteString("\naddr " + s.Addr + "\n")
		_, _ = os.Stdin.Read(make([]byte, 1)) // until killed
		return
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^"+t.Name()+"$")
	// What the child leaves behind goes with this test.
	child.Env = append(os.Environ(), role+"=1", "TMPDIR="+t.TempDir())
	if _, err := child.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var addr string
	for lines := bufio.NewScanner(out); addr == "" && lines.Scan(); {
		addr, _ = strings.CutPrefix(lines.Text(), "addr ")
		if addr == lines.Text() {
			addr = ""
		}
	}
	dial(t, addr) // it is there
	_, _ = child.Process.Kill(), child.Wait()
	await(t, "the orphan ends", func() bool {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
		}
		return err != nil
	})
}
