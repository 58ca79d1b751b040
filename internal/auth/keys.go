package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
)

const (
	maxKeys   = 1000 // of a set
	minSecret = 32   // bytes
)

// key is one that verifies tokens.
type key struct {
	id         string
	raw        any
	algorithms []jwa.SignatureAlgorithm
}

// keys are those that count now, and the tokens that they have verified.
type keys struct {
	set      []key
	read     bool // else some could not be read yet
	verified *verified
}

// unknownKeyError says that no key could have signed a token.
type unknownKeyError struct{ cause string }

func (e *unknownKeyError) Error() string { return e.cause }

// fitting returns the keys that may have signed a token. An algorithm belongs to
// a key, not to a token: one that says HS256 is never tried with a public key.
func (k *keys) fitting(h head) ([]any, error) {
	var fits []any
	named := false
	for _, key := range k.set {
		if h.keyID != "" && key.id != "" && key.id != h.keyID {
			continue
		}
		named = named || key.id == h.keyID
		if slices.Contains(key.algorithms, h.algorithm) {
			fits = append(fits, key.raw)
		}
	}
	switch {
	case len(fits) > 0:
		return fits, nil
	case !k.read:
		return nil, ErrNoKeys
	case h.keyID != "" && !named:
		return nil, &unknownKeyError{fmt.Sprintf("the hub has no key with the token's kid %.64q", h.keyID)}
	}
	return nil, &unknownKeyError{fmt.Sprintf("the hub has no such key for the token's alg, which is %s", h.algorithm)}
}

// parseKeys reads a key set, or keys in PEM. Of private ones it keeps the public
// part. Keys that verify no signatures are left out.
func parseKeys(text []byte) ([]key, error) {
	isPEM := bytes.Contains(text, []byte("-----BEGIN "))
	set, err := jwk.Parse(text, jwk.WithPEM(isPEM), jwk.WithIgnoreParseError(!isPEM))
	if err != nil {
		return nil, fmt.Errorf("these are neither a JSON Web Key Set nor keys in PEM: %w", err)
	}
	if set.Len() > maxKeys {
		return nil, fmt.Errorf("%d keys are too many; at most %d are taken", set.Len(), maxKeys)
	}
	var usable []key
	for i := range set.Len() {
		k, _ := set.Key(i)
		usage, _ := k.KeyUsage()
		if usage != "" && usage != string(jwk.ForSignature) {
			continue
		}
		key, err := readKey(k)
		if errors.Is(err, errNoSignatures) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %d: %w", i+1, err)
		}
		usable = append(usable, key)
	}
	if len(usable) == 0 {
		return nil, errors.New("there is no key among them that verifies signatures")
	}
	return usable, nil
}

var errNoSignatures = errors.New("the key verifies no signatures")

// readKey reads one key.
func readKey(k jwk.Key) (key, error) {
	public, err := jwk.PublicKeyOf(k)
	if err != nil {
		return key{}, err
	}
	id, _ := k.KeyID()
	read := key{id: id}
	if err := jwk.Export(public, &read.raw); err != nil {
		return key{}, err
	}
	if read.algorithms, err = algorithmsOf(read.raw); err != nil {
		return key{}, err
	}
	if only, ok := k.Algorithm(); ok {
		read.algorithms = slices.DeleteFunc(read.algorithms, func(a jwa.SignatureAlgorithm) bool { return a.String() != only.String() })
	}
	if len(read.algorithms) == 0 {
		return key{}, errNoSignatures
	}
	return read, nil
}

// algorithmsOf returns for what a key is good (RFC 7518, section 3.1, and RFC 8037):
// one on a curve for that curve's alone. RSA keys under 2048 bits were refused
// before.
func algorithmsOf(raw any) ([]jwa.SignatureAlgorithm, error) {
	switch k := raw.(type) {
	case []byte:
		if len(k) < minSecret {
			return nil, fmt.Errorf("a secret of %d bytes can be guessed; take at least %d", len(k), minSecret)
		}
		return []jwa.SignatureAlgorithm{jwa.HS256(), jwa.HS384(), jwa.HS512()}, nil
	case *rsa.PublicKey:
		return []jwa.SignatureAlgorithm{jwa.RS256(), jwa.RS384(), jwa.RS512(), jwa.PS256(), jwa.PS384(), jwa.PS512()}, nil
	case ed25519.PublicKey:
		return []jwa.SignatureAlgorithm{jwa.EdDSA()}, nil
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return []jwa.SignatureAlgorithm{jwa.ES256()}, nil
		case elliptic.P384():
			return []jwa.SignatureAlgorithm{jwa.ES384()}, nil
		case elliptic.P521():
			return []jwa.SignatureAlgorithm{jwa.ES512()}, nil
		}
	}
	return nil, errNoSignatures
}
