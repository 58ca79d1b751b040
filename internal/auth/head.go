package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/lestrrat-go/jwx/v3/jwa"
)

// head is what a token says of its signature (RFC 7515, section 4.1). Keys that
// it brings or points to (jwk, jku, x5c, x5u) are not looked at.
type head struct {
	algorithm jwa.SignatureAlgorithm
	keyID     string
}

// headOf reads the head of a token in compact form.
func headOf(token string) (head, error) {
	first, rest, ok := strings.Cut(token, ".")
	if !ok || strings.Count(rest, ".") != 1 {
		return head{}, refuse("the credential is no token (three parts with dots between) and no API key (%s…)", apiKeyPrefix)
	}
	text, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil {
		return head{}, refuse("the token's head is not in base64url")
	}
	var fields struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return head{}, refuse("the token's head is no JSON object with alg and kid")
	}
	algorithm, ok := jwa.LookupSignatureAlgorithm(fields.Algorithm)
	switch {
	case algorithm == jwa.NoSignature():
		return head{}, refuse("the token is not signed: its alg is none")
	case !ok:
		return head{}, refuse("the token's alg is %.32q; HS, RS, PS and ES with 256, 384 or 512, and EdDSA are taken", fields.Algorithm)
	case len(fields.KeyID) > 256:
		return head{}, refuse("the token's kid is over 256 bytes long")
	}
	return head{algorithm, fields.KeyID}, nil
}
