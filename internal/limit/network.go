// Package limit bounds what one address, one subject, one node takes. It knows no
// HTTP: who asks says what becomes of those who are refused.
package limit

import (
	"net/netip"
)

// Network is whom an address belongs to: itself, or of IPv6 the /64 that one
// customer has all of (RFC 6177). The zero Network is nobody that is counted.
type Network netip.Prefix

// NetworkOf returns the network of a client. Nobody is counted who sits on this
// machine; nor, if nearby, who sits in a private network: that may be a proxy that
// the hub was not told of, with all clients behind it.
func NetworkOf(address netip.Addr, nearby bool) Network {
	address = address.Unmap().WithZone("")
	if !address.IsValid() || address.IsLoopback() || nearby && (address.IsPrivate() || address.IsLinkLocalUnicast()) {
		return Network{}
	}
	bits := address.BitLen()
	if address.Is6() {
		bits = 64
	}
	prefix, err := address.Prefix(bits)
	if err != nil {
		return Network{} // both lengths fit
	}
	return Network(prefix)
}

// Counts reports whether the network is counted.
func (n Network) Counts() bool { return n != Network{} }

// String returns the address, or the network of IPv6.
func (n Network) String() string {
	if p := netip.Prefix(n); !p.IsSingleIP() {
		return p.String()
	}
	return netip.Prefix(n).Addr().String()
}
