package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// certificate is the hub's own, read from its files again when they have
// changed. What cannot be used leaves the last pair as it is.
type certificate struct {
	settings tlsSettings
	log      *slog.Logger

	good atomic.Pointer[tls.Certificate]

	looking sync.Mutex // who has it reads files; nobody waits for it
	looked  time.Time
	found   pair // at the last look
}

// pair is what the files hold.
type pair struct{ cert, key string }

// tlsSettings name the files of the hub's certificate.
type tlsSettings struct {
	TLSCert string `env:"HUB_TLS_CERT" placeholder:"FILE" help:"Certificate in PEM, with those between it and the root: the hub speaks HTTPS, and HTTP/2. Read again when it changes. None: plain HTTP."`
	TLSKey  string `env:"HUB_TLS_KEY" placeholder:"FILE" help:"Private key of --tls-cert, in PEM."`
}

// Validate is called by kong.
func (t *tlsSettings) Validate() error {
	if (t.TLSCert == "") != (t.TLSKey == "") {
		return errors.New("--tls-cert (HUB_TLS_CERT) and --tls-key (HUB_TLS_KEY) belong together: name both files, or none")
	}
	return nil
}

// open returns the certificate, or nil if there shall be none.
func (t tlsSettings) open(log *slog.Logger) (*certificate, error) {
	if t.TLSCert == "" {
		return nil, nil
	}
	c := &certificate{settings: t, log: log}
	if err := c.renew(); err != nil {
		return nil, fmt.Errorf("--tls-cert (HUB_TLS_CERT): %w", err)
	}
	return c, nil
}

// lookEvery is how often the files are read at most. What they hold counts, not
// their time: they may change twice within one tick of a file system's clock.
const lookEvery = time.Second

// current returns the newest pair that can be used.
func (c *certificate) current() *tls.Certificate {
	if c.looking.TryLock() {
		defer c.looking.Unlock()
		if time.Since(c.looked) >= lookEvery {
			if err := c.renew(); err != nil {
				c.log.Warn("the new certificate cannot be used, the old one stays", slog.Any("error", err))
			}
		}
	}
	return c.good.Load()
}

// renew takes what the files hold, or says why that cannot be used, if it does so
// for the first time. One does so at a time.
func (c *certificate) renew() error {
	c.looked = time.Now()
	found, err := c.settings.read()
	if found == c.found && c.good.Load() != nil {
		return nil
	}
	c.found = found
	if err != nil {
		return err
	}
	parsed, err := tls.X509KeyPair([]byte(found.cert), []byte(found.key))
	if err != nil {
		return err
	}
	c.good.Store(&parsed)
	c.log.Info("a certificate was read", slog.String("file", c.settings.TLSCert), slog.Time("until", parsed.Leaf.NotAfter))
	return nil
}

// read reads the files; of what cannot be read nothing.
func (t tlsSettings) read() (pair, error) {
	cert, err := os.ReadFile(t.TLSCert)
	if err != nil {
		return pair{}, err
	}
	key, err := os.ReadFile(t.TLSKey)
	if err != nil {
		return pair{}, err
	}
	return pair{string(cert), string(key)}, nil
}

// scheme is what URLs of a server with the certificate begin with, or with none.
func (c *certificate) scheme() string {
	if c == nil {
		return "http"
	}
	return "https"
}

// watch returns what tells how long the certificate holds, or nil if there is none.
func (c *certificate) watch() func() time.Duration {
	if c == nil {
		return nil
	}
	return func() time.Duration { return time.Until(c.current().Leaf.NotAfter) }
}

// config is how the hub speaks TLS. Who says nothing while hands are shaken is cut
// after the server's ReadHeaderTimeout.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.current(), nil }}
}
