package stream_test

import (
	"bytes"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tickertape/internal/stream"
)

const benchClients = 1000

// BenchmarkFanOut writes one event to 1,000 clients: by each writer, and, as what
// there is to be compared with, by nothing but one send for each. What the
// clients take to read does not count.
func BenchmarkFanOut(b *testing.B) {
	for _, w := range []stream.Writer{stream.Loop, stream.Portable} {
		b.Run(string(w), func(b *testing.B) {
			var left atomic.Int64
			all := make(chan struct{}, 1)
			o := stream.Options{Writer: w, Delay: func(time.Duration) {
				if left.Add(-1) == 0 {
					all <- struct{}{}
				}
			}}
			listener, err := stream.Listen(b.Context(), "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			n := &node{t: b, addr: listener.Addr().String(), second: time.Second / 100}
			n.run(listener, o, func(n *node) {
				clients := make([]rawClient, benchClients)
				for i := range clients {
					clients[i] = dialRaw(b, n.addr)
					defer clients[i].close()
					clients[i].open(b)
				}
				n.publish("the first one counts as no live event")
				n.until("all have it", func() bool { return n.streams.Stats().Events == benchClients })
				time.Sleep(100 * time.Millisecond) // then they are up to date
				for _, c := range clients {
					c.drain(b)
				}
				text := string(bytes.Repeat([]byte("x"), 128))
				deliver(b, clients, func() {
					left.Store(benchClients)
					n.publish(text)
					<-all
				})
			})
		})
	}
	b.Run("send", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		defer listener.Close()
		clients, servers := make([]rawClient, benchClients), make([]int, benchClients)
		for i := range clients {
			clients[i] = dialRaw(b, listener.Addr().String())
			defer clients[i].close()
			conn, err := listener.Accept()
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			raw, _ := conn.(*net.TCPConn).SyscallConn()
			_ = raw.Control(func(fd uintptr) { servers[i] = int(fd) })
		}
		text := bytes.Repeat([]byte("x"), 200)
		deliver(b, clients, func() {
			for _, fd := range servers {
				if _, err := syscall.Write(fd, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

// deliver measures what once takes, which writes one event to each client.
func deliver(b *testing.B, clients []rawClient, once func()) {
	b.ReportAllocs()
	var used, before, after unix.Rusage
	for b.Loop() {
		_ = unix.Getrusage(unix.RUSAGE_SELF, &before)
		once()
		_ = unix.Getrusage(unix.RUSAGE_SELF, &after)
		b.StopTimer()
		add(&used.Utime, before.Utime, after.Utime)
		add(&used.Stime, before.Stime, after.Stime)
		for _, c := range clients {
			c.drain(b)
		}
		b.StartTimer()
	}
	each := float64(b.N * len(clients))
	b.ReportMetric(float64(used.Utime.Nano())/each, "user-ns/delivery")
	b.ReportMetric(float64(used.Utime.Nano()+used.Stime.Nano())/each, "cpu-ns/delivery")
}

func add(sum *unix.Timeval, before, after unix.Timeval) {
	*sum = unix.NsecToTimeval(sum.Nano() + after.Nano() - before.Nano())
}

// rawClient is the descriptor of a client.
type rawClient int

func dialRaw(tb testing.TB, addr string) rawClient {
	tb.Helper()
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		tb.Fatal(err)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: at.Port, Addr: [4]byte(at.IP.To4())}); err != nil {
		tb.Fatal(err)
	}
	return rawClient(fd)
}

// open asks for a stream and reads up to the end of the first block.
func (c rawClient) open(tb testing.TB) {
	tb.Helper()
	if _, err := unix.Write(int(c), []byte(request)); err != nil {
		tb.Fatal(err)
	}
	for got := []byte(nil); !bytes.HasSuffix(got, []byte("\n\n\r\n")); {
		piece := make([]byte, 4096)
		k, err := unix.Read(int(c), piece)
		if err != nil || k <= 0 {
			tb.Fatalf("%q: %v", got, err)
		}
		got = append(got, piece[:k]...)
	}
}

// drain reads what is there, which is something.
func (c rawClient) drain(tb testing.TB) {
	var piece [4096]byte
	if k, err := unix.Read(int(c), piece[:]); err != nil || k <= 0 {
		tb.Fatal(k, err)
	}
}

func (c rawClient) close() { _ = unix.Close(int(c)) }
