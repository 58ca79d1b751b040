//go:build unix

package main_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// pair is where a hub has its certificate.
type pair struct {
	t         *testing.T
	cert, key string
	roots     *x509.CertPool // with all that were written
	dials     atomic.Int64   // of the hub's client
}

// newPair returns files with a certificate of that name, which holds for a day.
func newPair(t *testing.T, name string) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem"), roots: x509.NewCertPool()}
	p.write(p.made(name))
	return p
}

// made returns a new certificate and its key, in PEM.
func (p *pair) made(name string) (cert, key []byte) {
	p.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		p.t.Fatal(err)
	}
	cert = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	p.roots.AppendCertsFromPEM(cert)
	return cert, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

func (p *pair) write(cert, key []byte) {
	p.t.Helper()
	for name, text := range map[string][]byte{p.cert: cert, p.key: key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
}

// start starts a hub with the certificate, for a client by HTTP/2 that has all in
// one connection.
func (p *pair) start(bus string, env ...string) *process {
	p.t.Helper()
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		p.dials.Add(1)
		return new(net.Dialer).DialContext(ctx, network, addr)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DialContext: dial, ForceAttemptHTTP2: true, DisableCompression: true}
	p.t.Cleanup(transport.CloseIdleConnections)
	return startProcessFor(p.t, &http.Client{Transport: transport}, bus, append(env, "HUB_TLS_CERT="+p.cert, "HUB_TLS_KEY="+p.key)...)
}

// shown returns the name of the certificate that a new connection is shown.
func (p *pair) shown(hub *process) string {
	p.t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(hub.url, "https://"), &tls.Config{RootCAs: p.roots})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

var blockID = regexp.MustCompile(`(?m)^id: (.+)$`)

// Certificates are exchanged while streams are open. What is no pair leaves the last
// one in its place.
func TestCertificateIsExchanged(t *testing.T) {
	t.Parallel()
	files := newPair(t, "first")
	p := files.start("memory")
	if name := files.shown(p); name != "first" {
		t.Errorf("the certificate is %q", name)
	}
	r, _ := p.listen()
	hears := func(text string) {
		t.Helper()
		if status, answer := p.publish(strings.NewReader(text)); status != http.StatusOK {
			t.Fatalf("publish: %d %s", status, answer)
		}
		if block, ended := r.block(); ended || !strings.Contains(block, "data: "+text) {
			t.Errorf("%s came as %q", text, block)
		}
	}
	hears("by the first")
	files.write(files.made("second"))
	p.until("the second is shown", func() bool { return files.shown(p) == "second" })
	hears("by the second")

	third, key := files.made("third")
	files.write(third, []byte("no key"))
	p.until("the hub has seen it", func() bool { return files.shown(p) != "" && strings.Contains(p.log.String(), "the old one stays") })
	if name := files.shown(p); name != "second" {
		t.Errorf("with half of the third pair, the certificate is %q", name)
	}
	if err := os.Remove(files.cert); err != nil {
		t.Fatal(err)
	}
	p.until("the hub has missed it", func() bool { return files.shown(p) == "second" && strings.Contains(p.log.String(), "no such file") })
	files.write(third, key)
	p.until("the third is shown", func() bool { return files.shown(p) == "third" })
	hears("by the third")
	if n := strings.Count(p.log.String(), "the old one stays"); n != 2 {
		t.Errorf("the log says %d times that a pair cannot be used", n)
	}
	_, text := answered(http.Get(p.adminURL() + "/metrics"))
	_, value, _ := strings.Cut(text, "\ntickertape_tls_certificate_expiry_seconds ")
	value, _, _ = strings.Cut(value, "\n")
	if left, err := strconv.ParseFloat(value, 64); err != nil || left < 23*3600 || left > 24*3600 {
		t.Errorf("it holds for %q seconds", value)
	}
}

