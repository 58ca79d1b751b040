package redisbus_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tickertape/internal/proctest"
	"tickertape/internal/redisbus"
	"tickertape/internal/redistest"
)

// TestTLS reaches Redis by TLS. Its certificate is its own: the system has to
// be told to trust it, by the variable that an error names.
func TestTLS(t *testing.T) {
	t.Parallel()
	addr, certificate := startTLS(t)
	url := "rediss://" + addr

	bus := openBus(t, redisbus.Options{URL: url})
	eventually(t, "Ready speaks of the certificate", func() bool {
		err := bus.Ready()
		return err != nil && strings.Contains(err.Error(), "not trusted; SSL_CERT_FILE may name")
	})
	tell(t, openBus(t, redisbus.Options{URL: url + "?skip_verify=true"}), "a", "1")

	// The system's certificates are read once in a process.
	trusting := exec.CommandContext(t.Context(), os.Args[0])
	trusting.Env = append(os.Environ(), publishTo+"="+url, "SSL_CERT_FILE="+certificate)
	if output, err := trusting.CombinedOutput(); err != nil {
		t.Errorf("with SSL_CERT_FILE: %v\n%s", err, output)
	}
}

// TestTLSBySentinel finds its Redis by a Sentinel, both by TLS: each certificate
// is held against the host that is dialled.
func TestTLSBySentinel(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	primary, certificate := startTLS(t)
	_, port, _ := net.SplitHostPort(primary)
	addr, err := proctest.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	_, own, _ := net.SplitHostPort(addr)
	config := filepath.Join(dir, "sentinel.conf")
	text := fmt.Sprintf("port 0\ntls-port %s\ntls-replication yes\ntls-auth-clients no\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\n"+
		"bind 127.0.0.1\ndir %s\nsentinel monitor tape 127.0.0.1 %s 1\n",
		own, certificate, filepath.Join(filepath.Dir(certificate), "key.pem"), certificate, dir, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel, err := proctest.Start(exec.Command("redis-server", config, "--sentinel"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sentinel.Kill() })
	url := "rediss+sentinel://" + addr + "/tape"
	bus := openBus(t, redisbus.Options{URL: url})
	eventually(t, "Ready speaks of the certificate", func() bool {
		err := bus.Ready()
		return err != nil && strings.Contains(err.Error(), "no Sentinel says where the primary is") && strings.Contains(err.Error(), "not trusted; SSL_CERT_FILE may name")
	})
	tell(t, openBus(t, redisbus.Options{URL: url + "?skip_verify=true"}), "a", "1")
	trusting := exec.CommandContext(t.Context(), os.Args[0])
	trusting.Env = append(os.Environ(), publishTo+"="+url, "SSL_CERT_FILE="+certificate)
	if output, err := trusting.CombinedOutput(); err != nil {
		t.Errorf("with SSL_CERT_FILE: %v\n%s", err, output)
	}
}

// startTLS starts a Redis that takes TLS at the address.
func startTLS(t *testing.T) (addr, certificate string) {
	t.Helper()
	certificate, key := selfSigned(t, t.TempDir())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = listener.Addr().String()
	_, port, _ := net.SplitHostPort(addr)
	_ = listener.Close()
	redistest.Start(t, "--tls-port", port, "--tls-cert-file", certificate, "--tls-key-file", key,
		"--tls-ca-cert-file", certificate, "--tls-auth-clients", "no")
	return addr, certificate
}

// selfSigned writes a certificate for 127.0.0.1 and its key.
func selfSigned(t *testing.T, dir string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return write("certificate.pem", "CERTIFICATE", public), write("key.pem", "PRIVATE KEY", secret)
}