// A stream by HTTP/2 is resumed as any other; older TLS than 1.2 is refused; headers
// are bounded as elsewhere.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	files := newPair(t, "hub")
	p := files.start("memory")
	r, _ := p.listen()
	p.publish(strings.NewReader("one"))
	block, _ := r.block()
	_ = r.body.Close()
	p.publish(strings.NewReader("two"))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/events?topic=news", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Last-Event-ID", blockID.FindStringSubmatch(block)[1])
	answer, err := p.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	again := newReader(t, answer)
	if answer.ProtoMajor != 2 {
		t.Errorf("the protocol is %s", answer.Proto)
	}
	if opening, _ := again.block(); !strings.Contains(opening, `{"resumed":true}`) {
		t.Errorf("the stream opened with %q", opening)
	}
	if next, _ := again.block(); !strings.Contains(next, "data: two") {
		t.Errorf("the stream went on with %q", next)
	}

	if conn, err := tls.Dial("tcp", strings.TrimPrefix(p.url, "https://"), &tls.Config{RootCAs: files.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("the hub spoke TLS 1.1")
		_ = conn.Close()
	}
	request.Header.Set("Last-Event-ID", strings.Repeat("x", 32<<10))
	if answer, err := p.client.Do(request); err == nil {
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("32 KiB of headers: %s", answer.Status)
		}
	} else if !strings.Contains(err.Error(), "limit") {
		t.Error(err)
	}
}

// A refused body ends nothing but its request.
func TestRefusedBodyLeavesHTTP2(t *testing.T) {
	t.Parallel()
	files := newPair(t, "hub")
	p := files.start("memory")
	r, _ := p.listen()
	for _, topic := range []string{"not a topic", ""} {
		if status, answer := answered(p.client.Post(p.url+"/publish?topic="+topic, "image/png", strings.NewReader(strings.Repeat("x", 1<<20)))); status != http.StatusUnsupportedMediaType && status != http.StatusBadRequest {
			t.Errorf("publish: %d %s", status, answer)
		}
	}
	p.publish(strings.NewReader("one"))
	if block, _ := r.block(); !strings.Contains(block, "one") {
		t.Errorf("the stream brought %q", block)
	}
	if n := files.dials.Load(); n != 1 {
		t.Errorf("it took %d connections", n)
	}
}

// Streams by HTTP/2 end in order, each by itself though they share a connection.
// Who comes back while the node still ends others has to come by another connection,
// on which a balancer may choose another node.
func TestDrainByHTTP2(t *testing.T) {
	t.Parallel()
	const clients, window = 10, 4 * time.Second
	files := newPair(t, "hub")
	p := files.start("shared", "HUB_DRAIN_WAIT=0s", "HUB_DRAIN_WINDOW="+window.String())
	ends := make(chan farewell, clients)
	for range clients {
		r, _ := p.listen()
		go func() { ends <- r.follow() }()
	}
	last, _ := p.listen()
	send, finish := p.streamIn()
	send(`{"data":"one"}`)
	if block, _ := last.block(); !strings.Contains(block, "one") {
		t.Fatalf("a line came as %q", block)
	}
	begin := time.Now()
	p.signal(syscall.SIGTERM)
	if status, answer, _ := finish(); status != http.StatusServiceUnavailable || !strings.Contains(answer, `"published":1`) {
		t.Errorf("the stream in is answered %d %s", status, answer)
	}
	all := []farewell{<-ends}
	p.until("who comes back has another connection", func() bool {
		if _, block := p.listen(); !onlyRetry.MatchString(block) {
			t.Errorf("a stream that was asked for during the window got %q", block)
		}
		return files.dials.Load() > 1
	})
	for range clients - 1 {
		all = append(all, <-ends)
	}
	if status := p.exit(); status != 0 || !strings.Contains(p.log.String(), inOrder) {
		t.Errorf("exit status %d", status)
	}
	for _, f := range all {
		if !onlyRetry.MatchString(f.retry) || f.at.After(begin.Add(window+closeSlack)) {
			t.Errorf("a stream ended after %v with %q", f.at.Sub(begin), f.retry)
		}
	}
}

// Who connects and says nothing is cut.
func TestSilentHandshakeIsCut(t *testing.T) {
	t.Parallel()
	p := newPair(t, "hub").start("memory")
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadDeadline(time.Now().Add(endTime)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if _, err := conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") || time.Since(begin) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
}

func TestBadCertificateEndsTheHub(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	files := newPair(t, "hub")
	other := newPair(t, "other")
	for _, row := range []struct{ cert, key, because string }{
		{files.cert, other.key, "private key does not match public key"},
		{files.key, files.key, "failed to find certificate PEM data"},
		{files.cert, filepath.Join(t.TempDir(), "none"), "no such file"},
	} {
		command := exec.CommandContext(t.Context(), program, "--addr=127.0.0.1:0", "--admin-addr=none", "--tls-cert="+row.cert, "--tls-key="+row.key)
		command.Env = append(os.Environ(), "TEST_AS_HUB=1")
		out, err := command.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "--tls-cert (HUB_TLS_CERT): ") || !strings.Contains(string(out), row.because) {
			t.Errorf("%s: %v\n%s", row.because, err, out)
		}
	}
}
